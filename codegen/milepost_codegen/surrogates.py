r"""Halves of characters, which escapes of YAML can write: pairs of them are whole characters.

JSON writes a character above U+FFFF as two escapes (`\ud83d\ude00`), and YAML reads JSON. A half
by itself is no text: nothing can be written with it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["lone_half", "whole"]

_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = re.compile(r"\\(?:u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|.)", re.S)


def whole(text: str) -> str | None:
    """`text` with its pairs of halves as characters, or None if a half is left over."""
    if not _HALF.search(text):
        return text
    joined = _PAIR.sub(
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
    )
    return None if _HALF.search(joined) else joined


def lone_half(written: str) -> tuple[int, str]:
    """Where in a scalar, as it is `written`, the escape of a half by itself stands, and that."""
    escapes = list(_ESCAPE.finditer(written))
    halves = [_half(escape) for escape in escapes]
    at = 0
    while at < len(escapes):
        following = at + 1 < len(escapes) and escapes[at].end() == escapes[at + 1].start()
        if halves[at] == "high" and following and halves[at + 1] == "low":
            at += 2
        elif halves[at]:
            return escapes[at].start(), escapes[at][0]
        else:
            at += 1
    return 0, ""


def _half(escape: re.Match[str]) -> str:
    code = int(escape["short"] or escape["long"] or "0", 16)
    return "high" if 0xD800 <= code < 0xDC00 else "low" if 0xDC00 <= code < 0xE000 else ""
