"""How values and messages are told: bounded, on one line where it is a value, and never raising."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from reprlib import Repr
from types import MappingProxyType
from typing import Any, Final, TypeVar

from milepost.text.escapes import printable

__all__ = [
    "MAX_MESSAGE",
    "MAX_REPR",
    "bounded",
    "counted",
    "items_counted",
    "one_line",
    "record_shown",
    "short_repr",
    "shown",
]

_T = TypeVar("_T")

MAX_MESSAGE: Final = 1_900
"""The most characters of one message, before the words that say how much was left out."""

MAX_REPR: Final = 200
"""The most characters of the `repr` of an object of ours."""

_MAX_SHOWN: Final = 120
_MAX_FIELD: Final = 70
_HUGE_BITS: Final = 512  # longer numbers are told by their length: Python may refuse to print them


def bounded(text: str, most: int = MAX_MESSAGE) -> str:
    """`text`, cut after `most` characters with a note of how many were left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} characters more)"


def counted(count: int, nouns: str) -> str:
    """So many of `nouns`, which are in the plural: `1 item`, `2 items`."""
    return f"{count} {nouns.removesuffix('s') if count == 1 else nouns}"


def items_counted(count: int) -> str:
    """So many items."""
    return f"{count} item" if count == 1 else f"{count} items"


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


def one_line(told: str) -> str:
    """`told` as a `repr`: printable, on one line, at most 200 characters."""
    escaped = printable(told[:MAX_REPR])
    cut = len(told) > MAX_REPR or len(escaped) > MAX_REPR
    return f"{escaped[: MAX_REPR - 2]}…>" if cut else escaped


def short_repr(kind: type[_T]) -> type[_T]:
    """`kind`, a record, with a `repr` of one line, at most 200 characters; long values are cut.

    For dataclasses, whose fields are left out where they have their default, and for named tuples
    and structs.
    """
    kind.__repr__ = _fields_shown  # type: ignore[method-assign]
    return kind


def _fields_shown(self: object) -> str:
    return record_shown(type(self).__name__, _fields(self))


def record_shown(name: str, fields: Iterable[tuple[str, object]]) -> str:
    """`name(field=value, …)` in at most 200 characters, on one line; never raises."""
    told, room = [], MAX_REPR - len(name) - len("(, …)")
    for field, value in fields:
        each = f"{field}={_shown_in_field(value)}"
        room -= len(each) + 2
        if room < 0:
            told.append("…")
            break
        told.append(each)
    return f"{name}({', '.join(told)})"


def _fields(self: Any) -> Iterator[tuple[str, object]]:  # Any: fields are looked up by name
    """The fields that are shown, with their values."""
    described = getattr(type(self), "__dataclass_fields__", None)
    if described is None:
        names = getattr(type(self), "_fields", None) or type(self).__struct_fields__
        yield from ((name, getattr(self, name, None)) for name in names)
        return
    for name, field in described.items():
        value = getattr(self, name, None)
        if field.repr and value is not field.default:
            yield name, value


def _shown_in_field(value: object) -> str:
    try:
        told = _of_fields.repr(value)
    except Exception:  # noqa: BLE001 whatever the repr of a stranger's object raises
        told = f"<{type(value).__name__} that cannot be shown>"
    escaped = printable(told[:_MAX_FIELD])
    return escaped if len(told) <= _MAX_FIELD >= len(escaped) else f"{escaped[: _MAX_FIELD - 1]}…"


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


class _OfFields(_Bounded):
    """Values beside others in the repr of one object: shorter still."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = 3
        self.maxstring = self.maxlong = 40
        self.maxother = _MAX_FIELD

    def repr_mappingproxy(self, x: MappingProxyType[object, object], level: int) -> str:
        return self.repr_dict(dict(x), level)

    def repr_datetime(self, x: datetime, _level: int) -> str:
        return x.isoformat(" ", "seconds")

    def repr_timedelta(self, x: timedelta, _level: int) -> str:
        return str(x)


_repr: Final = _Bounded()
_of_fields: Final = _OfFields()
