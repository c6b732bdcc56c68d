"""Results and failures, read back from the bodies of the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from pyroaring import BitMap

from milepost.clock import instant
from milepost.codec import chain_start, decode_body, decode_commit, decode_facts
from milepost.errors import LogCorrupt
from milepost.facts import Fact, ItemsFired, JobFired
from milepost.inputs import Inputs
from milepost.items import bitmap
from milepost.job import JobState
from milepost.rows import Row, StoredJob
from milepost.state.persistence import Reader

__all__ = ["Failure", "ResultReader", "lineage"]

_BODIES_HELD: Final = 64
_LOST: Final = "executor_lost"
_ENDS: Final = frozenset({"succeed", "fail", "release", "interrupt", "skip"})
_LETS_GO: Final = frozenset({"fail", "cancel"})  # job events that take items from their executor


class Failure(NamedTuple):
    """How an attempt at an item ended without a result. Commit `seq`, written at `at`, says so."""

    seq: int
    cause: str
    message: str
    at: datetime


class ResultReader:
    """Reads what the items of one job left behind, as of one state of it.

    What a rewind undid is not there any more. Finding where results are takes one pass over the
    heads, which also checks the chain; a body is decoded, and checked, when a result in it is
    asked for, and few are held at a time.
    """

    def __init__(self, reader: Reader, job: StoredJob, state: JobState, url: str) -> None:
        self._reader = reader
        self._job = job
        self._state = state
        self._url = url
        self._bodies: OrderedDict[int, list[tuple[Fact, Any]]] = OrderedDict()

    @property
    def state(self) -> JobState:
        """The state as of which is read."""
        return self._state

    @property
    def inputs(self) -> Inputs:
        """The items that the ordinals are of."""
        return self._state.inputs

    def encoded(self, ordinal: int) -> bytes | None:
        """The result of one item as JSON, None if it has none."""
        seq = self._where().get(ordinal)
        return None if seq is None else msgspec.json.encode(self._result(seq, ordinal))

    def results(self) -> Iterator[tuple[int, Any]]:  # Any: JSON
        """Ordinal and result of every item that is done, in item order.

        Memory: one number an item, and a few decoded bodies.
        """
        where = self._where()
        for ordinal in self._state.items.members("done"):
            yield ordinal, self._result(where[ordinal], ordinal)

    def failures(self, members: BitMap | None = None) -> dict[int, list[Failure]]:
        """The failed attempts by ordinal, oldest first, of the items that had any.

        Of `members` only, if they are given.
        """
        found: dict[int, list[Failure]] = {}
        for row, facts in self._commits():
            failing = [f for f in facts if isinstance(f, ItemsFired) and f.event == "fail"]
            if not any(members is None or members.intersect(bitmap(f.ordinals)) for f in failing):
                continue
            for fact, body in self._pairs(row.seq):
                if isinstance(fact, ItemsFired) and fact.event == "fail":
                    readable = fact.payloads or [{}] * len(fact.ordinals)
                    opaque = body or [None] * len(fact.ordinals)
                    for ordinal, read, told in zip(fact.ordinals, readable, opaque, strict=True):
                        if members is not None and ordinal not in members:
                            continue
                        payload = {"cause": "", "message": "", **read, **(told or {})}
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
                    found.update(dict.fromkeys(held, _LOST))
                    held.clear()
                elif isinstance(fact, JobFired) and fact.event in _LETS_GO:
                    held.clear()
        return found

    def job_result(self) -> Any:  # Any: JSON
        """The newest `result` of a job event: what reduce gave. Raises KeyError without one."""
        results: list[Any] = []
        for row, facts in self._commits():
            if any(isinstance(fact, JobFired) for fact in facts) and row.body_digest:
                results += [
                    body["result"]
                    for fact, body in self._pairs(row.seq)
                    if isinstance(fact, JobFired) and body and "result" in body
                ]
        if not results:
            raise KeyError(self._state.id)
        return results[-1]

    def _where(self) -> dict[int, int]:
        """The commit that holds the result of each ordinal that has one."""
        found: dict[int, int] = {}
        for row, facts in self._commits():
            for fact in facts:
                if isinstance(fact, ItemsFired) and fact.event == "succeed":
                    found.update(dict.fromkeys(fact.ordinals, row.seq))
        return found

    def _result(self, seq: int, ordinal: int) -> Any:
        for fact, body in self._pairs(seq):
            if (
                isinstance(fact, ItemsFired)
                and fact.event == "succeed"
                and ordinal in fact.ordinals
            ):
                return body[fact.ordinals.index(ordinal)]["result"]
        raise KeyError(ordinal)

    def _pairs(self, seq: int) -> list[tuple[Fact, Any]]:
        """The facts of one commit with their bodies."""
        pairs = self._bodies.get(seq)
        if pairs is None:
            row = next(iter(self._reader.rows(self._job.number, seq - 1, seq, bodies=True)))
            facts = decode_facts(row, url=self._url, job_id=self._job.job_id)
            pairs = list(zip(facts, self._body(row, facts), strict=True))
            self._bodies[seq] = pairs
            if len(self._bodies) > _BODIES_HELD:
                self._bodies.popitem(last=False)
        return pairs

    def _body(self, row: Row, facts: tuple[Fact, ...]) -> list[Any]:
        body = decode_body(row, url=self._url, job_id=self._job.job_id)
        return body or [None] * len(facts)

    def _commits(self) -> Iterator[tuple[Row, tuple[Fact, ...]]]:
        """The rows that the state stands on, with their facts, checked against the chain."""
        for first, last in lineage(self._state):
            previous = chain_start(self._job.job_id)
            for before in self._reader.rows(self._job.number, first - 2, first - 1):
                previous = before.digest
            for row in self._reader.rows(self._job.number, first - 1, last):
                commit = decode_commit(
                    row, previous=previous, url=self._url, job_id=self._job.job_id
                )
                previous = row.digest
                yield row, commit.facts
            if last == self._state.seq and previous != self._state.digest:
                raise LogCorrupt(
                    url=self._url,
                    job_id=self._job.job_id,
                    seq=last,
                    problem="the log leads elsewhere than the state that was loaded",
                )


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
    elif fact.event == "interrupt":
        found.update(dict.fromkeys(fact.ordinals, _LOST))


def lineage(state: JobState) -> list[tuple[int, int]]:
    """The ranges of commits that the state stands on, oldest first: what no rewind has undone."""
    ranges: list[tuple[int, int]] = []
    last = state.seq
    for at, to in reversed(state.rewinds):
        if at <= last:
            ranges.append((at, last))
            last = to
    ranges.append((1, last))
    return ranges[::-1]
