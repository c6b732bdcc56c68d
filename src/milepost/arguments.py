"""Checks of what callers pass: each gives the value as the code below takes it, or names it.

Every public parameter passes through one of these before anything is written. The usual value
costs one or two comparisons of a type. Subclasses are taken for what they are a kind of and given
as the plain type: a member of an enum of texts as its text, an integer of another library as int.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from math import inf, isfinite
from numbers import Real
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from milepost.errors import ArgumentInvalid
from milepost.text.wording import shown

__all__ = [
    "MAX_COUNT",
    "MAX_SECONDS",
    "MAX_TEXT",
    "calls",
    "choice",
    "file_path",
    "flag",
    "instance",
    "integer",
    "items",
    "iterable",
    "mapping",
    "moment",
    "number",
    "ordinal",
    "ordinals",
    "path",
    "refuse",
    "seconds",
    "span",
    "text",
    "texts",
]

MAX_TEXT: Final = 1_000
"""The most characters of a text that people read: an owner, a reason, a prefix."""

MAX_COUNT: Final = 2**63 - 1
"""The largest integer that is stored: what SQLite and checkpoints hold."""

MAX_SECONDS: Final = 1_000_000_000.0
"""The longest time that can be asked for, some thirty years."""

_SERVER: Final = re.compile(r"\s*postgres(ql)?(\+\w+)?:/", re.IGNORECASE)

_T = TypeVar("_T")


def refuse(name: str, given: object, wanted: str) -> NoReturn:
    """Raise ArgumentInvalid for the parameter `name`, to which `given` was passed."""
    raise ArgumentInvalid(name=name, given=f"{shown(given)} ({_kind(given)})", wanted=wanted)


def text(name: str, given: object, *, most: int = MAX_TEXT, least: int = 0) -> str:
    """A text of `least` to `most` characters that every encoding holds: no NUL, no surrogates."""
    if isinstance(given, str):
        plain = given if type(given) is str else str.__str__(given)
        if least <= len(plain) <= most and _storable(plain):
            return plain
    among = f"{least:,} to {most:,}" if least else f"up to {most:,}"
    refuse(name, given, f"text of {among} characters, without NUL and lone surrogates")


def texts(name: str, given: object, *, most: int = MAX_TEXT) -> list[str]:
    """The texts of an iterable, which is no text itself, in order."""
    wanted = "an iterable of texts"
    return [text(name, each, most=most) for each in iterable(name, given, wanted)]


def integer(name: str, given: object, least: int = 0, most: int = MAX_COUNT) -> int:
    """An integer from `least` to `most`; a bool and a float are none."""
    plain = given if type(given) is int else _index(given)
    if plain is None or not least <= plain <= most:
        above = f" up to {most:,}" if most != MAX_COUNT else ""
        refuse(name, given, f"an integer from {least:,}{above or ' on'}")
    return plain


def ordinal(name: str, given: object) -> int:
    """An integer that names a place, a commit or an item; there may be none there."""
    plain = given if type(given) is int else _index(given)
    if plain is None or not -MAX_COUNT <= plain <= MAX_COUNT:
        refuse(name, given, "an integer of 64 bits at most")
    return plain


def ordinals(name: str, given: object) -> list[int]:
    """The integers of an iterable that name places, in order."""
    return [ordinal(name, each) for each in iterable(name, given, "an iterable of integers")]


def number(name: str, given: object, least: float = 0.0, most: float = MAX_SECONDS) -> float:
    """A finite number from `least` to `most`: an int, a float, another library's; no bool."""
    plain = _finite(given)
    if plain is None or not least <= plain <= most:
        refuse(name, given, f"a number from {least:,g} to {most:,g}")
    return plain


def seconds(
    name: str, given: object, *, above: float | None = None, endless: bool = False
) -> float:
    """A number of seconds from 0 to MAX_SECONDS, or `above` a number; no timedelta.

    Where it may be `endless`, infinity is one too.
    """
    if endless and type(given) is float and given == inf:
        return given
    plain = _finite(given)
    if plain is None or not 0 <= plain <= MAX_SECONDS or (above is not None and plain <= above):
        floor = "0" if above is None else f"above {above:,g}"
        refuse(name, given, f"a number of seconds, {floor} to {MAX_SECONDS:,.0f}")
    return plain


def flag(name: str, given: object) -> bool:
    """True or False, and nothing that only counts as one of them."""
    if given is True or given is False:
        return given
    refuse(name, given, "True or False")


