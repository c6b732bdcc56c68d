"""A history: appends and reads, each between when it was asked and when it was answered.

What must hold of one is what users of a store build on. An append that was acknowledged is in the
log, once, behind all that were acknowledged before it was asked; one that was undone is not; one of
unknown outcome may be there or not. A read sees a log as it was at a moment between its question
and its answer. Source of the notion: Herlihy and Wing, Linearizability, 1990; a log of numbered
commits needs no search for an order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path
from typing import Any

from milepost.stores.protocol import StateStore
from milepost.testing.histories.operations import (
    ACKNOWLEDGED,
    UNDONE,
    UNKNOWN,
    Append,
    Entry,
    Read,
)
from milepost.testing.journal import Pages
from milepost.testing.watching import LEASE, REJECTED, RELEASED, about_of
from milepost.text.wording import short_repr

__all__ = ["Checked", "History", "check_history", "departures"]


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class History:
    """All that was recorded, in the order in which it was asked."""

    appends: tuple[Append, ...]
    reads: tuple[Read, ...]

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> History:
        """The history that recorders wrote into the files at `paths`.

        Raises:
            FileNotFoundError: One of them is not there, so no recorder has written it.
        """
        asked: dict[tuple[str, int], tuple[int, tuple[Entry, ...]]] = {}
        told: dict[tuple[str, int], tuple[int, str]] = {}
        reads: list[Read] = []
        for path in paths:
            if not Path(path).exists():
                problem = (
                    "a file that `recorded` writes is not there: give its path as it was given"
                )
                raise FileNotFoundError(ENOENT, problem, str(path))
            for word, *values in Pages(Path(path)).turn():
                _take(word, values, asked, told, reads)
        appends = []
        for (actor, number), (at_ns, entries) in asked.items():
            answered_ns, outcome = told.get((actor, number), (None, UNKNOWN))
            appends.append(Append(actor, at_ns, answered_ns, outcome, entries))
        appends.sort(key=lambda append: append.asked_ns)
        return cls(tuple(appends), tuple(sorted(reads, key=lambda read: read.asked_ns)))


def _take(
    word: object,
    values: list[Any],
    asked: dict[tuple[str, int], tuple[int, tuple[Entry, ...]]],
    told: dict[tuple[str, int], tuple[int, str]],
    reads: list[Read],
) -> None:
    """One line of a recorder."""
    match word:
        case "asked":
            actor, number, at_ns, rows = values
            entries = tuple(
                Entry(job, seq, digest, fence, tuple(about))
                for job, seq, digest, fence, about in rows
            )
            asked[actor, number] = at_ns, entries
        case "answered":
            actor, number, at_ns, outcome = values
            told[actor, number] = at_ns, outcome
        case "read":
            actor, asked_ns, answered_ns, newest = values
            reads += [Read(actor, asked_ns, answered_ns, *seen) for seen in newest]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Checked:
    """Counts of what was checked: appends, those of unknown outcome among them, reads, commits."""

    appends: int
    unknown: int
    reads: int
    commits: int

    @property
    def counts(self) -> dict[str, int]:
        """The same by name, for a report."""
        return {"appends": self.appends, "reads": self.reads, "commits": self.commits}


def check_history(history: History, store: StateStore, *, whole: bool = True) -> Checked:
    """The history is one that the logs in the store allow.

    Args:
        history: What was recorded.
        store: Where it was done, now that nobody is at work there.
        whole: Everybody who wrote was recorded: a commit of nobody's is a departure.

    Returns:
        What was checked.

    Raises:
        AssertionError: It is not. It tells the first departure, with the operations that are in it,
            and how many there are. Or there is no operation in the history.

    Cost:
        One pass over the logs, O(n log n) of the operations.
    """
    assert history.appends or history.reads, (
        "the history has no operation in it, so there was nothing to check: what works on the jobs"
        " must use the store that `recorded` gives"
    )
    log = _log(store)
    found = list(_departures(history, log, whole=whole))
    assert not found, f"{found[0]} ({len(found)} departures from what a log allows)"
    return Checked(
        appends=len(history.appends),
        unknown=sum(append.outcome == UNKNOWN for append in history.appends),
        reads=len(history.reads),
        commits=sum(map(len, log.values())),
    )


def departures(history: History, store: StateStore, *, whole: bool = True) -> list[str]:
    """All that `check_history` objects to, a sentence each."""
    return list(_departures(history, _log(store), whole=whole))


_Log = Mapping[int, Mapping[int, Entry]]


def _log(store: StateStore) -> _Log:
    """The logs of all jobs, by number and seq."""
    with store.reading() as reader:
        return {
            job.number: {
                row.seq: Entry(
                    job.number,
                    row.seq,
                    row.digest.hex(),
                    row.fence,
                    about_of(row),
                )
                for row in reader.rows(job.number)
            }
            for job in reader.entries()
        }


class _Teller:
    """Tells operations in words, with times since the first of them."""

    def __init__(self, history: History) -> None:
        asked_ns = [append.asked_ns for append in history.appends]
        asked_ns += [read.asked_ns for read in history.reads]
        self._began_ns = min(asked_ns, default=0)

    def append(self, append: Append, entry: Entry) -> str:
        told = "and got no answer"
        if append.answered_ns is not None:
            told = f"{append.outcome} at {self._at(append.answered_ns)}"
        return f"{entry}, which {append.actor} asked for at {self._at(append.asked_ns)}, {told}"

    def read(self, read: Read) -> str:
        return (
            f"{read.actor} read from {self._at(read.asked_ns)} to {self._at(read.answered_ns)} and"
            f" saw job number {read.job} end with commit {read.seq}"
        )

    def _at(self, moment_ns: int) -> str:
        return f"{(moment_ns - self._began_ns) / 1e6:.3f} ms"


def _departures(history: History, log: _Log, *, whole: bool) -> Iterator[str]:
    tell = _Teller(history)
    yield from _out_of_place(history, log, tell)
    yield from _twice(history, log, tell, whole=whole)
    yield from _out_of_order(history, tell)
    yield from _stale(history, log, tell)
    yield from _past_their_fence(history, log, tell)


def _of_both(history: History) -> Iterator[tuple[Append, Entry]]:
    return ((append, entry) for append in history.appends for entry in append.entries)


def _out_of_place(history: History, log: _Log, tell: _Teller) -> Iterator[str]:
    """Acknowledged and not there; undone and there."""
    for append, entry in _of_both(history):
        found = log.get(entry.job, {}).get(entry.seq)
        there = found is not None and found.digest == entry.digest
        if append.outcome == ACKNOWLEDGED and not there:
            instead = "the log ends before it" if found is None else f"in its place is {found}"
            yield f"{tell.append(append, entry)}: it is not in the log, {instead}"
        if append.outcome == UNDONE and there:
            yield f"{tell.append(append, entry)}: it is in the log"


def _twice(history: History, log: _Log, tell: _Teller, *, whole: bool) -> Iterator[str]:
    """One commit in two places of a log, or of two appends; one that nobody asked for."""
    told: dict[tuple[int, int], tuple[Append, Entry]] = {}
    asked: set[tuple[int, int, str]] = set()
    for append, entry in _of_both(history):
        asked.add(entry[:3])
        if append.outcome != ACKNOWLEDGED:
            continue
        other = told.setdefault((entry.job, entry.seq), (append, entry))
        if other[0] is not append:
            yield f"{tell.append(append, entry)}: it was told before, {tell.append(*other)}"
    for entries in log.values():
        places: dict[str, Entry] = {}
        for entry in entries.values():
            first = places.setdefault(entry.digest, entry)
            if first is not entry:
                yield f"{entry} is in the log twice: it is {first} as well"
            elif whole and entry[:3] not in asked:
                yield f"{entry} is in the log, and nobody asked for it"


def _out_of_order(history: History, tell: _Teller) -> Iterator[str]:
    """An append that was asked for after another was acknowledged, and stands before it."""
    for moments, seqs, latest in _acknowledged(history).values():
        for append, entry in latest:
            before = bisect_left(moments, append.asked_ns) - 1
            if before >= 0 and seqs[before][0] >= entry.seq:
                other = seqs[before]
                yield (
                    f"{tell.append(append, entry)}: it stands before one that was acknowledged"
                    f" before it was asked for, {tell.append(other[1], other[2])}"
                )


_Until = list[tuple[int, Append, Entry]]


def _acknowledged(
    history: History,
) -> dict[int, tuple[list[int], _Until, list[tuple[Append, Entry]]]]:
    """By job: the moments of answers in order, the highest seq up to each, and all of them."""
    by_job: dict[int, list[tuple[Append, Entry]]] = {}
    for append, entry in _of_both(history):
        if append.outcome == ACKNOWLEDGED:
            by_job.setdefault(entry.job, []).append((append, entry))
    found = {}
    for job, those in by_job.items():
        moments: list[int] = []
        highest: _Until = []
        for append, entry in sorted(those, key=lambda one: one[0].answered_ns or 0):
            moments.append(append.answered_ns or 0)
            newest = (entry.seq, append, entry)
            highest.append(max(highest[-1], newest, key=lambda h: h[0]) if highest else newest)
        found[job] = moments, highest, those
    return found


def _stale(history: History, log: _Log, tell: _Teller) -> Iterator[str]:
    """A read of what is in no log, of less than was acknowledged or read before it was asked."""
    known = _acknowledged(history)
    answers = sorted(history.reads, key=lambda read: read.answered_ns)
    until: dict[int, tuple[list[int], list[Read]]] = {}
    for read in answers:
        moments, highest = until.setdefault(read.job, ([], []))
        moments.append(read.answered_ns)
        highest.append(max(highest[-1], read, key=lambda r: r.seq) if highest else read)
    for read in history.reads:
        found = log.get(read.job, {}).get(read.seq)
        if read.job in log and (found is None or found.digest != read.digest):
            yield f"{tell.read(read)}, which is not in the log as it saw it"
        if read.job in known:
            moments, seqs, _ = known[read.job]
            before = bisect_left(moments, read.asked_ns) - 1
            if before >= 0 and seqs[before][0] > read.seq:
                yield f"{tell.read(read)}; there was {tell.append(*seqs[before][1:])}"
        moments, highest = until[read.job]
        before = bisect_left(moments, read.asked_ns) - 1
        if before >= 0 and highest[before].seq > read.seq:
            yield f"{tell.read(read)}; before that, {tell.read(highest[before])}"


def _past_their_fence(history: History, log: _Log, tell: _Teller) -> Iterator[str]:
    """A fence that falls; a commit of one that was replaced, which is more than a refusal's trace.

    Whoever has had the job taken away may write there again once it holds it again.
    """
    made = {entry[:3]: (append, entry) for append, entry in _of_both(history)}
    for entries in log.values():
        fence, holder = 0, ""
        replaced: dict[str, str] = {}
        for _, entry in sorted(entries.items()):
            if entry.fence < fence:
                yield f"{entry} has fence {entry.fence}, and {fence} was given out before it"
            fence = max(fence, entry.fence)
            if entry[:3] not in made:
                continue
            append, asked = made[entry[:3]]
            if LEASE in entry.about:
                if holder:
                    replaced[holder] = append.actor
                replaced.pop(append.actor, None)
                holder = append.actor
            elif append.actor in replaced and entry.about != (REJECTED,):
                taker = replaced[append.actor]
                yield f"{tell.append(append, asked)}: {taker} had taken the job from it"
            if RELEASED in entry.about:
                holder = ""
