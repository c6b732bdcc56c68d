"""Where results are: which commit holds the result of each item, found once and kept up to date."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import ClassVar, Final, NamedTuple, TypeAlias

from milepost.errors import StateError
from milepost.job.state import JobState
from milepost.log.facts import ItemsFired
from milepost.log.rows import StoredJob
from milepost.log.spans import SPAN, Span
from milepost.state.reading.meaning import Meaning
from milepost.state.reading.spanned import (
    Told,
    check_end,
    lineage,
    rows_of,
    spans_of,
    stretches,
    walk,
)
from milepost.stores.protocol import Rows

__all__ = ["Located", "Locator", "Place", "ResultsFar"]

_MOST_BYTES: Final = 64 * 1024 * 1024
_SEQ_BYTES: Final = 8
_NEAR: Final = 1_000
_LONG_TAIL: Final = 8 * SPAN
_OFTEN: Final = 64
"""After so many looks for one item of a job, all of them are located."""

_Key: TypeAlias = tuple[int, tuple[tuple[int, int], ...]]  # a job's number, and its rewinds


class ResultsFar(StateError):
    """Where the results of a job are is not known yet, and too far to look for under a lock.

    Nobody gets to see it: whoever asked for the write looks first, and asks again.
    """

    code: ClassVar[str] = ""

    def __str__(self) -> str:
        return "where the results of the job are is to be looked for first"


_Moved: TypeAlias = dict[int, tuple[int, ...]]
_Versions: TypeAlias = tuple[tuple[int, str], ...]  # from which commit on, by which version


class _Known(NamedTuple):
    """The places found in one job's log, as of its commit `seq`, whose digest is `digest`."""

    seqs: array[int]
    moved: _Moved
    seq: int
    digest: bytes
    versions: _Versions

    @property
    def version(self) -> str:
        """Of the lifecycle, at its end; empty where no commit was there, as in a damaged log."""
        return self.versions[-1][1] if self.versions else ""


@dataclass(slots=True)
class _Tail:
    """The results recorded after the commit `base`, up to commit `seq`, whose digest is `digest`.

    `found` has the commits of each item, in order: less than 0 where it has none from there on.
    `looks` counts how often one item was looked for.
    """

    base: int
    seq: int
    digest: bytes
    versions: _Versions
    found: dict[int, list[int]] = field(default_factory=dict)
    looks: int = 0


class Place(NamedTuple):
    """The commit that holds the result of an item, and the version that wrote it; 0 for none."""

    seq: int
    version: str


_NOWHERE: Final = Place(0, "")


class Located(NamedTuple):
    """The commits that hold the results of the items, as of any commit that was looked at.

    `seqs` has the first one of each ordinal, 0 for those that have none; `moved` has all that
    follows of those that were done again, in order: a commit with a result, or less than 0 one from
    which on there is none. `versions` says from which commit on the log was written by the version
    of which digest. Both grow while others read: what comes later is beyond what is asked for.
    """

    seqs: array[int]
    moved: Mapping[int, tuple[int, ...]]
    versions: _Versions

    def at(self, ordinal: int, seq: int) -> int:
        """The commit that holds the result of an item as of commit `seq`, 0 if it has none."""
        found = self.seqs[ordinal]
        if not 0 < found <= seq:
            return 0
        for later in self.moved.get(ordinal, ()):
            if abs(later) > seq:
                break
            found = max(later, 0)
        return found

    def version_of(self, seq: int) -> str:
        """The digest of the version that wrote the commit `seq`."""
        return _version_of(self.versions, seq)


