"""Limits: how large a value, a commit and a checkpoint may be, and what to name when one is not."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Final

import msgspec

from milepost.arguments import integer
from milepost.errors import Large
from milepost.items.blocks import Entry
from milepost.job.state import JobState
from milepost.log.codec import MAX_BLOCK_BYTES
from milepost.log.facts import Draft, ItemsFired, JobCreated, JobFired
from milepost.text.escapes import printable
from milepost.text.wording import short_repr
from milepost.worker.sizes import LARGEST, largest_in, size_of, too_large

__all__ = [
    "LARGEST",
    "Limits",
    "Warned",
    "check_checkpoint",
    "check_commit",
    "check_value",
    "checked_entries",
    "largest_of",
]

_log: Final = logging.getLogger("milepost.limits")

_MIB: Final = 1024 * 1024
_JOBS: Final = 10_000


class Warned:
    """Of which jobs it was told that something is large, by the name of the warning. Thread-safe.

    A run whose results are all large says so once. Of many jobs, the first are forgotten.
    """

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str], object] = {}

    def first(self, job_id: str, name: str) -> bool:
        """True for the first of that name and job, in whichever thread."""
        mine = object()
        if self._jobs.setdefault((job_id, name), mine) is not mine:
            return False
        if len(self._jobs) > _JOBS:
            self._jobs.pop(next(iter(self._jobs)), None)
        return True


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Limits:
    """From which size on a warning is logged, and beyond which a write is refused; in bytes.

    One warning of a kind is logged for each job, by each manager that writes to it.

    A value is a result, a message, an item's input or all of a job's variables together, as JSON.
    A commit is its facts and their payloads as JSON, before they are compressed. A checkpoint is
    taken as it is stored. No limit can be above 64 MiB, which is all that is stored at once.
    """

    value_warn_bytes: int = 1 * _MIB
    value_max_bytes: int = 16 * _MIB
    commit_warn_bytes: int = 48 * _MIB
    commit_max_bytes: int = MAX_BLOCK_BYTES
    checkpoint_warn_bytes: int = 16 * _MIB
    checkpoint_max_bytes: int = MAX_BLOCK_BYTES
    value_told_bytes: int = field(init=False, repr=False)
    """A value up to this size is never warned about."""
    commit_told_bytes: int = field(init=False, repr=False)
    """A commit up to this size is never warned about."""
    _warned: Warned = field(init=False, repr=False, compare=False, default_factory=Warned)
    """What whoever has these limits has warned of."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if not each.init:
                continue
            given = getattr(self, each.name)
            object.__setattr__(self, each.name, integer(each.name, given, 1, MAX_BLOCK_BYTES))
        told_bytes = min(self.value_warn_bytes, self.value_max_bytes)
        object.__setattr__(self, "value_told_bytes", told_bytes)
        told_bytes = min(self.commit_warn_bytes, self.commit_max_bytes)
        object.__setattr__(self, "commit_told_bytes", told_bytes)

    def first(self, job_id: str, name: str) -> bool:
        """True for the first warning of that name about the job, in whichever thread.

        Args:
            job_id: The job that a value or a write is of.
            name: The name of the warning: `value-large`, say.
        """
        return self._warned.first(job_id, name)


def check_value(
    limits: Limits,
    job_id: str,
    what: Callable[[], str],
    encoded: bytes,
    warned: Warned | None = None,
) -> None:
    """Warn of a value that is large, and raise TooLarge for one that is too large.

    `warned` is what was told of the job, if that stands apart from what `limits` know of others.
    """
    size_bytes = len(encoded)
    if size_bytes > limits.value_told_bytes:
        _check(
            "value-large",
            what(),
            size_bytes,
            warn_bytes=limits.value_warn_bytes,
            max_bytes=limits.value_max_bytes,
            largest=lambda: largest_in(msgspec.json.decode(encoded)),
            first=partial(limits.first if warned is None else warned.first, job_id, "value-large"),
        )


def checked_entries(limits: Limits, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The keys and values of items as they come, each checked. Raises TooLarge."""
    warned = Warned()
    for key, encoded in entries:
        check_value(limits, "", partial(_item_named, key), encoded, warned)
        yield key, encoded


def check_commit(limits: Limits, state: JobState, drafts: Sequence[Draft], size_bytes: int) -> None:
    """Warn of a commit that is large, and raise TooLarge for one that is too large."""
    if size_bytes > limits.commit_told_bytes:
        _check(
            "commit-large",
            f"job {state.id}: one commit",
            size_bytes,
            warn_bytes=limits.commit_warn_bytes,
            max_bytes=limits.commit_max_bytes,
            first=partial(limits.first, state.id, "commit-large"),
            largest=lambda: largest_of(_values_of(state, drafts)),
        )


def check_checkpoint(limits: Limits, state: JobState, size_bytes: int) -> None:
    """Warn of a checkpoint that is large, and raise TooLarge for one that is too large."""
    if size_bytes > limits.checkpoint_warn_bytes or size_bytes > limits.checkpoint_max_bytes:
        _check(
            "checkpoint-large",
            f"job {state.id}: a checkpoint",
            size_bytes,
            warn_bytes=limits.checkpoint_warn_bytes,
            max_bytes=limits.checkpoint_max_bytes,
            first=partial(limits.first, state.id, "checkpoint-large"),
            largest=lambda: largest_of(_parts_of(state)),
        )


def largest_of(values: Iterable[Large], count: int = LARGEST) -> tuple[Large, ...]:
    """The `count` largest of `values`, largest first. Memory: so many of them."""
    return tuple(heapq.nlargest(count, values, key=lambda large: large.size_bytes))


def _check(
    name: str,
    what: str,
    size_bytes: int,
    *,
    warn_bytes: int,
    max_bytes: int,
    largest: Callable[[], tuple[Large, ...]],
    first: Callable[[], bool],
) -> None:
    if size_bytes > max_bytes:
        path = "$" if name == "value-large" else "all of it"
        raise too_large(what, path, size_bytes, max_bytes, largest())
    if size_bytes > warn_bytes and first():
        named = ", ".join(f"{place} {each:,}" for place, each in largest())
        told = printable(f"{what} takes {size_bytes:,} bytes ({named})")
        _log.warning("%s: %s; the next of this job are not told of", name, told)


def _values_of(state: JobState, drafts: Iterable[Draft]) -> Iterator[Large]:
    """Every value of a commit, named by whose it is."""
    for draft in drafts:
        fact = draft.fact
        if isinstance(fact, JobCreated):
            yield from _fields("variables", fact.variables)
        if isinstance(fact, JobFired):
            yield from _fields(fact.event, fact.payload)
            yield from _fields(fact.event, draft.body)
        if isinstance(fact, ItemsFired):
            for payloads in (fact.payloads, draft.body):
                given = payloads if isinstance(payloads, list) else [None] * len(fact.ordinals)
                for ordinal, payload in zip(fact.ordinals, given, strict=True):
                    whose = f"{fact.event} of item {state.inputs.key(ordinal)!r}"
                    yield from _fields(whose, payload)


def _parts_of(state: JobState) -> Iterator[Large]:
    """The parts of a checkpoint of `state`, before it is compressed."""
    yield from _fields("variables", state.variables)
    for cell in state.items.dump():
        yield Large(f"items in {cell.state}", len(cell.members))


def _item_named(key: str) -> str:
    return f"item {key!r}"


def _fields(whose: str, payload: object) -> Iterator[Large]:
    if isinstance(payload, Mapping):
        for name, value in payload.items():
            yield Large(f"{whose}, {name}", size_of(value))
