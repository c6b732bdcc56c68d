// Brings what has changed into a page of a job that is active, without a reload. A choice of text
// or a focus inside stays where it is: then the page waits.
"use strict";
const main = document.getElementById("main");
const status = document.getElementById("status");
let paused = false;

const toggle = document.createElement("button");
toggle.type = "button";
toggle.textContent = "Pause updates";
toggle.addEventListener("click", () => {
  paused = !paused;
  toggle.textContent = paused ? "Resume updates" : "Pause updates";
});
status.before(toggle);

async function look() {
  const busy = main.contains(document.activeElement) && document.activeElement !== main;
  if (paused || busy || document.hidden || !getSelection().isCollapsed) return true;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok) return true;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("main");
  if (next && next.innerHTML !== main.innerHTML) {
    main.replaceChildren(...next.childNodes);
  }
  const live = Boolean(next && next.dataset.live);
  if (!live) {
    status.textContent = "The job has ended.";
    toggle.remove();
  }
  return live;
}

async function follow() {
  let live = true;
  try {
    live = await look();
  } catch {
    status.textContent = "The page cannot be reached; it is asked for again.";
  }
  if (live) setTimeout(follow, 1000 * Number(main.dataset.live));
}
setTimeout(follow, 1000 * Number(main.dataset.live));
