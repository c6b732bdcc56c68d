"""Pages on a narrow screen, on paper, without a script, and what a browser complains of."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Look
from tests.web.browser.furnished import DONE, KINDS, LIVE, PAGES, PROBLEMS

EVERY: Final = (*((page, 200) for page in PAGES), *PROBLEMS)
PAPER: Final = {"width": 718, "height": 1_000}  # A4 without its margins, in pixels of CSS
NARROW: Final = {"width": 320, "height": 640}  # of WCAG 1.4.10, and of no telephone today

_WIDER: Final = """
() => [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("%s"))
  .map((each) => each.outerHTML.slice(0, 80))
"""
_GROUND: Final = "() => getComputedStyle(document.body).backgroundColor"
_SIDEWAYS: Final = (
    "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
)


def wider(page: Page, but_in: str) -> list[str]:
    """What reaches beyond the right edge of the window, but within what scrolls by itself."""
    beyond = page.evaluate(_SIDEWAYS)
    return page.evaluate(_WIDER % but_in) + ([f"{beyond} pixels"] if beyond > 0 else [])


@pytest.mark.parametrize(("path", "status"), EVERY)
def test_a_narrow_screen_and_paper_show_all_of_it(
    look: Look, address: str, path: str, status: int
) -> None:
    """A screen moves sideways for tables alone, each by itself.

    On paper, which cannot, they are whole too; nothing is there to press, and its colours are
    those of a light page.
    """
    page = look(address, viewport=NARROW, color_scheme="dark").open(path, status)
    assert wider(page, ".wide, pre, .skip") == []
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    assert wider(page, ".skip") == []
    for pressed in page.locator("form, button, footer, header ul").all():
        expect(pressed).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate(_GROUND) == "rgb(255, 255, 255)"


def test_what_is_too_wide_is_found(look: Look, address: str) -> None:
    """The control, of a screen and of paper."""
    page = look(address, viewport=NARROW).open("/")
    page.evaluate("() => { document.querySelector('h1').style.width = '900px'; }")
    assert wider(page, ".wide, pre, .skip")
    page.evaluate("() => { document.querySelector('h1').style.width = 'auto'; }")
    page.set_viewport_size(PAPER)
    page.evaluate("() => { document.querySelector('table').style.width = '900px'; }")
    assert wider(page, ".wide, pre, .skip") == []
    assert wider(page, ".skip")


@pytest.mark.parametrize(("path", "status"), [*((path, 200) for path in KINDS), *PROBLEMS])
def test_without_a_script_all_of_it_is_there(
    look: Look, address: str, path: str, status: int
) -> None:
    """Word for word what is there with one; pages of a job that goes on are loaded anew."""
    whole = look(address).open(path, status)
    plain = look(address, java_script_enabled=False).open(path, status)
    assert plain.locator("main").inner_text() == whole.locator("main").inner_text()
    live = whole.locator("main[data-live]").count()
    assert plain.locator("head meta[http-equiv=refresh]").count() == live
    assert whole.locator("head meta[http-equiv=refresh]").count() == 0
    assert plain.locator("button", has_text="updates").count() == 0
    assert whole.locator("button", has_text="updates").count() == live


def test_a_form_works_without_a_script(look: Look, address: str) -> None:
    page = look(address, java_script_enabled=False).open(f"/jobs/{LIVE}/items")
    page.get_by_label("state").select_option("dead")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**state=dead*")
    assert page.locator("tbody tr").count() == 1


@pytest.mark.parametrize(("path", "live"), [(f"/jobs/{LIVE}", 1), (f"/jobs/{DONE}", 0), ("/", 1)])
def test_pages_of_what_goes_on_are_live(look: Look, address: str, path: str, live: int) -> None:
    """The control of all that was compared with `live`."""
    page = look(address).open(path)
    assert page.locator("main[data-live]").count() == live


def test_a_request_that_a_left_page_had_open_is_no_fault(unwatched: Look, address: str) -> None:
    """As that for its icon, which a browser sends after a page is loaded."""
    watched = unwatched(address)
    page = watched.open("/")
    page.route("**/static/late", lambda _: None)
    with page.expect_request("**/static/late"):
        page.evaluate("() => { fetch('/static/late').catch(() => {}); }")
    with page.expect_event("requestfailed"):
        watched.open(f"/jobs/{DONE}")
    assert watched.faults == []


def test_what_a_browser_complains_of_is_found(unwatched: Look, address: str) -> None:
    """The control of every page here that had nothing to complain of."""
    watched = unwatched(address)
    page = watched.open("/")
    with page.expect_console_message(lambda message: "policy: style-src" in message.text):
        page.evaluate(
            "() => { const style = document.createElement('style'); style.textContent = 'p {}';"
            " document.head.append(style); }"
        )
    with page.expect_console_message(lambda message: "policy: connect-src" in message.text):
        page.evaluate("() => { fetch('http://127.0.0.1:9/elsewhere').catch(() => {}); }")
    page.route("**/static/lost", lambda route: route.abort("aborted"))
    with page.expect_event("requestfailed"):
        page.evaluate("() => { fetch('/static/lost').catch(() => {}); }")
    with page.expect_response("**/static/nothing"):
        page.evaluate("() => fetch('/static/nothing').then(() => true)")
    with page.expect_event("pageerror"):
        page.evaluate("() => { setTimeout(() => { throw new Error('mine'); }); }")
    kinds = {fault.partition(":")[0] for fault in watched.faults}
    assert kinds >= {"console", "exception", "failed", "404"}
    assert any("policy: style-src" in fault for fault in watched.faults)
    assert any("policy: connect-src" in fault for fault in watched.faults)
    assert any(fault.startswith("failed: ") and "lost" in fault for fault in watched.faults)