class Locator:
    """Which commits hold results, of the jobs of one store that were asked for last. Thread-safe.

    One item is looked for in the spans of the log, newest first, and in what came after them. All
    are found by one pass over the spans, and the heads that they do not cover; later only by what
    was appended since. A rewind costs another pass. Memory: 8 bytes an item, 64 MB in all, some
    more for each item that was done again, and what was looked at of spans.
    """

    def __init__(self, url: str, *, most_bytes: int = _MOST_BYTES) -> None:
        self._url = url
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # never held during I/O
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._spans: OrderedDict[int, tuple[Span, ...]] = OrderedDict()
        self._tails: dict[int, _Tail] = {}

    def spans(self, rows: Rows, job: StoredJob) -> tuple[Span, ...]:
        """The spans of the job's log that can be believed, read once."""
        known = self._spans.get(job.number, ())
        spans = spans_of(rows, job, known)
        if spans == known:
            return spans
        with self._lock:
            self._spans[job.number] = spans
            self._spans.move_to_end(job.number)
            held = {number: sum(s.held_bytes for s in of) for number, of in self._spans.items()}
            while sum(held.values()) > self._most_bytes and len(self._spans) > 1:
                number, _ = self._spans.popitem(last=False)
                del held[number]
                self._tails.pop(number, None)
        return spans

    def place(self, rows: Rows, job: StoredJob, state: JobState, ordinal: int) -> Place:
        """Where the result of one item is, as of `state`, which was committed. Raises LogCorrupt.

        Cost: where the log has spans, a look into each, newest first, and what came after them at
        the first question; else as `locate`.
        """
        spans = self._spans_for(rows, job, state)
        tail = self._tail(rows, job, state, spans) if spans else None
        if tail is None or tail.looks >= _OFTEN:
            located = self.locate(rows, job, state)
            seq = located.at(ordinal, state.seq)
            return Place(seq, located.version_of(seq)) if seq else _NOWHERE
        tail.looks += 1
        for seq in reversed(tail.found.get(ordinal, ())):
            if abs(seq) <= state.seq:
                return Place(seq, _version_of(tail.versions, seq)) if seq > 0 else _NOWHERE
        meaning = Meaning(state)
        for span in reversed(spans):
            if span.last <= tail.base:
                found = self._newest_in(rows, job, span, meaning, ordinal)
                if found:
                    return Place(found, span.version_at(found)) if found > 0 else _NOWHERE
        return _NOWHERE

    def look(self, rows: Rows, job: StoredJob, state: JobState) -> None:
        """Find whatever `place` would need: its next answers for this state read a row or two."""
        spans = self._spans_for(rows, job, state)
        if not spans or self._tail(rows, job, state, spans).looks >= _OFTEN:
            self.locate(rows, job, state)
        meaning = Meaning(state)
        for span in spans:
            for event in _events(span, meaning) & span.columns.keys():
                span.columns[event].decode()

    def locate(self, rows: Rows, job: StoredJob, state: JobState) -> Located:
        """Where the result of each item is.

        `state` is one that was committed. What is told beyond its seq came later. Raises LogCorrupt
        where the chain does not hold.
        """
        key = (job.number, state.rewinds)
        known = self._usable(rows, job, key)
        meaning = Meaning(state)
        if known is None:
            known = self._begun(rows, job, state, meaning)
        found: list[tuple[int, list[int]]] = []
        after = (known.seq, known.version)
        for told in walk(rows, job, state, self._url, after=after):
            found += _results_by(told, meaning)
            known = _grown(known, told)
        with self._lock:
            _note(known, state.items.count, found)
            self._keep(key, known)
        return Located(known.seqs, known.moved, known.versions)

    def is_near(self, state: JobState) -> bool:
        """True if where results are is known, up to the last thousand commits before `state`."""
        with self._lock:
            known = self._known.get((state.number, state.rewinds))
            tail = None if state.rewinds else self._tails.get(state.number)
        by_tail = tail is not None and tail.looks < _OFTEN
        upto = max(known.seq if known else 0, tail.seq if tail and by_tail else 0)
        return state.seq - upto <= _NEAR

    def _begun(self, rows: Rows, job: StoredJob, state: JobState, meaning: Meaning) -> _Known:
        """All places as of `state`, for somebody who knows none: nobody else has them yet."""
        known = _Known(array("Q", bytes(_SEQ_BYTES * state.items.count)), {}, 0, b"", ())
        count = state.items.count
        version = ""
        for part in stretches(lineage(state), self.spans(rows, job)):
            if isinstance(part, Span) and not _takes_back(part, meaning):
                _note_span(known, part, meaning)
                versions = _joined(known.versions, part.versions)
                known = known._replace(seq=part.last, digest=part.chain, versions=versions)
            else:
                first, last = (part.first, part.last) if isinstance(part, Span) else part
                seqs, moved, seq, digest, versions = known
                for told in rows_of(rows, job, first, last, version, self._url, bodies=False):
                    _note(known, count, _results_by(told, meaning))
                    seq, digest = told.row.seq, told.row.digest
                    if told.version != version:
                        version = told.version
                        versions = _joined(versions, ((seq, version),))
                known = _Known(seqs, moved, seq, digest, versions)
            version = known.version
        check_end(state, job, known.seq, known.digest, self._url)
        return known

    def _spans_for(self, rows: Rows, job: StoredJob, state: JobState) -> tuple[Span, ...]:
        """The spans by which one item is looked for; none where all are located, or to be."""
        with self._lock:
            located = (job.number, state.rewinds) in self._known
        if located or state.rewinds:
            return ()
        return tuple(span for span in self.spans(rows, job) if span.last <= state.seq)

    def _tail(self, rows: Rows, job: StoredJob, state: JobState, spans: tuple[Span, ...]) -> _Tail:
        """The results after the spans, up to `state`: kept, and read on from where it ended."""
        with self._lock:
            tail = self._tails.get(job.number)
        ends = spans[-1]
        if (
            tail is None
            or tail.base > ends.last
            or ends.last - tail.base > _LONG_TAIL
            or not _is_there(rows, job, tail)
        ):
            tail = _Tail(ends.last, ends.last, ends.chain, ends.versions[-1:])
        seq, digest, versions = tail.seq, tail.digest, tail.versions
        meaning, found = Meaning(state), list[tuple[int, list[int]]]()
        for told in walk(rows, job, state, self._url, after=(seq, versions[-1][1])):
            found += _results_by(told, meaning)
            seq, digest = told.row.seq, told.row.digest
            versions = _joined(versions, ((seq, told.version),))
        with self._lock:
            for at, ordinals in found:
                for ordinal in ordinals if abs(at) > tail.seq else ():  # others may have been first
                    tail.found.setdefault(ordinal, []).append(at)
            if seq > tail.seq:
                tail.seq, tail.digest, tail.versions = seq, digest, versions
            self._tails[job.number] = tail
        return tail

    def _newest_in(
        self, rows: Rows, job: StoredJob, span: Span, meaning: Meaning, ordinal: int
    ) -> int:
        """The newest commit of a span that gives the item a result; less than 0 if it took it back.

        0 where it does neither.
        """
        given = taken = 0
        for event in _events(span, meaning) & span.columns.keys():
            for seq in span.columns[event].seqs_of(ordinal):
                gives = meaning.gives(ItemsFired(event, [ordinal], None), span.version_at(seq))
                if gives > 0:
                    given = max(given, seq)
                elif gives < 0:
                    taken = max(taken, seq)
        if given != taken or not given:
            return given if given > taken else -taken
        last = 0  # both in one commit: its facts say in which order
        for told in rows_of(
            rows, job, given, given, span.version_at(given), self._url, bodies=False
        ):
            for seq, ordinals in _results_by(told, meaning):
                last = seq if ordinal in ordinals else last
        return last

    def _usable(self, rows: Rows, job: StoredJob, key: _Key) -> _Known | None:
        """The places known of the job, if they fit the log that is read now."""
        with self._lock:
            known = self._known.get(key)
        return known if known is not None and _is_there(rows, job, known) else None

    def _keep(self, key: _Key, known: _Known) -> None:
        kept = self._known.get(key)
        if kept is None or kept.seqs is not known.seqs or kept.seq < known.seq:
            self._known[key] = known
        self._known.move_to_end(key)
        size_bytes = sum(len(each.seqs) for each in self._known.values()) * _SEQ_BYTES
        while size_bytes > self._most_bytes and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            size_bytes -= len(dropped.seqs) * _SEQ_BYTES