def choice(name: str, given: object, among: Collection[str | bool]) -> str | bool:
    """One of `among`: a text or a bool of theirs."""
    plain = str.__str__(given) if isinstance(given, str) else given
    if isinstance(plain, str | bool):
        for each in among:
            if type(each) is type(plain) and each == plain:
                return each
    refuse(name, given, " or ".join(repr(each) for each in among))


def instance(
    name: str, given: object, kind: type[_T] | tuple[type[_T], ...], wanted: str = ""
) -> _T:
    """An object of `kind`, or of one of several."""
    if isinstance(given, kind):
        return given
    named = kind.__name__ if isinstance(kind, type) else "something else"
    refuse(name, given, wanted or f"a {named}")


def calls(name: str, given: object, wanted: str = "something to call") -> None:
    """Nothing, where what was given can be called."""
    if not callable(given):
        refuse(name, given, wanted)


def iterable(name: str, given: object, wanted: str = "an iterable") -> Iterable[Any]:
    """Something to iterate over that is no text, bytes or mapping. Any: its members are unseen."""
    if type(given) is list:
        return given
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | bytearray | Mapping):
        return given
    refuse(name, given, wanted)


def items(name: str, given: object) -> Any:
    """What items are read from, which is no text: that is one item, and not its letters.

    An iterable, or a mapping of keys to values. Any: nothing has been read.
    """
    if isinstance(given, Mapping):
        return given
    return iterable(name, given, "an iterable of items, or a mapping of keys to values,")


def mapping(name: str, given: object) -> dict[str, Any]:
    """A copy of a mapping whose keys are texts. Any: the values have not been looked at."""
    wanted = "a mapping of names to values"
    if not isinstance(given, Mapping):
        refuse(name, given, wanted)
    try:
        copy = dict(given)
    except Exception as error:
        raise ArgumentInvalid(
            name=name, given=f"one that cannot be read: {shown(error)}", wanted=wanted
        ) from error
    return {text(name, key): value for key, value in copy.items()}


def path(name: str, given: object) -> Path:
    """The path that a text or a path object names; not that of bytes, and not an empty one."""
    if isinstance(given, str | os.PathLike):
        try:
            named = os.fspath(given)
        except Exception:  # noqa: BLE001 what a stranger's __fspath__ raises
            named = b""
        if isinstance(named, str) and 0 < len(named) <= 4096 and _storable(named):
            return Path(named)
    refuse(name, given, "a path: text or a pathlib.Path, in UTF-8 and without NUL")


def file_path(name: str, given: object) -> Path:
    """As `path`, and not the URL of a server: its password would be in all that is said of it."""
    if _SERVER.match(str(given) if isinstance(given, str | os.PathLike) else ""):
        raise ArgumentInvalid(name=name, given="the URL of a server", wanted="a path of a file")
    return path(name, given)


def moment(name: str, given: object) -> datetime:
    """A datetime that says its time zone."""
    if isinstance(given, datetime):
        try:
            offset = given.utcoffset()
        except Exception:  # noqa: BLE001 what a stranger's time zone raises
            offset = None
        if offset is not None:
            return given
    refuse(name, given, "a datetime with a time zone")


def span(name: str, given: object, most: timedelta = timedelta.max) -> timedelta:
    """A timedelta of 0 or more."""
    if isinstance(given, timedelta) and timedelta(0) <= given <= most:
        return given
    limit = "" if most == timedelta.max else f" to {most.days:,} days"
    refuse(name, given, f"a timedelta of 0{limit or ' or more'}")


def _kind(given: object) -> str:
    return shown(type(given).__name__)[1:-1]


def _storable(plain: str) -> bool:
    if plain.isascii():
        return "\0" not in plain
    try:
        return b"\0" not in plain.encode()
    except UnicodeEncodeError:
        return False


def _index(given: object) -> int | None:
    """The plain integer that `given` is, None if it is none."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return int.__index__(given)
    try:
        return int.__index__(operator.index(given))  # type: ignore[arg-type]  # the question itself
    except Exception:  # noqa: BLE001 what a stranger's __index__ raises
        return None


def _finite(given: object) -> float | None:
    """The finite number that `given` is, None if it is none."""
    if type(given) is not float:
        if isinstance(given, bool) or not isinstance(given, Real):
            return None
        try:
            given = float(given)
        except Exception:  # noqa: BLE001 too large, or what a stranger's __float__ raises
            return None
    return given if isfinite(given) else None
