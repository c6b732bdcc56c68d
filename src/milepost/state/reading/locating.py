"""Where results are: which commit holds the result of each item, found once and kept up to date."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import ClassVar, Final, NamedTuple, Protocol, TypeAlias

from milepost.errors import LogCorrupt, StateError
from milepost.job.state import JobState
from milepost.log.codec import chain_start, decode_commit
from milepost.log.facts import Fact, ItemsFired
from milepost.log.rows import Row, StoredJob
from milepost.state.reading.loading import Reached
from milepost.state.reading.meaning import Meaning, version_after
from milepost.stores.protocol import Rows

__all__ = ["Located", "Locator", "ResultsFar", "Stands", "Told", "lineage", "walk"]

_MOST_BYTES: Final = 64 * 1024 * 1024
_SEQ_BYTES: Final = 8
_NEAR: Final = 1_000

_Key: TypeAlias = tuple[int, tuple[tuple[int, int], ...]]  # a job's number, and its rewinds


class ResultsFar(StateError):
    """Where the results of a job are is not known yet, and too far to look for under a lock.

    Nobody gets to see it: whoever asked for the write looks first, and asks again.
    """

    code: ClassVar[str] = ""

    def __str__(self) -> str:
        return "where the results of the job are is to be looked for first"


class Stands(Reached, Protocol):
    """What stands on the commits of a log, without those that rewinds have undone."""

    @property
    def rewinds(self) -> tuple[tuple[int, int], ...]:
        """At which commit, back to which."""
        ...


_Moved: TypeAlias = dict[int, tuple[int, ...]]


class _Known(NamedTuple):
    """The places found in one job's log, as of its commit `seq`, whose digest is `digest`."""

    seqs: array[int]
    moved: _Moved
    seq: int
    digest: bytes
    versions: tuple[tuple[int, str], ...]  # from which commit on, by which version


class Located(NamedTuple):
    """The commits that hold the results of the items, as of any commit that was looked at.

    `seqs` has the first one of each ordinal, 0 for those that have none; `moved` has all that
    follows of those that were done again, in order: a commit with a result, or less than 0 one from
    which on there is none. `versions` says from which commit on the log was written by the version
    of which digest. Both grow while others read: what comes later is beyond what is asked for.
    """

    seqs: array[int]
    moved: Mapping[int, tuple[int, ...]]
    versions: tuple[tuple[int, str], ...]

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
        return self.versions[bisect_right(self.versions, seq, key=itemgetter(0)) - 1][1]


class Told(NamedTuple):
    """A row of the log with its facts, which the version of that digest wrote."""

    row: Row
    facts: tuple[Fact, ...]
    version: str


class Locator:
    """Which commits hold results, of the jobs of one store that were asked for last. Thread-safe.

    The first question about a job costs a pass over its heads, the next only what was appended
    since; a rewind costs another pass. Memory: 8 bytes an item, 64 MB in all, and some more for
    each item that was done again.
    """

    def __init__(self, url: str, *, most_bytes: int = _MOST_BYTES) -> None:
        self._url = url
        self._most_bytes = most_bytes
        self._lock = threading.Lock()  # never held during I/O
        self._known: OrderedDict[_Key, _Known] = OrderedDict()

    def locate(self, reader: Rows, job: StoredJob, state: JobState) -> Located:
        """Where the result of each item is.

        `state` is one that was committed. What is told beyond its seq came later. Raises LogCorrupt
        where the chain does not hold.
        """
        key = (job.number, state.rewinds)
        known = self._usable(reader, job, key)
        if known is None:
            known = _Known(array("Q"), {}, 0, b"", ())
        seqs, moved, fresh = known.seqs, known.moved, known.seq == 0
        meaning = Meaning(state)
        found: list[tuple[int, list[int]]] = []
        for told in walk(reader, job, state, self._url, after=known):
            row = told.row
            found += _results_by(told, meaning)
            versions = known.versions
            if not versions or versions[-1][1] != told.version:
                versions = (*versions, (row.seq, told.version))
            known = _Known(seqs, moved, row.seq, row.digest, versions)
            if fresh and len(found) > 1000:  # nobody else has this array yet
                _note(known, state.items.count, found)
                found = []
        with self._lock:
            _note(known, state.items.count, found)
            self._keep(key, known)
        return Located(seqs, moved, known.versions)

    def is_near(self, state: JobState) -> bool:
        """True if where results are is known, up to the last thousand commits before `state`."""
        with self._lock:
            known = self._known.get((state.number, state.rewinds))
        return state.seq - (known.seq if known is not None else 0) <= _NEAR

    def _usable(self, reader: Rows, job: StoredJob, key: _Key) -> _Known | None:
        """The places known of the job, if they fit the log that is read now."""
        with self._lock:
            known = self._known.get(key)
        if known is None:
            return None
        rows = list(reader.rows(job.number, known.seq - 1, known.seq))
        return known if rows and rows[0].digest == known.digest else None

    def _keep(self, key: _Key, known: _Known) -> None:
        kept = self._known.get(key)
        if kept is None or kept.seqs is not known.seqs or kept.seq < known.seq:
            self._known[key] = known
        self._known.move_to_end(key)
        size_bytes = sum(len(each.seqs) for each in self._known.values()) * _SEQ_BYTES
        while size_bytes > self._most_bytes and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            size_bytes -= len(dropped.seqs) * _SEQ_BYTES


