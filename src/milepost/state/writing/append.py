"""Appending to logs: decide and write as one atomic act, for all that wait at once.

Threads that come while a commit is under way queue up; the first of them then leads: it takes the
store's write lock once, decides everybody's request in order and writes one commit a job, so that
one fsync serves all. No thread is kept for it. Source: group commit, DeWitt et al., 1984.

Requests that are alike are decided as one, and one by one only if that is refused. What this
appender wrote last is not read again while the store's mark says that nobody wrote since.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

import msgspec
from msgspec import structs

from milepost.errors import (
    CommitUnknown,
    ItemAbsent,
    MilepostError,
    StateError,
    StoreError,
    StoreForked,
    ValueInvalid,
)
from milepost.job.invariants import decided
from milepost.job.state import JobState, changed
from milepost.job.upgrade import migration
from milepost.log.codec import encode_row
from milepost.log.facts import Draft, event_count
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import Row, StoredJob
from milepost.process.forks import PROCESS, here
from milepost.state.limits import Limits, check_commit
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.writing.decision import Decision, Joinable, Moment, RefusedWithRecord
from milepost.state.writing.describing import describe
from milepost.state.writing.group_commit import Line, Place
from milepost.state.writing.observing import Observer
from milepost.stores.protocol import Moved, Writer
from milepost.text.escapes import printable

__all__ = ["Appender"]

_log: Final = logging.getLogger("milepost.store")


class _Ticket(msgspec.Struct, eq=False):
    """One request, and its answer once it was served."""

    job_id: str
    decision: Decision
    state: JobState | None = None
    error: MilepostError | None = None
    drafts: Sequence[Draft] = ()

    @property
    def is_answered(self) -> bool:
        """True if it has a state or an error."""
        return self.state is not None or self.error is not None

    def forget(self) -> None:
        """Have no answer any more: nothing came of it."""
        self.state, self.error, self.drafts = None, None, ()

    @property
    def answer(self) -> JobState | MilepostError:
        """The outcome of the request."""
        if self.error is not None:
            return self.error
        assert self.state is not None, "a ticket that was served has a state or an error"
        return self.state


@dataclass(slots=True, eq=False)
class _Asking(Place):
    """One thread in the line, with all that it asks for at once."""

    tickets: list[_Ticket]


class _Attempt(msgspec.Struct, frozen=True, eq=False):
    """One transaction that is under way: for whom, and the rows that it has so far."""

    tickets: list[_Ticket]
    written: list[tuple[StoredJob, JobState]]


class Appender:
    """Appends to the logs of one store, and keeps the newest state of the jobs it met."""

    def __init__(
        self, loader: Loader, observer: Observer, limits: Limits, *, remembered: int = 256
    ) -> None:
        self._loader = loader
        self._observer = observer
        self._limits = limits
        self._remembered = remembered
        self._here = here()
        self._line = Line(self._serve)
        self._lock = threading.RLock()  # of what is known; never held during I/O
        self._known: OrderedDict[str, JobState] = OrderedDict()
        # The leader's alone: what is newest while the store has the mark that was left with it.
        self._newest: dict[str, tuple[StoredJob, JobState]] = {}
        self._mark: int | None = None
        self._attempt: _Attempt | None = None  # the leader's too: what is not known to have ended

    def append(self, job_id: str, decision: Decision) -> JobState:
        """Decide under the write lock and append; the state of which the facts are a durable part.

        A decision that gives no facts writes nothing. Raises what the decision raises, what
        `invariants.decided` raises for its facts, and the store's errors; then nothing was
        appended but what a RefusedWithRecord asked for.
        """
        if self._here is not PROCESS.token:  # whoever led the line when we forked is not here
            raise StoreForked(url=self._loader.store.url)
        ticket = _Ticket(job_id, decision)
        self._line.stand(_Asking([ticket]))
        if ticket.error is not None:
            raise ticket.error
        assert ticket.state is not None, "a ticket that was served has a state or an error"
        return ticket.state

    def append_each(
        self, requests: Iterable[tuple[str, Decision]]
    ) -> list[JobState | MilepostError]:
        """As if each of `requests` was appended by a thread of its own, in order: what they give.

        Those of one job are one commit. Raises nothing for what any of them is refused for.
        """
        tickets = [_Ticket(job_id, decision) for job_id, decision in requests]
        if self._here is not PROCESS.token:  # as above
            return [StoreForked(url=self._loader.store.url) for _ in tickets]
        if tickets:
            self._line.stand(_Asking(tickets))
        return [ticket.answer for ticket in tickets]

    def known(self, job_id: str) -> JobState | None:
        """The newest state that this appender has seen of the job; others may have moved it on."""
        return self._known.get(job_id)

    def remember(self, state: JobState) -> None:
        """Keep a state that was loaded, unless a newer one is kept already."""
        with self._lock:
            kept = self._known.get(state.id)
            if kept is None or (kept.number, kept.seq) < (state.number, state.seq):
                self._known[state.id] = state
            self._known.move_to_end(state.id)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """Drop what is kept of the job: the next look reads the store."""
        with self._lock:
            self._known.pop(job_id, None)

    def _serve(self, places: list[_Asking]) -> None:
        """One commit for all that they ask for; each ticket is left with an answer of its own."""
        tickets = places[0].tickets
        if len(places) > 1:
            tickets = [ticket for place in places for ticket in place.tickets]
        metrics = self._loader.metrics
        began_s = metrics.began()
        try:
            self._write(tickets)
            if began_s is not None:
                metrics.served(began_s, tickets)
        except BaseException:  # an interrupt in the thread that leads: it is that thread's alone
            while True:
                try:
                    self._resolve(places)
                    break
                except KeyboardInterrupt:
                    continue
            raise

    def _write(self, tickets: list[_Ticket]) -> None:
        """One transaction; if a row in it cannot be stored, one for each ticket."""
        by_job: dict[str, list[_Ticket]] = {}
        for ticket in tickets:
            by_job.setdefault(ticket.job_id, []).append(ticket)
        written: list[tuple[StoredJob, JobState]] = []
        self._attempt = _Attempt(tickets, written)
        mark, self._mark = self._mark, None
        try:
            with self._loader.store.appending(*by_job) as writer:
                if writer.mark != mark or len(self._newest) > self._remembered:
                    self._newest.clear()
                for job_id, of_job in by_job.items():
                    self._decide(writer, job_id, of_job, written)
        except Moved:  # nothing was written: look again, which no other writer comes between
            self._newest.clear()
            for ticket in tickets:
                ticket.forget()
            self._write(tickets)
        except CommitUnknown as error:
            self._settle(tickets, written, error)
        except ValueInvalid as error:  # whatever a decision had put beside its row is undone, too
            self._write_each(tickets, error)
        except StateError as error:
            self._fail(tickets, error)
        else:
            self._attempt = None  # it took place, whatever interrupts what follows
            self._mark = writer.mark
            for _, state in written:
                self.remember(state)
        self._attempt = None

    def _write_each(self, tickets: list[_Ticket], error: ValueInvalid) -> None:
        """After a row that cannot be stored (too much at once, or a value of a wrong type).

        Nothing of its transaction was written, so each ticket has one of its own: none spoils
        another's.
        """
        if len(tickets) == 1:
            return self._fail(tickets, error)
        for ticket in tickets:
            ticket.forget()
        for ticket in tickets:
            self._write([ticket])
        return None

    def _resolve(self, places: list[_Asking]) -> None:
        """After an interrupt: answer those whose outcome the log tells, and nobody else.

        What was not written is decided again, by a leader that is not interrupted. May be repeated.
        """
        attempt = self._attempt
        if attempt is not None:
            self._newest.clear()
            problem = (
                "the thread that wrote was interrupted, and the log could not be read: read the job"
                " before you try again"
            )
            unknown = CommitUnknown(url=self._loader.store.url, problem=problem)
            try:
                took_place = bool(attempt.written) and self._took_place(attempt.written)
            except StoreError as error:
                unknown.__cause__ = error
                self._fail(attempt.tickets, unknown)
            else:
                for ticket in attempt.tickets:
                    self.forget(ticket.job_id)
                    if not took_place:
                        ticket.forget()
            self._attempt = None
        for place in places:
            place.answered = all(ticket.is_answered for ticket in place.tickets)

    def _decide(
        self,
        writer: Writer,
        job_id: str,
        tickets: list[_Ticket],
        written: list[tuple[StoredJob, JobState]],
    ) -> None:
        """Decide the requests for one job in order; what they accept becomes one row.

        Raises ValueInvalid where that row cannot be stored.
        """
        known = self._newest.get(job_id)
        if known is not None:
            job, before = known
            writer.relies_on(job.number, before.seq, before.digest)
        else:
            try:
                job, before = self._read(writer, job_id)
            except MilepostError as error:
                return self._fail(tickets, error)
        log = JobLog(self._loader, writer, job)
        now_us = max(self._observer.now_us(), before.updated_at_us)
        state = before
        drafts: list[Draft] = []
        for alike in [tickets] if len(tickets) == 1 else _alike(tickets):
            moment = Moment(writer, log, before, state, now_us, self._observer, drafts)
            state, accepted = _decided(moment, alike)
            drafts = [*drafts, *accepted]
        if drafts:
            opening = None if before.as_logged is None else migration(before)
            if opening is not None:
                drafts.insert(0, opening)
            row = _row(before, state, drafts, now_us, self._loader.payloads, self._limits)
            writer.add_row(job.number, row)
            if opening is not None:
                job = structs.replace(job, lifecycle=state.lifecycle.digest)
                writer.put_job(job)
                describe(writer, state.lifecycle)
            state = changed(state, digest=row.digest)
            written.append((job, state))
            self._newest[job_id] = job, state
        for ticket in tickets:
            ticket.state = state
        return None

    def _read(self, writer: Writer, job_id: str) -> tuple[StoredJob, JobState]:
        """The job and its newest state, under the write lock; from then on it is known to be."""
        log = self._loader.log(writer, job_id)
        newest = self._newest[job_id] = log.entry, log.load(self.known(job_id)).state
        return newest

    def _fail(self, tickets: list[_Ticket], error: MilepostError) -> None:
        """Answer with `error` those that have no answer of their own yet."""
        for ticket in tickets:
            ticket.error, ticket.drafts = ticket.error or error, ()
            self.forget(ticket.job_id)

    def _settle(
        self,
        tickets: list[_Ticket],
        written: list[tuple[StoredJob, JobState]],
        error: CommitUnknown,
    ) -> None:
        """After a commit of unknown outcome: look before anything is said (INV-ACK)."""
        took_place = False
        met = error.problem.removesuffix(": read the job before you try again")
        problem = f"{met}; the log was read again: nothing of it was written: try again"
        if error.may_appear:
            problem = (
                f"{error.problem}; it is not there now, and may be after a crash: read it then"
            )
        try:
            took_place = self._took_place(written)
        except StoreError:
            problem = error.problem  # still unknown
        _log.warning("%s: %s", error, "it took place" if took_place else printable(problem))
        for ticket in tickets:
            self.forget(ticket.job_id)
            if not took_place:
                ticket.drafts = ()
                failure = CommitUnknown(url=error.url, problem=problem, may_appear=error.may_appear)
                failure.__cause__ = error
                ticket.error = ticket.error or failure

    def _took_place(self, written: list[tuple[StoredJob, JobState]]) -> bool:
        """True if the log has what was `written`. Raises StoreError if it cannot be read."""
        with self._loader.store.reading() as reader:
            rows = [list(reader.rows(job.number, s.seq - 1, s.seq)) for job, s in written]
        return all(
            bool(found) and found[0].digest == state.digest
            for found, (_, state) in zip(rows, written, strict=True)
        )


def _alike(tickets: list[_Ticket]) -> list[list[_Ticket]]:
    """Neighbours that can be decided together, in order; each other ticket by itself."""
    groups: list[list[_Ticket]] = []
    for kind, neighbours in groupby(tickets, _kind):
        together = list(neighbours)
        groups += [together] if kind is not None else [[one] for one in together]
    return groups


def _kind(ticket: _Ticket) -> object:
    return ticket.decision.kind if isinstance(ticket.decision, Joinable) else None


def _decided(moment: Moment, tickets: list[_Ticket]) -> tuple[JobState, list[Draft]]:
    """The drafts for tickets that are alike, and the state after; a refusal is a ticket's error."""
    first, *others = tickets
    decision = first.decision
    if others and isinstance(decision, Joinable):
        decision = decision.joined([other.decision for other in others])
    try:
        drafts = list(decision(moment))
        after = _applied(moment.state, drafts, moment.now_us)
    except RefusedWithRecord as refused:
        if not others:
            first.error = refused.error
            first.drafts = drafts = [refused.draft]
            return _applied(moment.state, drafts, moment.now_us), drafts
    except MilepostError as error:
        if not others:
            first.error = error
            return moment.state, []
    else:
        first.drafts = drafts
        return after, drafts
    state, drafts = moment.state, []  # one of them is refused: each for itself
    for ticket in tickets:
        pending = [*moment.pending, *drafts]
        state, accepted = _decided(structs.replace(moment, state=state, pending=pending), [ticket])
        drafts += accepted
    return state, drafts


def _applied(state: JobState, drafts: list[Draft], now_us: int) -> JobState:
    """The state after `drafts`, as part of the commit that follows the newest one."""
    if not drafts:
        return state
    if state.digest:  # the first of this commit: open it
        logged = state
        if state.as_logged is not None:
            opening, logged = migration(state), state.as_logged
            drafts = drafts if opening is None else [opening, *drafts]
        state = changed(logged, seq=logged.seq + 1, updated_at_us=now_us, digest=b"")
    for draft in drafts:
        try:
            state = decided(state, draft.fact)
        except KeyError as error:
            count = state.items.count
            raise ItemAbsent(job_id=state.id, item=error.args[0], count=count) from error
    return state


def _row(
    before: JobState,
    after: JobState,
    drafts: list[Draft],
    now_us: int,
    payloads: PayloadCodec | None,
    limits: Limits,
) -> Row:
    return encode_row(
        before.digest,
        seq=after.seq,
        fence=after.fence,
        at_us=now_us,
        drafts=drafts,
        tally=after.tally,
        count=event_count(drafts),
        payloads=payloads,
        check=partial(check_commit, limits, after, drafts),
        check_above_bytes=limits.commit_told_bytes,
    )
