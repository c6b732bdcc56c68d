// Brings what has changed into a page of a job that is active, without a reload. A choice of text
// or a focus inside stays where it is: then the page waits.
"use strict";
const main = document.getElementById("main");
const status = document.getElementById("status");
let paused = false;
let live = true;
let looks = 0;
let timer;

const toggle = document.createElement("button");
toggle.type = "button";
toggle.textContent = "Pause updates";
toggle.addEventListener("click", () => {
  paused = !paused;
  toggle.textContent = paused ? "Resume updates" : "Pause updates";
  if (!paused) followIn(0);
});
status.before(toggle);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) followIn(0);
});

async function look() {
  const busy = main.contains(document.activeElement) && document.activeElement !== main;
  if (paused || busy || document.hidden || !getSelection().isCollapsed) return;
  const number = ++looks;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  const text = await answer.text();
  if (number !== looks) return; // another look has begun since: this one may be the older
  status.textContent = "";
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const next = page.getElementById("main");
  if (next && next.innerHTML !== main.innerHTML) {
    main.replaceChildren(...next.childNodes);
  }
  live = Boolean(next && next.dataset.live);
  if (!live) {
    status.textContent = "The job has ended.";
    toggle.remove();
  }
}

async function follow() {
  try {
    await look();
  } catch {
    status.textContent = "The page cannot be reached; it is asked for again.";
  }
  followIn(1000 * Number(main.dataset.live));
}

function followIn(afterMs) {
  clearTimeout(timer);
  if (live) timer = setTimeout(follow, afterMs);
}
followIn(1000 * Number(main.dataset.live));