def _is_there(rows: Rows, job: StoredJob, known: _Known | _Tail) -> bool:
    """True if the log that is read now has the commit that `known` is of."""
    found = list(rows.rows(job.number, known.seq - 1, known.seq))
    return bool(found) and found[0].digest == known.digest


def _version_of(versions: _Versions, seq: int) -> str:
    return versions[bisect_right(versions, seq, key=itemgetter(0)) - 1][1]


def _joined(versions: _Versions, more: Iterable[tuple[int, str]]) -> _Versions:
    for seq, version in more:
        if not versions or versions[-1][1] != version:
            versions = (*versions, (seq, version))
    return versions


def _grown(known: _Known, told: Told) -> _Known:
    row = told.row
    versions = _joined(known.versions, ((row.seq, told.version),))
    return _Known(known.seqs, known.moved, row.seq, row.digest, versions)


def _events(span: Span, meaning: Meaning) -> frozenset[str]:
    """The events by which items get a result or have it taken back, under the span's versions."""
    every = (meaning.recording(version) for _, version in span.versions)
    return frozenset().union(*(gives | takes for gives, takes in every))


def _takes_back(span: Span, meaning: Meaning) -> bool:
    """True if in the span a result may have been taken back."""
    return any(
        not meaning.recording(version)[1].isdisjoint(span.columns) for _, version in span.versions
    )


def _results_by(told: Told, meaning: Meaning) -> Iterator[tuple[int, list[int]]]:
    """The seq of this row with the ordinals that have a result by it, less than 0 if none more."""
    for fact in told.facts:
        if isinstance(fact, ItemsFired):
            gives = meaning.gives(fact, told.version)
            if gives:
                yield told.row.seq * gives, fact.ordinals


def _note_span(known: _Known, span: Span, meaning: Meaning) -> None:
    """Take in a span in which no result was taken back, after what is before it."""
    several = len(span.versions) > 1
    for event in _events(span, meaning) & span.columns.keys():
        for ordinal, seq in span.columns[event].entries():
            if several or not meaning.is_single:
                fact = ItemsFired(event, [ordinal], None)
                if meaning.gives(fact, span.version_at(seq)) <= 0:
                    continue
            if known.seqs[ordinal]:
                _note_one(known, ordinal, seq)
            else:
                known.seqs[ordinal] = seq


def _note(known: _Known, count: int, found: Iterable[tuple[int, list[int]]]) -> None:
    """Take in what was found, in the order of the log. Done twice it is as if done once."""
    seqs = known.seqs
    if len(seqs) < count:
        seqs.frombytes(bytes(_SEQ_BYTES * (count - len(seqs))))
    for seq, ordinals in found:
        for ordinal in ordinals:
            if seq > 0 and not seqs[ordinal]:
                seqs[ordinal] = seq
            else:
                _note_one(known, ordinal, seq)


def _note_one(known: _Known, ordinal: int, seq: int) -> None:
    seqs, moved = known.seqs, known.moved
    first = seqs[ordinal]
    if not first and seq > 0:
        seqs[ordinal] = seq
    elif first and seq != first:  # it was done before; what others noted meanwhile stays
        others = (one for one in moved.get(ordinal, ()) if abs(one) != abs(seq))
        moved[ordinal] = tuple(sorted((*others, seq), key=abs))