def walk(
    reader: Rows,
    job: StoredJob,
    state: Stands,
    url: str,
    *,
    after: _Known | None = None,
    bodies: bool = False,
) -> Iterator[Told]:
    """The rows that `state` stands on, with their facts, checked against the chain.

    With `after`, those after its seq, which has the same rewinds behind it.
    """
    ranges, version = lineage(state), ""
    if after is not None and after.seq:
        ranges = [(after.seq + 1, state.seq)] if after.seq < state.seq else []
        version = after.versions[-1][1]
    for first, last in ranges:
        previous = chain_start(job.job_id)
        for before in reader.rows(job.number, first - 2, first - 1) if first > 1 else ():
            previous = before.digest
        for row in reader.rows(job.number, first - 1, last, bodies=bodies):
            commit = decode_commit(row, previous=previous, url=url, job_id=job.job_id)
            previous = row.digest
            version = version_after(commit.facts, version)
            yield Told(row, commit.facts, version)
        if last == state.seq and previous != state.digest:
            raise LogCorrupt(
                url=url,
                job_id=job.job_id,
                seq=last,
                problem="the log leads elsewhere than the state that was loaded",
            )


def lineage(state: Stands) -> list[tuple[int, int]]:
    """The ranges of commits that the state stands on, oldest first: what no rewind has undone."""
    ranges: list[tuple[int, int]] = []
    last = state.seq
    for at, to in reversed(state.rewinds):
        if at <= last:
            ranges.append((at, last))
            last = to
    ranges.append((1, last))
    return ranges[::-1]


def _results_by(told: Told, meaning: Meaning) -> Iterator[tuple[int, list[int]]]:
    """The seq of this row with the ordinals that have a result by it, less than 0 if none more."""
    for fact in told.facts:
        if isinstance(fact, ItemsFired):
            roles = meaning.of_items(fact, told.version)
            if roles.result is not None and fact.event == roles.result.event:
                yield told.row.seq, fact.ordinals
            elif roles.redo is not None and fact.event == roles.redo.event:
                yield -told.row.seq, fact.ordinals


def _note(known: _Known, count: int, found: list[tuple[int, list[int]]]) -> None:
    """Take in what was found, in the order of the log. Done twice it is as if done once."""
    seqs, moved = known.seqs, known.moved
    if len(seqs) < count:
        seqs.frombytes(bytes(_SEQ_BYTES * (count - len(seqs))))
    for seq, ordinals in found:
        for ordinal in ordinals:
            first = seqs[ordinal]
            if not first and seq > 0:
                seqs[ordinal] = seq
            elif first and seq != first:  # it was done before; what others noted meanwhile stays
                others = (one for one in moved.get(ordinal, ()) if abs(one) != abs(seq))
                moved[ordinal] = tuple(sorted((*others, seq), key=abs))
