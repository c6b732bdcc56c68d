"""Pages by the keyboard alone: everything is reached, in its order, and seen when it is."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Look
from tests.web.browser.furnished import KINDS, LIVE, MANY

_STOPS: Final = """
() => [...document.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")]
  .filter((each) => each.tabIndex >= 0 && each.checkVisibility())
  .map((each) => [...document.querySelectorAll("*")].indexOf(each))
"""
_HERE: Final = """
() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const box = at.getBoundingClientRect(), style = getComputedStyle(at);
  return {
    at: [...document.querySelectorAll("*")].indexOf(at),
    what: at.outerHTML.slice(0, 80),
    lit: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
      && box.top < innerHeight && box.left < innerWidth,
  };
}
"""
_ADD_RULE: Final = """
(rule) => {
  const [style] = document.styleSheets;
  style.insertRule(rule, style.cssRules.length);
}
"""


def walked(page: Page) -> list[dict[str, Any]]:  # Any: JSON
    """Where Tab leads, from the top of the page to its end."""
    most = len(page.evaluate(_STOPS)) + 5
    stops: list[dict[str, Any]] = []
    while len(stops) < most:
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        if here is None:
            break
        stops.append(here)
    return stops


@pytest.mark.parametrize("path", KINDS)
def test_tab_reaches_everything_in_its_order_and_it_is_seen(
    look: Look, address: str, path: str
) -> None:
    page = look(address).open(path)
    expected = page.evaluate(_STOPS)
    stops = walked(page)
    assert [stop["at"] for stop in stops] == expected
    assert [stop for stop in stops if not (stop["lit"] and stop["seen"])] == []


def test_a_focus_that_is_not_seen_is_found(look: Look, address: str) -> None:
    """The control: without an outline every stop is told of."""
    page = look(address).open("/")
    page.evaluate(_ADD_RULE, "*:focus { outline: none !important }")
    assert not any(stop["lit"] for stop in walked(page))


def test_a_place_that_tab_does_not_reach_is_found(look: Look, address: str) -> None:
    """The control: a link that its order sends elsewhere."""
    page = look(address).open("/")
    page.evaluate("() => { document.querySelector('td a').tabIndex = 5; }")
    assert [stop["at"] for stop in walked(page)] != page.evaluate(_STOPS)


def test_the_first_stop_skips_to_the_content(look: Look, address: str) -> None:
    page = look(address).open(f"/jobs/{LIVE}/items")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("key fits")).to_be_focused()


def test_a_grid_of_thousands_does_not_bar_the_way(look: Look, address: str) -> None:
    """And whoever has no mouse reaches the same lists by the form."""
    page = look(address).open(f"/jobs/{MANY}/items")
    assert page.locator(".grid a").count() == 2_000
    assert len(page.evaluate(_STOPS)) < 40
    page.get_by_label("first ordinal").focus()
    page.keyboard.type("3005")
    page.keyboard.press("Tab")
    page.keyboard.type("3006")
    page.keyboard.press("Enter")
    page.wait_for_url("**/items?*first=3005&last=3006*")
    assert page.locator("tbody tr").all_inner_texts()[0].startswith("k3005")
    assert page.locator("tbody tr").count() == 2


def test_what_was_asked_is_kept_in_the_form_and_the_address(look: Look, address: str) -> None:
    """So that it can be changed, and sent to somebody."""
    page = look(address).open("/")
    page.get_by_label("id begins with").focus()
    page.keyboard.type("week")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?*prefix=week*")
    expect(page.get_by_label("id begins with")).to_have_value("week")
    assert page.locator("tbody tr").count() == 2
    page.go_back()
    assert page.locator("tbody tr").count() > 2
