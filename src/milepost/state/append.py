"""Appending to logs: decide and write as one atomic act, for all that wait at once.

Threads that come while a commit is under way queue up; the first of them then leads: it takes the
store's write lock once, decides everybody's request in order and writes one commit a job, so that
one fsync serves all. No thread is kept for it. Source: group commit, DeWitt et al., 1984.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from milepost.clock import Clock
from milepost.codec import encode_row
from milepost.errors import (
    CommitUnknown,
    ItemAbsent,
    MilepostError,
    StateError,
    StoreError,
    ValueInvalid,
)
from milepost.facts import Draft, Fact, ItemsFired, JobFired
from milepost.fold import apply
from milepost.job import JobState, changed
from milepost.rows import Row, StoredJob
from milepost.state.loading import Loader
from milepost.state.persistence import Writer

__all__ = ["Appender", "Decision", "Moment", "RefusedWithRecord"]


class Moment(NamedTuple):
    """What a decision may look at: the job as it stands under the write lock, and the time.

    `committed` is the state at the newest row; `state` also has what others add to this commit,
    which is `pending`.
    """

    writer: Writer
    url: str
    job: StoredJob
    committed: JobState
    state: JobState
    now_us: int
    pending: Sequence[Draft] = ()


Decision: TypeAlias = Callable[[Moment], Iterable[Draft]]
"""Gives the facts to append, or raises; it may write what is derived through the writer, last."""


class RefusedWithRecord(Exception):
    """A decision's way to refuse and yet leave a fact in the log: the caller gets `error`."""

    def __init__(self, error: MilepostError, draft: Draft) -> None:
        self.error = error
        self.draft = draft
        super().__init__(error, draft)


@dataclass(slots=True)
class _Ticket:
    """One caller's request, and its answer once `ready` is released."""

    job_id: str
    decision: Decision
    ready: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False
    state: JobState | None = None
    error: BaseException | None = None


