"""axe, the engine that looks for what a screen reader, or poor eyes, could not use."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

__all__ = ["found", "found_in_colours"]

_SCRIPT: Final = Axe().axe_script
_MORE: Final = {"target-size": {"enabled": True}}  # of WCAG 2.2, which axe leaves to whoever asks
_COLOURS: Final = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
_RUN: Final = """
async (options) => {
  const { violations } = await axe.run({ resultTypes: ["violations"], ...options });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target}: ${node.failureSummary}`));
}
"""


def found(page: Page) -> list[str]:
    """What axe finds on the page as it is shown: the rule, the place and why. Empty is good.

    All its rules are asked, good practice too.
    """
    return _asked(page, {"rules": _MORE})


def found_in_colours(page: Page) -> list[str]:
    """The same of the rules alone that colours can break."""
    return _asked(page, {"runOnly": _COLOURS})


def _asked(page: Page, options: dict[str, Any]) -> list[str]:  # Any: axe's options
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_SCRIPT)
    told: list[str] = page.evaluate(_RUN, options)
    return told
