"""How far each text of a page is from what it lies on, as WCAG reckons it, signs included."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page

__all__ = ["LEAST", "faint"]

LEAST: Final = 4.5
"""What WCAG 2.2 asks of small text at level AA."""

_PAIRS: Final = """
() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const clear = (colour) => colour === "none" || parts(colour)[3] === 0;
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!clear(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const pairs = new Map();
  const add = (text, on, what) => {
    const [a, b] = [light(text), light(on)].sort((x, y) => y - x);
    pairs.set(`${text} on ${on}: ${what}`, (a + 0.05) / (b + 0.05));
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement: at } = walker.currentNode;
    if (!data.trim() || !at.checkVisibility()) continue;
    if (at.tagName === "title" || at.tagName === "NOSCRIPT") continue;
    const style = getComputedStyle(at), what = data.trim().slice(0, 30);
    if (at.ownerSVGElement) {
      const under = getComputedStyle(at.parentElement.querySelector("rect")).fill;
      add(style.fill, under, what);
      add(under, ground(at.ownerSVGElement.parentElement), `what lies under ${what}`);
    } else {
      add(style.color, ground(at), what);
    }
  }
  for (const at of document.querySelectorAll("input[placeholder]")) {
    add(getComputedStyle(at, "::placeholder").color, ground(at), at.placeholder);
  }
  return [...pairs];
}
"""


def faint(page: Page) -> list[str]:
    """The texts of the page as it is shown that are hard to read: colours, text and contrast."""
    pairs: list[tuple[str, float]] = page.evaluate(_PAIRS)
    assert pairs, "a page without any text"
    return [f"{pair}: {ratio:.2f}" for pair, ratio in pairs if ratio < LEAST]