class Appender:
    """Appends to the logs of one store, and keeps the newest state of the jobs it met."""

    def __init__(self, loader: Loader, clock: Clock, *, remembered: int = 256) -> None:
        self._loader = loader
        self._clock = clock
        self._remembered = remembered
        self._lock = threading.Lock()  # of the three below; never held during I/O
        self._queue: list[_Ticket] = []
        self._busy = False
        self._known: OrderedDict[str, JobState] = OrderedDict()

    def append(self, job_id: str, decision: Decision) -> JobState:
        """Decide under the write lock and append; the state of which the facts are a durable part.

        A decision that gives no facts writes nothing. Raises what the decision raises, what
        `fold.apply` raises for its facts, and the store's errors; then nothing was appended but
        what a RefusedWithRecord asked for.
        """
        ticket = _Ticket(job_id, decision)
        ticket.ready.acquire()
        with self._lock:
            self._queue.append(ticket)
            leads = not self._busy
            self._busy = True
        if not leads:
            ticket.ready.acquire()
            leads = ticket.leads
        if leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.state is not None, "a ticket that was served has a state or an error"
        return ticket.state

    def known(self, job_id: str) -> JobState | None:
        """The newest state that this appender has seen of the job; others may have moved it on."""
        with self._lock:
            return self._known.get(job_id)

    def remember(self, state: JobState) -> None:
        """Keep a state that was loaded, unless a newer one is kept already."""
        with self._lock:
            kept = self._known.get(state.id)
            if kept is None or kept.seq < state.seq:
                self._known[state.id] = state
            self._known.move_to_end(state.id)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """Drop what is kept of the job: the next look reads the store."""
        with self._lock:
            self._known.pop(job_id, None)

    def _lead(self) -> None:
        """Serve all that wait, then hand the lead to the first of those that came meanwhile."""
        with self._lock:
            served, self._queue = self._queue, []
        try:
            self._serve(served)
        finally:
            with self._lock:
                heir = self._queue[0] if self._queue else None
                self._busy = heir is not None
            for ticket in served:
                ticket.ready.release()
            if heir is not None:
                heir.leads = True
                heir.ready.release()

    def _serve(self, tickets: list[_Ticket]) -> None:
        by_job: dict[str, list[_Ticket]] = {}
        for ticket in tickets:
            by_job.setdefault(ticket.job_id, []).append(ticket)
        written: list[tuple[StoredJob, JobState]] = []
        try:
            with self._loader.store.writing() as writer:
                for job_id, of_job in by_job.items():
                    self._decide(writer, job_id, of_job, written)
        except CommitUnknown as error:
            self._settle(tickets, written, error)
        except StateError as error:
            self._fail(tickets, error)
        except BaseException:  # an interrupt in the thread that leads: it is that thread's alone
            problem = "the thread that wrote was interrupted: read the job before trying again"
            self._fail(tickets, CommitUnknown(url=self._loader.store.url, problem=problem))
            raise
        else:
            for _, state in written:
                self.remember(state)

    def _decide(
        self,
        writer: Writer,
        job_id: str,
        tickets: list[_Ticket],
        written: list[tuple[StoredJob, JobState]],
    ) -> None:
        """Decide the requests for one job in order; what they accept becomes one row."""
        try:
            job = self._loader.job(writer, job_id)
            known = next((s for j, s in reversed(written) if j == job), self.known(job_id))
            before = self._loader.load(writer, job, known).state
        except MilepostError as error:
            return self._fail(tickets, error)
        now_us = max(self._clock.now_us(), before.updated_at_us)
        state = before
        drafts: list[Draft] = []
        for ticket in tickets:
            moment = Moment(
                writer=writer,
                url=self._loader.store.url,
                job=job,
                committed=before,
                state=state,
                now_us=now_us,
                pending=drafts,
            )
            try:
                wanted = list(ticket.decision(moment))
                after = _applied(state, wanted, now_us)
            except RefusedWithRecord as refused:
                ticket.error = refused.error
                wanted = [refused.draft]
                after = _applied(state, wanted, now_us)
            except MilepostError as error:
                ticket.error = error
                continue
            if wanted:
                state = after
                drafts.extend(wanted)
        if drafts:
            try:
                row = _row(before, state, drafts, now_us)
            except ValueInvalid as error:  # too much for one commit
                if len(tickets) == 1:
                    return self._fail(tickets, error)
                for ticket in tickets:  # so it is a commit each, and none spoils another's
                    ticket.error = None
                    self._decide(writer, job_id, [ticket], written)
                return None
            writer.add_row(job.number, row)
            state = changed(state, digest=row.digest)
            written.append((job, state))
        for ticket in tickets:
            ticket.state = state
        return None

    def _fail(self, tickets: list[_Ticket], error: MilepostError) -> None:
        """Answer with `error` those that have no answer of their own yet."""
        for ticket in tickets:
            ticket.error = ticket.error or error
            self.forget(ticket.job_id)

    def _settle(
        self,
        tickets: list[_Ticket],
        written: list[tuple[StoredJob, JobState]],
        error: CommitUnknown,
    ) -> None:
        """After a commit of unknown outcome: look before anything is said (INV-ACK)."""
        took_place = False
        problem = "an I/O error; the log was read again: nothing of it was written"
        try:
            with self._loader.store.reading() as reader:
                rows = [list(reader.rows(job.number, s.seq - 1, s.seq)) for job, s in written]
            took_place = all(
                found and found[0].digest == state.digest
                for found, (_, state) in zip(rows, written, strict=True)
            )
        except StoreError:
            problem = error.problem  # still unknown
        for ticket in tickets:
            self.forget(ticket.job_id)
            if not took_place:
                failure = CommitUnknown(url=error.url, problem=problem)
                failure.__cause__ = error
                ticket.error = ticket.error or failure


def _applied(state: JobState, drafts: list[Draft], now_us: int) -> JobState:
    """The state after `drafts`, as part of the commit that follows the newest one."""
    if not drafts:
        return state
    if state.digest:  # the first of this commit: open it
        state = changed(state, seq=state.seq + 1, updated_at_us=now_us, digest=b"")
    for draft in drafts:
        try:
            state = apply(state, draft.fact)
        except KeyError as error:
            count = state.items.count
            raise ItemAbsent(job_id=state.id, item=error.args[0], count=count) from error
    return state


def _row(before: JobState, after: JobState, drafts: list[Draft], now_us: int) -> Row:
    return encode_row(
        before.digest,
        seq=after.seq,
        fence=after.fence,
        at_us=now_us,
        drafts=drafts,
        tally=after.tally,
        count=sum(_events(draft.fact) for draft in drafts),
    )


def _events(fact: Fact) -> int:
    if isinstance(fact, ItemsFired):
        return len(fact.ordinals)
    return int(isinstance(fact, JobFired))
