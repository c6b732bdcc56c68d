r"""Texts that are safe to show to people: what steers a terminal, reorders or hides is an escape.

Whatever Milepost was given (keys, owners, messages, docs, paths) goes through here before it
reaches a terminal, a log, an error's message or a generated page. By the general categories of
Unicode, these characters become escapes as Python writes them (`\x1b`, `\u202e`):

- control characters (Cc), line and paragraph separators (Zl, Zp): they steer terminals, end lines;
- format characters (Cf): bidirectional marks, which reorder what stands beside them, zero-width
  ones, tags, byte order marks. The few of them that draw a sign, as Arabic number signs, stay;
- halves of surrogate pairs and private characters (Cs, Co): nothing says what a terminal makes of
  them;
- letters and marks that draw nothing (the Hangul fillers, the grapheme joiner).

Characters that this Python does not know yet (Cn) stay, so that an emoji of next year can be read
and a generated file is the same under every Python; what Unicode will never assign, or has set
aside for what does not draw, does not.

Two kinds that hide are also needed to write, and stay where a script or an emoji needs them, one
at a time: joiners between letters of scripts that join and between emoji, and variation selectors
after a character that has variants.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from typing import Final, TextIO

__all__ = [
    "as_python",
    "columns",
    "encodable",
    "escaped",
    "lenient",
    "printable",
    "printable_lines",
]

_SELECTORS: Final = frozenset(
    map(chr, (0x180B, 0x180C, 0x180D, 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_PRINTABLE_YET_HIDDEN: Final = _SELECTORS | _BLANKS
_JOINERS: Final = "\u200c\u200d"
_SIGNS: Final = frozenset(  # format characters that are seen
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_NEVER_DRAWN: Final = (  # of what is not assigned: ranges, both ends with them
    (0x2065, 0x2065),
    (0xFDD0, 0xFDEF),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
_NO_CHARACTERS: Final = 0xFFFE  # the last two of every plane are none
_KEYS: Final = frozenset("0123456789#*")
_KEYCAP: Final = "\u20e3"
_NO_BASE: Final = frozenset(("Mn", "Me", "Mc", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"))
_VIRAMA: Final = 9  # the combining class of the marks that join consonants


def printable(text: str) -> str:
    """`text` on one line, with nothing in it that steers, reorders or hides."""
    return escaped(text, as_python)


def printable_lines(text: str) -> str:
    """`text` whose line feeds are its own lines, each as `printable` leaves it."""
    return "\n".join(map(printable, text.split("\n")))


def escaped(text: str, escape: Callable[[str], str]) -> str:
    """`text`, each character that may not be shown as it is written as `escape` gives it."""
    if text.isprintable() and (text.isascii() or _PRINTABLE_YET_HIDDEN.isdisjoint(text)):
        return text
    return "".join(
        char if _may_be_shown(text, at) else escape(char) for at, char in enumerate(text)
    )


def as_python(char: str) -> str:
    r"""The escape that Python writes for a character: `\x1b`, `\u202e`."""
    return char.encode("unicode_escape").decode()


def encodable(text: str, encoding: str, escape: Callable[[str], str] = as_python) -> str:
    """`text`, each character that `encoding` does not have written as `escape` gives it."""
    if _has(encoding, text):
        return text
    return "".join(char if _has(encoding, char) else escape(char) for char in text)


def lenient(*streams: TextIO | None) -> None:
    """Let streams write an escape for what their encoding does not have, not raise."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def columns(text: str) -> int:
    """How many columns of a terminal `text`, which is safe to show, takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _may_be_shown(text: str, at: int) -> bool:
    char = text[at]
    if " " <= char <= "~":
        return True
    if char in _SELECTORS:
        return _selects(text, at)
    if char in _JOINERS:
        return _joins(text, at)
    if char in _BLANKS:
        return False
    category = unicodedata.category(char)
    if category == "Cf":
        return char in _SIGNS
    if category == "Cn":
        return _may_be_drawn(ord(char))
    return category[0] != "C" and category not in ("Zl", "Zp")


def _may_be_drawn(code: int) -> bool:
    """True unless the character, which is not assigned, never will be one that draws."""
    if code & _NO_CHARACTERS == _NO_CHARACTERS:
        return False
    return not any(first <= code <= last for first, last in _NEVER_DRAWN)


def _selects(text: str, at: int) -> bool:
    """True if the variation selector there follows what can have a variant."""
    before = text[at - 1 : at]
    if before.isascii():
        return before in _KEYS and text[at + 1 : at + 2] == _KEYCAP
    return before not in _BLANKS and unicodedata.category(before) not in _NO_BASE


def _joins(text: str, at: int) -> bool:
    """True if the joiner there stands where a script or an emoji has one."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if before and unicodedata.combining(before) == _VIRAMA:
        return True
    return _joinable(before) and _joinable(after)


def _joinable(char: str) -> bool:
    """True for letters of scripts without capitals, their marks, and emoji."""
    if not char or char.isascii() or char in _BLANKS:
        return False
    category = unicodedata.category(char)
    return category in ("Lo", "Lm", "Cn") or category[0] in "MS"


def _width(char: str) -> int:
    category = unicodedata.category(char)
    if category in ("Mn", "Me") or (category == "Cf" and char not in _SIGNS):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
