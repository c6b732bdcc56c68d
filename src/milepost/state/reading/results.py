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
from milepost.log.codec import chain_start, decode_body, decode_commit, decode_facts
from milepost.log.facts import Fact, ItemsFired, JobFired
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import Row, StoredJob
from milepost.machine import Values
from milepost.roles import EventField
from milepost.state.reading.locating import Located, Locator, Told, walk
from milepost.state.reading.meaning import Meaning, Part, absent, ends, fails_by, lost_cause, why
from milepost.stores.protocol import Rows
from milepost.text.wording import short_repr

__all__ = ["Failure", "Order", "ResultReader"]

_RESULTS_HELD: Final = 65_536

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
        self._meaning = Meaning(state)

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
        """The result of one item. Decodes one body.

        Raises ResultAbsent if it has none, RoleAbsent where its lifecycle has no results.
        """
        state = self._state
        machine = state.ledger_of(ordinal).machine
        if machine.roles.result is None:
            raise absent(state, machine, "result", "result_of()")
        located = self._locator.locate(self._reader, self._job, state)
        seq = located.seqs[ordinal]
        if not 0 < seq <= state.seq:
            key = state.inputs.key(ordinal)
            raise ResultAbsent(job_id=state.id, item=key, state=state.items.member(ordinal)[0])
        return self._results_in(located, seq, bitmap([ordinal]))[ordinal]

    def results(
        self, wanted: BitMap | None = None, order: Order = "items"
    ) -> Generator[tuple[int, Any]]:  # Any: JSON
        """Ordinal and result of every item that is done, of those `wanted`.

        An item that came to be done otherwise than by its own result event is left out: its owner
        sent the event, or another event leads there.

        In the order of items, what a body holds is kept until it has been given, up to 65,536
        results: a body is decoded again only if results were recorded further out of order than
        that. In the order of recording each body is decoded once, and nothing is kept. Raises
        RoleAbsent where no collection of the job has results.
        """
        self._state.require("result", "results()")
        members = self._state.done
        if wanted is not None:
            members = members & wanted
        if order == "recorded":
            yield from self._as_recorded(members)
            return
        located = self._locator.locate(self._reader, self._job, self._state)
        held: OrderedDict[int, dict[int, Any]] = OrderedDict()
        count = 0
        for ordinal in members:
            seq = located.seqs[ordinal]
            if not 0 < seq <= self._state.seq:  # done by a step that recorded no result
                continue
            if seq not in held:
                held[seq] = self._results_in(located, seq, members)
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
        cause that the lifecycle has for a lost executor. Of `members` only, if they are given.
        With `undecoded`, an attempt whose body needs a codec that is not at hand says so in its
        message. Raises CodecAbsent otherwise, RoleAbsent where no collection has failures.
        """
        self._state.require("failure", "failures()")
        found: dict[int, list[Failure]] = {}
        for told in self._commits():
            failing = [
                (index, part)
                for index, fact in enumerate(told.facts)
                if isinstance(fact, ItemsFired)
                for part in self._meaning.of_items(fact, told.version)
                if fails_by(part.roles, fact.event)
                and (members is None or members.intersect(bitmap(fact.ordinals)))
            ]
            if not failing:
                continue
            instead: dict[str, str] | None = None
            try:
                bodies = self._bodies(told)
            except CodecAbsent as error:
                if not undecoded:
                    raise
                bodies = [None] * len(told.facts)
                instead = {"message": f"(encoded by {error.codec})"}
            at = instant(told.row.at_us)
            for index, part in failing:
                fact = told.facts[index]
                assert isinstance(fact, ItemsFired)
                of_items = bodies[index] or [None] * len(fact.ordinals)
                for i in part.indexes:
                    ordinal = fact.ordinals[i]
                    if members is not None and ordinal not in members:
                        continue
                    payload = {
                        **(fact.payloads[i] if fact.payloads else {}),
                        **(of_items[i] or {}),
                    }
                    cause, message = why(part.roles, fact.event, payload)
                    if instead is not None and not message:
                        message = instead["message"]
                    failure = Failure(told.row.seq, cause, message, at)
                    found.setdefault(ordinal, []).append(failure)
        return found

    def causes(self) -> dict[int, str]:
        """Why the last attempt that ended without a result did, by ordinal, from the heads alone.

        An attempt that was under way when its executor was lost has the cause that the lifecycle
        has for that.
        """
        found: dict[int, str] = {}
        held: set[int] = set()
        for told in self._commits():
            for fact in told.facts:
                if isinstance(fact, ItemsFired):
                    for part in self._meaning.of_items(fact, told.version):
                        _note_items(fact, part, held, found)
                elif isinstance(fact, JobFired):
                    self._note_job(fact, told.version, held, found)
        return found

    def job_result(self) -> Any:  # Any: JSON
        """The newest result of the job: what its last phase gave.

        Raises ResultAbsent without one, RoleAbsent where the lifecycle has none.
        """
        if self._state.roles.result is None:
            raise absent(self._state, self._state.machine, "result", "result()")
        results: list[Any] = []
        for told in self._commits():
            result = self._meaning.of_job(told.version).result
            if result is None or not result.field:
                continue
            hit = [
                (i, fact)
                for i, fact in enumerate(told.facts)
                if isinstance(fact, JobFired) and fact.event == result.event
            ]
            if not hit:
                continue
            bodies = self._bodies(told) if told.row.body_digest else [None] * len(told.facts)
            results += [_value(result, fact.payload, bodies[i]) for i, fact in hit]
        if not results:
            raise ResultAbsent(job_id=self._state.id, item=None, state=self._state.phase)
        return results[-1]

    def job_result_after(self, seq: int) -> bool:
        """True if a result of the job was recorded after commit `seq`. One pass over the heads."""
        for told in self._commits() if self._state.roles.result is not None else ():
            result = self._meaning.of_job(told.version).result
            if result is None or told.row.seq <= seq:
                continue
            if any(_is_job(fact, result.event) for fact in told.facts):
                return True
        return False

    def _as_recorded(self, members: BitMap) -> Iterator[tuple[int, Any]]:
        for told in walk(self._reader, self._job, self._state, self._url, bodies=True):
            if any(self._has_results(fact, told.version) for fact in told.facts):
                yield from self._results_of(told, members).items()

    def _has_results(self, fact: Fact, version: str) -> bool:
        return isinstance(fact, ItemsFired) and any(
            part.roles.result is not None and part.roles.result.event == fact.event
            for part in self._meaning.of_items(fact, version)
        )

    def _results_in(self, located: Located, seq: int, members: BitMap) -> dict[int, Any]:
        row = self._whole(seq)
        facts = decode_facts(row, url=self._url, job_id=self._job.job_id)
        return self._results_of(Told(row, facts, located.version_of(seq)), members)

    def _results_of(self, told: Told, members: BitMap) -> dict[int, Any]:
        """The results of `members` that one commit holds."""
        found: dict[int, Any] = {}
        for fact, body in zip(told.facts, self._body(told.row, told.facts), strict=True):
            if not isinstance(fact, ItemsFired):
                continue
            for roles, indexes in self._meaning.of_items(fact, told.version):
                if roles.result is None or roles.result.event != fact.event:
                    continue
                for i in indexes:
                    if fact.ordinals[i] in members:
                        readable = fact.payloads[i] if fact.payloads else {}
                        opaque = None if body is None else body[i]
                        found[fact.ordinals[i]] = _value(roles.result, readable, opaque)
        return found

    def _bodies(self, told: Told) -> list[Any]:
        """The bodies of one commit, one a fact, None where a fact has none."""
        return self._body(self._whole(told.row.seq), told.facts)

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

    def _commits(self) -> Iterator[Told]:
        """The rows that the state stands on, with their facts, checked against the chain."""
        return walk(self._reader, self._job, self._state, self._url)

    def _note_job(
        self, fact: JobFired, version: str, held: set[int], found: dict[int, str]
    ) -> None:
        """Follow which events of the job take items out of the hands that they are in, and why."""
        roles = self._meaning.of_job(version)
        if roles.recover is not None and fact.event == roles.recover.event:
            if fact.payload.get(roles.recover.lost, True):
                for ordinal in held:
                    found[ordinal] = lost_cause(self._state.roles_of(ordinal))
            held.clear()
        elif fact.event == roles.cancel or fails_by(roles, fact.event):
            held.clear()


def _value(role: EventField, readable: Values, opaque: Values | None) -> Any:  # Any: JSON
    """The result that an event brought, from what guards may read of its payload or the rest.

    A role without a field has no value.
    """
    if not role.field:
        return None
    return readable[role.field] if role.field in readable else (opaque or {})[role.field]


def _is_job(fact: Fact, event: str) -> bool:
    return isinstance(fact, JobFired) and fact.event == event


def _note_items(fact: ItemsFired, part: Part, held: set[int], found: dict[int, str]) -> None:
    """Follow who is being worked on, and why attempts ended."""
    roles, indexes = part
    ordinals = [fact.ordinals[i] for i in indexes]
    if fact.event == roles.begin:
        held.update(ordinals)
        return
    if fact.event in ends(roles):
        held.difference_update(ordinals)
    if roles.failure is not None and fact.event == roles.failure.event:
        for i in indexes:
            payload = fact.payloads[i] if fact.payloads else {}
            found[fact.ordinals[i]] = str(payload.get(roles.failure.cause, ""))
    elif fact.event == roles.lost or (roles.crash and fact.event == roles.crash.event):
        found.update(dict.fromkeys(ordinals, lost_cause(roles)))
