"""Failures as they are read back: each attempt that ended without a result, and groups of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from pyroaring import BitMap

from milepost.text.wording import short_repr

__all__ = [
    "OTHER_KINDS",
    "FailedAttempt",
    "Failure",
    "FailureDetails",
    "FailureGroup",
    "FailureSummary",
    "Grouping",
    "Raised",
    "details_of",
]

OTHER_KINDS: Final = "…"
"""The kind of a group that holds the failures of all kinds that got no group of their own."""

_MOST_GROUPS: Final = 1_000


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class Raised:
    """One exception: its type, as it is imported but for `builtins`, and what it says."""

    type: str
    message: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FailureDetails:
    """The record of an attempt that failed, beside its message. What was not kept is empty.

    `type` is that of the exception, `chain` what it was raised from, the nearest first, `members`
    those of an exception group, and `traceback` its text, bounded. `worker` names the process or
    thread that called the function, `attempt` counts from 1, `took_s` is how long the call took.
    """

    type: str = ""
    chain: tuple[Raised, ...] = ()
    members: tuple[Raised, ...] = ()
    traceback: str = ""
    worker: str = ""
    attempt: int | None = None
    took_s: float | None = None


@short_repr
class Failure(NamedTuple):
    """How an attempt at an item ended without a result. Commit `seq`, written at `at`, says so.

    `cause` is one that the lifecycle names, `kind` is finer and open: the exception's name with its
    status, as in `HTTPStatusError 503`; `""` where none was recorded. A `permanent` failure is not
    tried again. `details` is None where none were recorded, as in jobs of before there were any.
    """

    seq: int
    cause: str
    message: str
    at: datetime
    kind: str = ""
    permanent: bool = False
    details: FailureDetails | None = None


@short_repr
class FailedAttempt(NamedTuple):
    """A failure, and the item that it is of."""

    ordinal: int
    key: str
    failure: Failure


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FailureGroup:
    """Failures of one kind and cause: how many, of how many items, the first and the last of them.

    `kind` is `""` where none was recorded, as of executors that died. `example_key` and
    `example_message` are of the last.
    """

    kind: str
    cause: str
    permanent: bool
    count: int
    item_count: int
    first_at: datetime
    last_at: datetime
    example_key: str
    example_message: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FailureSummary:
    """The failures of a job's items: all of them in `groups`, the newest one by one.

    The groups are those of executors that died, too. `newest` are the last of `count` failures,
    the newest last.
    """

    groups: tuple[FailureGroup, ...]
    newest: tuple[FailedAttempt, ...]
    count: int


def details_of(stored: object) -> FailureDetails | None:
    """The details as they are stored, as JSON; None without. What does not fit is left out.

    They come from whoever recorded the failure, so nothing is believed beyond its form.
    """
    if not isinstance(stored, Mapping):
        return None
    attempt: Any = stored.get("attempt")  # Any: JSON
    took_s: Any = stored.get("took_s")  # Any: JSON
    return FailureDetails(
        type=_text(stored, "type"),
        chain=tuple(_raised(stored.get("chain"))),
        members=tuple(_raised(stored.get("members"))),
        traceback=_text(stored, "traceback"),
        worker=_text(stored, "worker"),
        attempt=attempt if type(attempt) is int and attempt > 0 else None,
        took_s=float(took_s) if type(took_s) in (int, float) else None,
    )


class Grouping:
    """Brings failures together by kind, cause and whether they were for good, as they come.

    Memory: a thousand groups, each with a bit for each of its items; what is of further kinds is
    brought together by cause.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, bool], _Part] = {}

    def add(self, ordinal: int, failure: Failure) -> None:
        """Take in a failure of the item; they come in the order in which they were recorded."""
        named = failure.kind, failure.cause, failure.permanent
        part = self._parts.get(named)
        if part is None:
            if len(self._parts) >= _MOST_GROUPS:
                named = OTHER_KINDS, failure.cause, failure.permanent
            part = self._parts.setdefault(named, _Part(failure))
        part.add(ordinal, failure)

    def groups(self, key_of: Callable[[int], str]) -> list[FailureGroup]:
        """The groups, the largest first; of groups of one size, that which failed last first."""
        found = [part.group(named, key_of) for named, part in self._parts.items()]
        return sorted(found, key=lambda one: (-one.count, -one.last_at.timestamp(), one.kind))


class _Part:
    """One group that grows."""

    __slots__ = ("count", "first", "last", "last_ordinal", "ordinals")

    def __init__(self, first: Failure) -> None:
        self.count = 0
        self.first = self.last = first
        self.last_ordinal = 0
        self.ordinals = BitMap()

    def add(self, ordinal: int, failure: Failure) -> None:
        self.count += 1
        self.last, self.last_ordinal = failure, ordinal
        self.ordinals.add(ordinal)

    def group(self, named: tuple[str, str, bool], key_of: Callable[[int], str]) -> FailureGroup:
        kind, cause, permanent = named
        return FailureGroup(
            kind=kind,
            cause=cause,
            permanent=permanent,
            count=self.count,
            item_count=len(self.ordinals),
            first_at=self.first.at,
            last_at=self.last.at,
            example_key=key_of(self.last_ordinal),
            example_message=self.last.message,
        )


def _text(stored: Mapping[Any, Any], name: str) -> str:
    given = stored.get(name)
    return given if isinstance(given, str) else ""


def _raised(stored: object) -> Iterable[Raised]:
    if isinstance(stored, Sequence) and not isinstance(stored, str):
        for each in stored:
            if isinstance(each, Mapping):
                yield Raised(_text(each, "type"), _text(each, "message"))
