"""How values, instants and durations read in plain text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

__all__ = ["ago", "duration", "stamp", "told", "value"]


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
    """An instant in RFC 3339, UTC, cut to `timespec` as `datetime.isoformat` knows it."""
    return at.isoformat(timespec=timespec).replace("+00:00", "Z")


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
