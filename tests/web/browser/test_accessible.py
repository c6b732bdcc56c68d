"""Every page, for people with a screen reader, poor eyes or no mouse, in a real browser."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import Page

from tests.web.browser.axe import found, found_in_colours
from tests.web.browser.conftest import Look
from tests.web.browser.contrast import faint
from tests.web.browser.furnished import LIVE, MANY, PAGES, PROBLEMS

EVERY: Final = (*((page, 200) for page in PAGES), *PROBLEMS)

# Each breaks a page that is whole, as a change of the template or the style could.
_STRAY: Final = "Object.assign(document.createElement('p'), { textContent: 'words' })"
FAULTS: Final = {
    "image-alt": f"/jobs/{LIVE} document.querySelector('img').removeAttribute('alt')",
    "svg-img-alt": f"/jobs/{LIVE} document.querySelector('.bar').removeAttribute('aria-label')",
    "label": "/ document.querySelector('label').replaceWith(document.querySelector('input'))",
    "html-has-lang": "/ document.documentElement.removeAttribute('lang')",
    "document-title": "/ document.title = ''",
    "link-name": "/ document.querySelector('td a').textContent = ''",
    "region": f"/ document.body.append({_STRAY})",
    "scrollable-region-focusable": (
        f"/jobs/{LIVE} const wide = document.querySelector('.wide'); wide.tabIndex = -1;"
        " wide.removeAttribute('tabindex'); wide.style.width = '20px';"
        " wide.querySelectorAll('a').forEach((each) => each.remove())"
    ),
    "color-contrast": "/ document.querySelector('h1').style.color = '#cccccc'",
}


@pytest.mark.parametrize(("path", "status"), EVERY)
def test_everybody_can_read_it(look: Look, address: str, path: str, status: int) -> None:
    """axe finds nothing by all its rules, in dark by those that colours can break.

    And no text, on paper too, and no sign in the grid, which axe does not judge, is faint.
    """
    page = look(address, color_scheme="light").open(path, status)
    assert found(page) == []
    assert faint(page) == []
    page.emulate_media(color_scheme="dark")
    assert found_in_colours(page) == []
    assert faint(page) == []
    page.emulate_media(media="print")
    assert faint(page) == []


@pytest.mark.parametrize("rule", FAULTS)
def test_axe_finds_a_fault_that_is_there(unwatched: Look, address: str, rule: str) -> None:
    """The control of all that found nothing."""
    path, _, fault = FAULTS[rule].partition(" ")
    page = unwatched(address, bypass_csp=True).open(path)
    page.evaluate(f"() => {{ {fault} }}")
    assert {each.partition(":")[0] for each in found(page)} >= {rule}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_sign_of_a_state_is_faint(look: Look, address: str, scheme: str) -> None:
    """In a grid with all the states that items can be in."""
    page = look(address, color_scheme=scheme).open(f"/jobs/{MANY}/items")
    assert page.locator(".legend li").count() == 6
    assert faint(page) == []


def test_faint_text_is_found(unwatched: Look, address: str) -> None:
    """The control, of a text and of a sign."""
    page = unwatched(address).open(f"/jobs/{LIVE}/items")
    page.evaluate("() => { document.querySelector('h1').style.color = '#888888'; }")
    page.evaluate("() => { document.querySelector('.grid text').style.fill = '#333333'; }")
    assert len(faint(page)) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_outline_of_a_focus_is_seen(look: Look, address: str, scheme: str) -> None:
    """Far enough from the page, as WCAG asks of what is no text."""
    page = look(address, color_scheme=scheme).open("/")
    page.keyboard.press("Tab")
    page.evaluate(
        "() => { const at = document.activeElement;"
        " at.style.color = getComputedStyle(at).outlineColor; }"
    )
    assert faint(page) == []


def test_the_names_that_a_screen_reader_tells(look: Look, address: str) -> None:
    """Landmarks, headings, tables and the progress have names; the grid is told by its legend."""
    page = look(address).open(f"/jobs/{LIVE}")
    for role, name in (
        ("navigation", "Jobs"),
        ("navigation", "Pages of the job"),
        ("main", None),
        ("contentinfo", None),
        ("heading", LIVE),
        ("img", "progress: 2 done, 2 running, 2 pending, 1 failed, 1 dead, of 8 items"),
        ("img", "The lifecycle of the job: where it has been, and where it is now"),
        ("region", "what failed"),
        ("table", "newest events"),
    ):
        assert _by_role(page, role, name) == 1, (role, name)
    page.get_by_role("link", name="items", exact=True).click()
    assert _by_role(page, "link", "1 dead") == 1
    assert _by_role(page, "combobox", "state") == 1
    assert page.locator(".grid").get_attribute("aria-hidden") == "true"


def _by_role(page: Page, role: Any, name: str | None) -> int:  # Any: one of very many literals
    return page.get_by_role(role, name=name, exact=True).count()
