"""How values and messages are told: bounded, on one line where it is a value, and never raising."""

from __future__ import annotations

from reprlib import Repr
from typing import Final

from milepost.text.escapes import printable

__all__ = ["MAX_MESSAGE", "bounded", "shown"]

MAX_MESSAGE: Final = 1_900
"""The most characters of one message, before the words that say how much was left out."""

_MAX_SHOWN: Final = 120
_HUGE_BITS: Final = 512  # longer numbers are told by their length: Python may refuse to print them


def bounded(text: str, most: int = MAX_MESSAGE) -> str:
    """`text`, cut after `most` characters with a note of how many were left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} characters more)"


def shown(value: object) -> str:
    """`value` in at most 150 printable characters, for a message. Calls its `repr`; never raises.

    What would not print (control characters, lone surrogates) is escaped, and what is long,
    large, nested or refers to itself is cut.
    """
    try:
        told = _repr.repr(value)
    except Exception:  # noqa: BLE001 whatever the repr of a stranger's object raises
        told = f"<{type(value).__name__} that cannot be shown>"
    escaped = printable(told[:_MAX_SHOWN])
    return bounded(escaped, _MAX_SHOWN) if len(told) <= _MAX_SHOWN else f"{escaped[:_MAX_SHOWN]}…"


class _Bounded(Repr):
    """The standard library's bounded repr, with numbers of any size and bytes cut first."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = 80
        self.maxlong = 60

    def repr_int(self, x: int, level: int) -> str:
        bits = int.bit_length(x)
        return super().repr_int(x, level) if bits <= _HUGE_BITS else f"<an integer of {bits} bits>"

    def repr_bytes(self, x: bytes, _level: int) -> str:
        return repr(x) if len(x) <= self.maxother else f"{x[: self.maxother]!r}…"

    def repr_bytearray(self, x: bytearray, _level: int) -> str:
        return f"bytearray({self.repr_bytes(bytes(x[: self.maxother + 1]), 0)})"


_repr: Final = _Bounded()
