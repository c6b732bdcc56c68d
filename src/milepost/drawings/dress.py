"""A rendered drawing for any machine: texts as wide as the layout keeps, light and dark colours."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Final

from milepost.drawings.colours import DARK
from milepost.drawings.layout import Text, blank

__all__ = ["dressed"]

# The layout reckons with the narrow letters of Helvetica. Letters of five sixths of their size are
# as wide in the fonts that are on most machines, so that a text fits where its width is not heeded.
_SHOWN: Final = 5 / 6
_FONTS: Final = "Verdana,DejaVu Sans,Bitstream Vera Sans,sans-serif"
_BULLET: Final = 0.33  # what the layout keeps for a bullet beyond its width, by the letters' size

_TEXT: Final = re.compile(r"<text ([^>]*)>([^<]*)</text>\n")
_ATTRIBUTE: Final = re.compile(r'([\w:-]+)="([^"]*)"')


def dressed(svg: str, texts: Iterable[Text]) -> str:
    """`svg` with the widths of `texts` written to each, and with colours for dark pages.

    A text fills its place whatever font a machine has: its letters are drawn closer or wider.
    """
    widths = {(_plain(text.said), text.size): text for text in texts}

    def fitted(found: re.Match[str]) -> str:
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        return _fitted(attributes, html.unescape(found[2]), widths)

    body = _TEXT.sub(fitted, svg)
    end = body.index(">", body.index("<svg")) + 1
    return f"{body[:end]}\n<style>\n{_dark()}</style>{body[end:]}"


def _fitted(attributes: dict[str, str], said: str, widths: Mapping[tuple[str, float], Text]) -> str:
    """The text element in its width, `""` for blanks alone."""
    shown = said.strip(" \N{NO-BREAK SPACE}")
    if not shown:
        return ""
    size = float(attributes["font-size"])
    text = widths[_plain(said), size]
    before, after = blank(text)
    room = text.width - before - after
    across = float(attributes["x"])
    anchor = attributes.pop("text-anchor")
    if anchor == "middle":
        across -= text.width / 2
    elif anchor == "end":
        across -= text.width
    attributes |= {
        "x": _number(across + before),
        "font-family": _FONTS,
        "font-size": _number(size * _SHOWN),
    }
    if len(shown) > 1:
        width = room - shown.count("\N{BULLET}") * _BULLET * size
        attributes |= {"textLength": _number(width), "lengthAdjust": "spacingAndGlyphs"}
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<text {written}>{html.escape(shown, quote=False)}</text>\n"


def _plain(said: str) -> str:
    """A text with plain blanks: the renderer writes some of them as ones that stay."""
    return said.replace("\N{NO-BREAK SPACE}", " ")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _dark() -> str:
    """The rules for pages that are dark; elsewhere the drawing is as its elements say."""
    rules = "".join(
        f'[{name}="{light}"] {{ {name}: {dark}; }}\n'
        for light, dark in DARK.items()
        for name in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme: dark) {{\n{rules}}}\n"
