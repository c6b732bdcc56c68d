"""Results and failures, read back from the bodies of the log."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import structs
from pyroaring import BitMap

from milepost.clock import instant
from milepost.errors import CodecAbsent, LogCorrupt, ResultAbsent, RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.again import redone
from milepost.job.state import JobState
from milepost.log.codec import (
    chain_start,
    decode_body,
    decode_commit,
    decode_facts,
    value_digest,
)
from milepost.log.facts import Fact, ItemsFired, JobFired
from milepost.log.payloads import PayloadCodec, digest_key
from milepost.log.rows import Row, StoredJob
from milepost.machine import Values
from milepost.roles import EventField, Roles
from milepost.state.reading.failures import Failure, details_of
from milepost.state.reading.followed import followed
from milepost.state.reading.hands import Hands
from milepost.state.reading.locating import Locator
from milepost.state.reading.meaning import Meaning, fails_by, lost_cause, why_of
from milepost.state.reading.spanned import Events, Told, Wanted, picked, walk
from milepost.state.reading.values import in_order, payloads_of, result_value
from milepost.stores.protocol import Rows
from milepost.text.commands import command
from milepost.text.wording import short_repr
from milepost.worker.beside import Stored

__all__ = ["Order", "Recorded", "RecordedResult", "ResultReader"]

Order: TypeAlias = Literal["items", "recorded"]
"""In which order results are given: that of the items, or that in which they were recorded."""


_DIED_BESIDE: Final = "its executor died while it ran"


class Recorded(NamedTuple):
    """A result as a commit has it: the value, and which commit that is, written when."""

    value: Any  # Any: JSON
    seq: int
    at_us: int


@short_repr
class RecordedResult(NamedTuple):
    """The result of an item, and how it came: commit `seq`, written at `at`, says so.

    `state` is where the item is, `attempts` how many it used up; None where nothing counts them.
    `stored` says where a result is that is kept beside the log.
    """

    key: str
    ordinal: int
    state: str
    attempts: int | None
    result: Any  # Any: JSON
    at: datetime
    seq: int
    stored: Stored | None = None


class ResultReader:
    """Reads what the items of one job left behind, as of one state of it that was committed.

    What a rewind undid is not there any more. Finding where results are takes the index of the log,
    and of what that and `locator` do not know yet a pass over the heads, which also checks the
    chain. A body is decoded, and checked, when a result in it is asked for.
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

    def digest(self, ordinal: int) -> str | None:
        """The digest of the result of one item, by which results are compared; None if it has none.

        Nothing is read for it of a result that is kept beside the log.
        """
        try:
            value = self.result(ordinal)
        except ResultAbsent:
            return None
        if isinstance(value, Stored):
            return value.digest
        return value_digest(msgspec.json.encode(value), digest_key(self._payloads))

    def result(self, ordinal: int) -> Any:  # Any: JSON
        """The result of one item, a Stored if it is kept beside the log. Decodes one body.

        Raises ResultAbsent if it has none, RoleAbsent where its lifecycle has no results.
        """
        state = self._state
        machine = state.ledger_of(ordinal).machine
        if machine.roles.result is None:
            raise RoleAbsent.at(state.lifecycle, machine, "result", "result_of()")
        seq, version = self._locator.place(self._reader, self._job, state, ordinal)
        if not seq:
            key = state.inputs.key(ordinal)
            stands = state.items.member(ordinal)[0]
            todo = _instead(state.id, stands, machine.roles)
            raise ResultAbsent(job_id=state.id, item=key, state=stands, todo=todo)
        return self._results_in(seq, version, bitmap([ordinal]))[ordinal].value

    def results(
        self, wanted: BitMap | None = None, order: Order = "items"
    ) -> Generator[tuple[int, Any]]:  # Any: JSON
        """Ordinal and result of every item that is done, of those `wanted`.

        A result that is kept beside the log is given as a Stored.

        An item that came to be done otherwise than by its own result event is left out: its owner
        sent the event, or another event leads there.

        In the order of items, what a body holds is kept until it has been given, up to 65,536
        results: a body is decoded again only if results were recorded further out of order than
        that. In the order of recording each body is decoded once, and nothing is kept. Raises
        RoleAbsent where no collection of the job has results.
        """
        for ordinal, recorded in self.recorded(wanted, order, "results()"):
            yield ordinal, recorded.value

    def recorded(
        self, wanted: BitMap | None, order: Order, needed_by: str
    ) -> Generator[tuple[int, Recorded]]:
        """As `results`, with the commit that each result is in; RoleAbsent says what needs it."""
        self._state.require("result", needed_by)
        members = self._state.done
        if wanted is not None:
            members = members & wanted
        if order == "recorded":
            yield from self._as_recorded(members)
            return
        located = self._locator.locate(self._reader, self._job, self._state)
        last = self._state.seq
        places = ((o, located.at(o, last)) for o in members)
        yield from in_order(
            places, lambda seq: self._results_in(seq, located.version_of(seq), members)
        )

    def failed(
        self, members: BitMap | None = None, *, deaths: bool = False, undecoded: bool = False
    ) -> Generator[tuple[int, Failure, bool]]:
        """Ordinal, failure and True of each failed attempt, as they were recorded.

        Executors that died of an item are among them, with the cause that the lifecycle has for a
        lost executor. With `deaths`, those that died while they had it come too, with False. Of
        `members` only, if they are given. With `undecoded`, an attempt whose body needs a codec
        that is not at hand says so in its message. Raises CodecAbsent otherwise, RoleAbsent where
        no collection has failures. Memory: one commit, and a bit an item.
        """
        self._state.require("failure", "failures()")
        wanted = self._failing_or_dying if deaths else self._failing
        for told in self._picked(wanted, None if deaths else members):
            if deaths and self._may_die(told):
                first = told.row.seq
                break
            yield from self._failed_in(told, members, undecoded=undecoded)
        else:
            return
        hands = Hands()
        for told in self._followed(hands):
            lost = self._lost_in(told, hands)
            if told.row.seq < first:
                continue  # nobody had died yet, and what failed was given above
            yield from self._failed_in(told, members, undecoded=undecoded)
            at = instant(told.row.at_us)
            for ordinal in lost if members is None else lost & members:
                cause = lost_cause(self._state.roles_of(ordinal))
                yield ordinal, Failure(told.row.seq, cause, _DIED_BESIDE, at), False

    def _lost_in(self, told: Told, hands: Hands) -> BitMap:
        """The items whose executor died by the facts of one commit, without blame on any."""
        lost = bitmap()
        for fact in told.facts:
            if isinstance(fact, ItemsFired):
                lost |= hands.items(fact, self._meaning.of_items(fact, told.version))
            elif isinstance(fact, JobFired):
                lost |= hands.job(fact, self._meaning.of_job(told.version))
        return lost

    def _failed_in(
        self, told: Told, members: BitMap | None, *, undecoded: bool
    ) -> Iterator[tuple[int, Failure, bool]]:
        """The failed attempts that one commit tells of."""
        failing = [
            (index, fact, roles)
            for index, fact in enumerate(told.facts)
            if isinstance(fact, ItemsFired)
            and fails_by(roles := self._meaning.of_items(fact, told.version), fact.event)
            and (members is None or members.intersect(bitmap(fact.ordinals)))
        ]
        if not failing:
            return
        instead = ""
        try:
            bodies = self._bodies(told, [index for index, _, _ in failing])
        except CodecAbsent as error:
            if not undecoded:
                raise
            bodies = [None] * len(told.facts)
            instead = f"(encoded by {error.codec})"
        at = instant(told.row.at_us)
        for index, fact, roles in failing:
            for ordinal, readable, opaque in payloads_of(fact, bodies[index]):
                if members is None or ordinal in members:
                    why = why_of(roles, fact.event, {**readable, **opaque})
                    message = why.message or instead
                    details = details_of(why.details)
                    told_by = told.row.seq, why.cause, message, at, why.kind, why.permanent, details
                    yield ordinal, Failure(*told_by), True

    def causes(self) -> dict[int, str]:
        """Why the last attempt that ended without a result did, by ordinal, from the heads alone.

        An attempt that was under way when its executor was lost has the cause that the lifecycle
        has for that.
        """
        found: dict[int, str] = {}
        hands = Hands()
        died = self._anybody_died()
        for told in self._followed(hands) if died else self._picked(self._failing):
            for fact in told.facts:
                lost = bitmap()
                if isinstance(fact, ItemsFired):
                    roles = self._meaning.of_items(fact, told.version)
                    lost = hands.items(fact, roles)
                    found.update(_causes_in(fact, roles))
                elif isinstance(fact, JobFired):
                    lost = hands.job(fact, self._meaning.of_job(told.version))
                for ordinal in lost:
                    found[ordinal] = lost_cause(self._state.roles_of(ordinal))
        return found

    def kinds(self) -> dict[int, str]:
        """The kind of the last attempt that ended without a result, by ordinal; `""` for none.

        The bodies in which attempts failed are decoded for it. Raises CodecAbsent.
        """
        return {ordinal: failure.kind for ordinal, failure, _ in self.failed(deaths=True)}

    def job_result(self) -> Any:  # Any: JSON
        """The newest result of the job: what its last phase gave.

        Raises ResultAbsent without one, RoleAbsent where the lifecycle has none.
        """
        if self._state.roles.result is None:
            raise RoleAbsent.at(self._state.lifecycle, self._state.machine, "result", "result()")
        results: list[Any] = []
        for told in self._picked(self._job_results):
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
            bodies = self._bodies(told, [index for index, _ in hit])
            results += [result_value(result, fact.payload, bodies[i] or {}) for i, fact in hit]
        if not results:
            raise ResultAbsent(job_id=self._state.id, item=None, state=self._state.phase)
        return results[-1]

    def job_result_after(self, seq: int) -> bool:
        """True if a result of the job was recorded after commit `seq`. One pass over the heads."""
        if self._state.roles.result is None:
            return False
        for told in self._picked(self._job_results):
            result = self._meaning.of_job(told.version).result
            if (
                result is not None
                and told.row.seq > seq
                and any(_is_job(fact, result.event) for fact in told.facts)
            ):
                return True
        return False

    def _as_recorded(self, members: BitMap) -> Iterator[tuple[int, Recorded]]:
        state = self._state
        again = redone(state)  # these alone may have had another result before
        located = self._locator.locate(self._reader, self._job, state) if again else None
        for told in walk(self._reader, self._job, state, self._url, bodies=True):
            for ordinal, result in self._results_of(told, members).items():
                if located and ordinal in again and located.at(ordinal, state.seq) != told.row.seq:
                    continue
                yield ordinal, result

    def _result_of(self, fact: Fact, version: str) -> EventField | None:
        """The role by which a fact gives items a result; None if it gives none."""
        if not isinstance(fact, ItemsFired):
            return None
        result = self._meaning.of_items(fact, version).result
        return result if result is not None and result.event == fact.event else None

    def _results_in(self, seq: int, version: str, members: BitMap) -> dict[int, Recorded]:
        row = self._whole(seq)
        facts = decode_facts(row, url=self._url, job_id=self._job.job_id)
        return self._results_of(Told(row, facts, version), members)

    def _results_of(self, told: Told, members: BitMap) -> dict[int, Recorded]:
        """The results of `members` that one commit holds, if any; its body is decoded then."""
        found: dict[int, Recorded] = {}
        seq, at_us = told.row.seq, told.row.at_us
        results = [self._result_of(fact, told.version) for fact in told.facts]
        bodies = self._body(told.row, told.facts) if any(results) else ()
        for fact, result, body in zip(told.facts, results, bodies, strict=False):
            if result is not None:
                assert isinstance(fact, ItemsFired), "no other has results"
                for ordinal, readable, opaque in payloads_of(fact, body):
                    if ordinal in members:
                        value = self._value(told, fact, result, readable, opaque)
                        found[ordinal] = Recorded(value, seq, at_us)
        return found

    def _value(
        self, told: Told, fact: ItemsFired, result: EventField, readable: Values, opaque: Values
    ) -> Any:
        stored = self._meaning.of_items(fact, told.version).stored
        try:
            return result_value(result, readable, opaque, stored)
        except ValueError as error:
            problem = f"what it says of a result that is kept beside it is none: {error}"
            raise LogCorrupt(
                url=self._url, job_id=self._job.job_id, seq=told.row.seq, problem=problem
            ) from error

    def _bodies(self, told: Told, wanted: Collection[int]) -> list[Any]:
        """The bodies of one commit whose place in the chain was checked, one a fact.

        None where a fact has none, or is not at one of the positions that are `wanted`.
        """
        row = told.row
        if not row.body_digest:
            return [None] * len(told.facts)
        for whole in self._reader.rows(self._job.number, row.seq - 1, row.seq, bodies=True):
            attested = structs.replace(whole, body_digest=row.body_digest)
            return self._body(attested, told.facts, wanted)
        raise self._missing(row.seq)

    def _whole(self, seq: int) -> Row:
        """One commit with its body, checked against the commit before it."""
        previous = chain_start(self._job.job_id)
        for before in self._reader.rows(self._job.number, seq - 2, seq - 1):
            previous = before.digest
        for row in self._reader.rows(self._job.number, seq - 1, seq, bodies=True):
            decode_commit(row, previous=previous, url=self._url, job_id=self._job.job_id)
            return row
        raise self._missing(seq)

    def _missing(self, seq: int) -> LogCorrupt:
        problem = "it was there and is missing"
        return LogCorrupt(url=self._url, job_id=self._job.job_id, seq=seq, problem=problem)

    def _body(
        self, row: Row, facts: tuple[Fact, ...], only: Collection[int] | None = None
    ) -> list[Any]:
        job_id = self._job.job_id
        body = decode_body(row, url=self._url, job_id=job_id, payloads=self._payloads, only=only)
        return body or [None] * len(facts)

    def _picked(self, wanted: Wanted, members: BitMap | None = None) -> Iterator[Told]:
        """The rows that the state stands on and that hold an event that is wanted, checked.

        With `members`, some in which none of these items took it may be left out.
        """
        where = self._reader, self._job, self._state, self._url
        spans = self._locator.spans(self._reader, self._job)
        return picked(*where, spans, wanted, members)

    def _failing(self, version: str) -> Events:
        """The events by which attempts at items are told to have failed."""
        every = self._meaning.of_all_items(version)
        named = [role.event for roles in every for role in (roles.failure, roles.crash) if role]
        return Events(items=frozenset(named))

    def _job_results(self, version: str) -> Events:
        result = self._meaning.of_job(version).result
        return Events(job=frozenset() if result is None else frozenset([result.event]))

    def _dying(self, version: str) -> Events:
        """The events that may tell of an executor that died while it had items."""
        every = self._meaning.of_all_items(version)
        recover = self._meaning.of_job(version).recover
        return Events(
            items=frozenset(roles.lost for roles in every if roles.lost),
            job=frozenset() if recover is None else frozenset([recover.event]),
        )

    def _failing_or_dying(self, version: str) -> Events:
        """The events of failures and of deaths."""
        failing, dying = self._failing(version), self._dying(version)
        return Events(failing.items | dying.items, failing.job | dying.job)

    def _anybody_died(self) -> bool:
        """True if an executor may have died while it had items: then they are to be followed."""
        return any(map(self._may_die, self._picked(self._dying)))

    def _may_die(self, told: Told) -> bool:
        """True if by one commit an executor may have died while it had items."""
        recover = self._meaning.of_job(told.version).recover
        for fact in told.facts:
            if isinstance(fact, ItemsFired) and self._dying(told.version).are_in([fact]):
                return True
            if recover is not None and isinstance(fact, JobFired):
                by = fact.event == recover.event
                if by and fact.payload.get(recover.lost, True):
                    return True
        return False

    def _followed(self, hands: Hands) -> Iterator[Told]:
        """The rows that tell of failures and deaths, and some others; `hands` are those before."""
        where = self._reader, self._job, self._state, self._url
        spans = self._locator.spans(self._reader, self._job)
        return followed(*where, spans, self._ending, self._meaning, hands)

    def _ending(self, version: str) -> Events:
        """The events of failures and deaths, and those by which a job has nothing in hands."""
        events, job = self._failing_or_dying(version), self._meaning.of_job(version)
        ends = [role.event for role in (job.failure, job.crash) if role]
        ends += [job.cancel] if job.cancel else []
        return Events(events.items, events.job | frozenset(ends))


def _is_job(fact: Fact, event: str) -> bool:
    return isinstance(fact, JobFired) and fact.event == event


def _causes_in(fact: ItemsFired, roles: Roles) -> Iterator[tuple[int, str]]:
    """Why the attempts failed that this fact tells of; none if it tells of no failure."""
    if roles.failure is not None and fact.event == roles.failure.event:
        cause = roles.failure.cause
        payloads = fact.payloads or [{}] * len(fact.ordinals)
        for ordinal, payload in zip(fact.ordinals, payloads, strict=True):
            yield ordinal, str(payload.get(cause, ""))
    elif roles.crash is not None and fact.event == roles.crash.event:
        yield from ((ordinal, lost_cause(roles)) for ordinal in fact.ordinals)


def _instead(job_id: str, state: str, roles: Roles) -> str:
    """What to do about an item without a result, where that is not to work on."""
    if state in roles.dead:
        dead, requeue = command("dead", job_id), command("requeue", job_id, "--apply")
        return f"`{dead}` shows what went wrong, and `{requeue}` tries again"
    if state in roles.skipped:
        history = command("history", job_id)
        return f"it was skipped, and gives none; `{history}` shows when and by whom"
    return ""
