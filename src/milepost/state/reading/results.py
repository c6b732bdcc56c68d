"""Results and failures, read back from the bodies of the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from pyroaring import BitMap

from milepost.clock import instant
from milepost.errors import CodecAbsent, LogCorrupt, ResultAbsent
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.job.suspects import EXECUTOR_LOST
from milepost.log.codec import chain_start, decode_body, decode_commit, decode_facts
from milepost.log.facts import Fact, ItemsFired, JobFired
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import Row, StoredJob
from milepost.state.persistence import Rows
from milepost.state.reading.locating import Locator, walk
from milepost.text.wording import short_repr

__all__ = ["Failure", "Order", "ResultReader"]

_RESULTS_HELD: Final = 65_536
_ENDS: Final = frozenset({"succeed", "fail", "release", "interrupt", "crash", "skip"})
_FAILING: Final = frozenset({"fail", "crash"})
_LETS_GO: Final = frozenset({"fail", "cancel"})  # job events that take items from their executor

Order: TypeAlias = Literal["items", "recorded"]
"""In which order results are given: that of the items, or that in which they were recorded."""


@short_repr
class Failure(NamedTuple):
    """How an attempt at an item ended without a result. Commit `seq`, written at `at`, says so."""

    seq: int
    cause: str
    message: str
    at: datetime


class ResultReader:
    """Reads what the items of one job left behind, as of one state of it that was committed.

    What a rewind undid is not there any more. Finding where results are takes a pass over the
    heads, which also checks the chain, of what `locator` does not know yet. A body is decoded, and
    checked, when a result in it is asked for.
    """

    def __init__(
        self,
        reader: Rows,
        job: StoredJob,
        state: JobState,
        url: str,
        payloads: PayloadCodec | None = None,
        locator: Locator | None = None,
    ) -> None:
        self._payloads = payloads
        self._reader = reader
        self._job = job
        self._state = state
        self._url = url
        self._locator = locator or Locator(url)

    @property
    def state(self) -> JobState:
        """The state as of which is read."""
        return self._state

    def encoded(self, ordinal: int) -> bytes | None:
        """The result of one item as JSON, None if it has none."""
        try:
            return msgspec.json.encode(self.result(ordinal))
        except ResultAbsent:
            return None

    def result(self, ordinal: int) -> Any:  # Any: JSON
        """The result of one item. Raises ResultAbsent if it has none. Decodes one body."""
        seqs = self._locator.seqs(self._reader, self._job, self._state)
        seq = seqs[ordinal] if 0 <= ordinal < self._state.items.count else 0
        if not 0 < seq <= self._state.seq:
            state, key = self._state.items.member(ordinal)[0], self._state.inputs.key(ordinal)
            raise ResultAbsent(job_id=self._state.id, item=key, state=state)
        return self._results_in(seq, bitmap([ordinal]))[ordinal]

    def results(
        self, wanted: BitMap | None = None, order: Order = "items"
    ) -> Generator[tuple[int, Any]]:  # Any: JSON
        """Ordinal and result of every item that is done, of those `wanted`.

        In the order of items, what a body holds is kept until it has been given, up to 65,536
        results: a body is decoded again only if results were recorded further out of order than
        that. In the order of recording each body is decoded once, and nothing is kept.
        """
        members = self._state.items.members("done")
        if wanted is not None:
            members = members & wanted
        if order == "recorded":
            yield from self._as_recorded(members)
            return
        seqs = self._locator.seqs(self._reader, self._job, self._state)
        held: OrderedDict[int, dict[int, Any]] = OrderedDict()
        count = 0
        for ordinal in members:
            seq = seqs[ordinal]
            if seq not in held:
                held[seq] = self._results_in(seq, members)
                count += len(held[seq])
                while count > _RESULTS_HELD and len(held) > 1:
                    count -= len(held.popitem(last=False)[1])
            yield ordinal, held[seq].pop(ordinal)
            count -= 1
            if not held[seq]:
                del held[seq]

    def failures(
        self, members: BitMap | None = None, *, undecoded: bool = False
    ) -> dict[int, list[Failure]]:
        """The failed attempts by ordinal, oldest first, of the items that had any.

        The deaths of executors that an item is held to be to blame for are among them, with the
        cause `executor_lost`.
        Of `members` only, if they are given. With `undecoded`, an attempt whose body needs a
        codec that is not at hand says so in its message. Raises CodecAbsent otherwise.
        """
        found: dict[int, list[Failure]] = {}
        for row, facts in self._commits():
            failing = [f for f in facts if isinstance(f, ItemsFired) and f.event in _FAILING]
            if not any(members is None or members.intersect(bitmap(f.ordinals)) for f in failing):
                continue
            told_instead: dict[str, str] = {}
            try:
                pairs = self._pairs(row.seq)
            except CodecAbsent as error:
                if not undecoded:
                    raise
                pairs = [(fact, None) for fact in facts]
                told_instead = {"message": f"(encoded by {error.codec})"}
            for fact, body in pairs:
                if isinstance(fact, ItemsFired) and fact.event in _FAILING:
                    readable = fact.payloads or [{}] * len(fact.ordinals)
                    opaque = body or [None] * len(fact.ordinals)
                    for ordinal, read, told in zip(fact.ordinals, readable, opaque, strict=True):
                        if members is not None and ordinal not in members:
                            continue
                        payload = {**_untold(fact), **read, **(told or told_instead)}
                        failure = Failure(
                            row.seq, payload["cause"], payload["message"], instant(row.at_us)
                        )
                        found.setdefault(ordinal, []).append(failure)
        return found

    def causes(self) -> dict[int, str]:
        """Why the last attempt that ended without a result did, by ordinal, from the heads alone.

        An attempt that was under way when its executor was lost has the cause `executor_lost`.
        """
        found: dict[int, str] = {}
        held: set[int] = set()
        for _, facts in self._commits():
            for fact in facts:
                if isinstance(fact, ItemsFired):
                    _note_items(fact, held, found)
                elif isinstance(fact, JobFired) and fact.event == "recover":
                    if fact.payload.get("lost", True):
                        found.update(dict.fromkeys(held, EXECUTOR_LOST))
                    held.clear()
                elif isinstance(fact, JobFired) and fact.event in _LETS_GO:
                    held.clear()
        return found

    def job_result(self) -> Any:  # Any: JSON
        """The newest `result` of a job event: what reduce gave. Raises ResultAbsent without one."""
        results: list[Any] = []
        for row, facts in self._commits():
            if any(isinstance(fact, JobFired) for fact in facts) and row.body_digest:
                results += [
                    body["result"]
                    for fact, body in self._pairs(row.seq)
                    if isinstance(fact, JobFired) and body and "result" in body
                ]
        if not results:
            raise ResultAbsent(job_id=self._state.id, item=None, state=self._state.phase)
        return results[-1]

    def _as_recorded(self, members: BitMap) -> Iterator[tuple[int, Any]]:
        for row, facts in walk(self._reader, self._job, self._state, self._url, bodies=True):
            if any(isinstance(fact, ItemsFired) and fact.event == "succeed" for fact in facts):
                yield from self._results_of(row, facts, members).items()

    def _results_in(self, seq: int, members: BitMap) -> dict[int, Any]:
        row, facts = self._row(seq)
        return self._results_of(row, facts, members)

    def _results_of(self, row: Row, facts: tuple[Fact, ...], members: BitMap) -> dict[int, Any]:
        """The results of `members` that one commit holds."""
        found: dict[int, Any] = {}
        for fact, body in zip(facts, self._body(row, facts), strict=True):
            if isinstance(fact, ItemsFired) and fact.event == "succeed":
                for ordinal, each in zip(fact.ordinals, body, strict=True):
                    if ordinal in members:
                        found[ordinal] = each["result"]
        return found

    def _pairs(self, seq: int) -> list[tuple[Fact, Any]]:
        """The facts of one commit with their bodies."""
        row, facts = self._row(seq)
        return list(zip(facts, self._body(row, facts), strict=True))

    def _row(self, seq: int) -> tuple[Row, tuple[Fact, ...]]:
        row = self._whole(seq)
        return row, decode_facts(row, url=self._url, job_id=self._job.job_id)

    def _whole(self, seq: int) -> Row:
        """One commit with its body, checked against the commit before it."""
        previous = chain_start(self._job.job_id)
        for before in self._reader.rows(self._job.number, seq - 2, seq - 1):
            previous = before.digest
        for row in self._reader.rows(self._job.number, seq - 1, seq, bodies=True):
            decode_commit(row, previous=previous, url=self._url, job_id=self._job.job_id)
            return row
        raise LogCorrupt(
            url=self._url, job_id=self._job.job_id, seq=seq, problem="it was there and is missing"
        )

    def _body(self, row: Row, facts: tuple[Fact, ...]) -> list[Any]:
        body = decode_body(row, url=self._url, job_id=self._job.job_id, payloads=self._payloads)
        return body or [None] * len(facts)

    def _commits(self) -> Iterator[tuple[Row, tuple[Fact, ...]]]:
        """The rows that the state stands on, with their facts, checked against the chain."""
        return walk(self._reader, self._job, self._state, self._url)


def _untold(fact: ItemsFired) -> dict[str, str]:
    """What a failure says where its payload does not."""
    return {"cause": EXECUTOR_LOST if fact.event == "crash" else "", "message": ""}


def _note_items(fact: ItemsFired, held: set[int], found: dict[int, str]) -> None:
    """Follow who is being worked on, and why attempts ended."""
    if fact.event == "start":
        held.update(fact.ordinals)
        return
    if fact.event in _ENDS:
        held.difference_update(fact.ordinals)
    if fact.event == "fail":
        payloads = fact.payloads or [{}] * len(fact.ordinals)
        found.update(
            (o, str(p.get("cause", ""))) for o, p in zip(fact.ordinals, payloads, strict=True)
        )
    elif fact.event in {"interrupt", "crash"}:
        found.update(dict.fromkeys(fact.ordinals, EXECUTOR_LOST))
