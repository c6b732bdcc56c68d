"""How values, instants and durations read in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

__all__ = ["ago", "duration", "here", "local_times", "stamp", "told", "value"]

_LOCAL: Final = ContextVar("milepost.local_times", default=False)


def told(payload: Mapping[str, Any]) -> str:  # Any: JSON
    """What came with an event, as `name=value`; what is empty is left out."""
    given = {name: given for name, given in payload.items() if given not in ("", {}, None)}
    return " ".join(f"{name}={value(each)}" for name, each in given.items())


def value(given: Any) -> str:  # Any: JSON, or typed by the lifecycle
    """A text as it is, everything else as compact JSON."""
    if isinstance(given, str):
        return given
    return msgspec.json.encode(given, order="sorted").decode()


def ago(at: datetime, now: datetime) -> str:
    """An instant, and how long before `now` it was."""
    seconds = (now - at).total_seconds()
    return f"{stamp(at)} ({duration(seconds)} ago)" if seconds >= 0 else stamp(at)


def stamp(at: datetime, *, timespec: str = "seconds") -> str:
    """An instant in RFC 3339, cut to `timespec` as `datetime.isoformat` knows it.

    In UTC, but under `local_times` in the time of this place. Every instant of every page is
    written here.
    """
    shown = here(at) if _LOCAL.get() else at
    return shown.isoformat(timespec=timespec).replace("+00:00", "Z")


@contextmanager
def local_times(*, local: bool = True) -> Iterator[None]:
    """A block in which instants are written in the time of this place, unless not `local`."""
    token = _LOCAL.set(local)
    try:
        yield
    finally:
        _LOCAL.reset(token)


def duration(seconds: float) -> str:
    """A length of time from 0 up, in two units at most: `12.5 s`, `3 m 20 s`, `2 d 04 h`."""
    if seconds < 60:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + " s"
    minutes, left_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {left_s:02} s"
    days, left = divmod(timedelta(minutes=minutes), timedelta(days=1))
    hours, left_minutes = divmod(left // timedelta(minutes=1), 60)
    return f"{days} d {hours:02} h" if days else f"{hours} h {left_minutes:02} m"


def here(at: datetime) -> datetime:
    """The same instant by the clock on the wall here; as it is where that has no such year."""
    try:
        return at.astimezone()
    except (OverflowError, OSError, ValueError):
        return at
