"""The manager's part that moves jobs and items: events, and leases to write them under."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import JobAbsent, UpdateConflict
from milepost.process.forks import here
from milepost.state.manager import work
from milepost.state.manager.core import Core

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from pyroaring import BitMap

    from milepost.job.state import JobState
    from milepost.machine import Payload, Values
    from milepost.state.transitions import ItemEvent, Request, Updater, Wanted, Write
    from milepost.state.writing.decision import Decision
    from milepost.state.writing.lease import Lease
    from milepost.worker.beside import Beside, Keeping

__all__ = ["Events"]

_REQUESTS: Final = "an iterable of ItemEvent and JobEvent"

_log: Final = logging.getLogger("milepost.state")
_lease_log: Final = logging.getLogger("milepost.lease")


def _tell(write: Write, state: JobState) -> None:
    """Log which events the job itself took."""
    for request in write.requests:
        if isinstance(request, work.JobEvent):
            taken = request.event, state.phase, state.seq
            _log.info("job %s took %s: in %s at seq %d", write.job_id, *taken)


def _is_among(parts: list[BitMap], state: JobState, item: str | int) -> bool:
    """True if the item of that key or ordinal is in any of `parts`."""
    with suppress(KeyError):  # whoever asked for what is not there hears of it later
        ordinal = item if isinstance(item, int) else state.inputs.ordinal(item)
        return any(ordinal in part for part in parts if ordinal >= 0)
    return False


class Events(Core):
    """Events of a job and its items, and leases to write them under."""

    def fire(
        self,
        job_id: str,
        event: str,
        payload: Values | Payload | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """The job takes `event`: one durable commit, shared with others that wait.

        Args:
            job_id: The job.
            event: The name of an event of the job's machine.
            payload: Its fields by name, in a dict such as `{"result": 6}`, or a generated payload.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Returns:
            The state that the event is a durable part of.

        Raises:
            JobAbsent: The store has no such job.
            TransitionRefused: The event is not legal now.
            InvariantBroken: It would break what the lifecycle declares; a TransitionRefused.
            PayloadInvalid: The payload is not the event's.
            NumberUnfit: It would make an integer beyond 64 bits, which nothing stores.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        write = work.Write(self._meet(job_id), [work.JobEvent(event, payload)], lease, operator)
        state = self._appender.append(write.job_id, self._decision(write))
        _tell(write, state)
        return state

    def record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """The items take their events in order, all or none: one durable commit.

        The same result again is passed over. Another result raises RecordConflict, and is kept in
        the history (INV-ONCE).

        Args:
            job_id: The job.
            item_events: Which item, by key or ordinal, takes which event with which payload.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Returns:
            The state that the events are a durable part of.

        Raises:
            JobAbsent: The store has no such job.
            ItemAbsent: The job has no such item.
            TransitionRefused: An event is not legal now.
            InvariantBroken: One would break what the lifecycle declares; a TransitionRefused.
            PayloadInvalid: A payload is not the event's.
            RecordConflict: An item has another result already.
            ValueInvalid: A result cannot be stored as JSON.
            TooLarge: A value or the commit is larger than the limits.
            NumberUnfit: An event would make an integer beyond 64 bits, which nothing stores.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.

        Cost:
            One wait for the disk, which calls from other threads at that moment share. Each thread
            is woken for its own answer: many results cost less by one thread and `write_each`.
        """
        wanted = list(arguments.iterable("item_events", item_events, _REQUESTS))
        write = work.Write(self._meet(job_id), wanted, lease, operator)
        try:
            return self._appender.append(write.job_id, self._decision(write, hurried=True))
        except work.ResultsFar:
            self._find_results(write.job_id)
        return self._appender.append(write.job_id, self._decision(write))

    def write_each(self, writes: Iterable[Write]) -> list[JobState | Exception]:
        """The answer to each of `writes`: the state that it is a durable part of, or its error.

        Each write stands for itself, as if a thread of its own called `record` or `fire`, in this
        order; one that is refused holds no other up. For one thread that hears from many workers.

        Args:
            writes: Requests to jobs, any number of them.

        Returns:
            States and errors, in the order of `writes`. The errors of the store are among them.

        Cost:
            One commit for each job, and one wait for the disk for all of them.
        """
        asked = list(arguments.iterable("writes", writes, "an iterable of Write"))
        outcomes: dict[int, JobState | Exception] = {}
        decisions: dict[int, tuple[str, Decision]] = {}
        done: dict[str, list[BitMap]] = {}
        for place, write in enumerate(asked):
            try:
                arguments.instance("writes", write, work.Write, "an iterable of Write")
                decisions[place] = work.check_job_id(write.job_id), self._decision(write)
                self._look_ahead(write, done)
            except Exception as error:  # noqa: BLE001 of one payload: it is no concern of the others
                outcomes[place] = error
        answers = self._appender.append_each(decisions.values())
        for place, answer in zip(decisions, answers, strict=True):
            outcomes[place] = answer
            if isinstance(answer, work.JobState):
                _tell(asked[place], answer)
        return [outcomes[place] for place in range(len(asked))]

    def update_state(
        self,
        job_id: str,
        updater: Updater,
        *,
        lease: Lease | None = None,
        operator: bool = False,
        tries: int = 20,
    ) -> JobState:
        """Append what `updater` makes of the newest state to just that state.

        Args:
            job_id: The job.
            updater: Gets an immutable state, and returns the JobEvents and ItemEvents that should
                happen, or None. It runs again on a newer state if others changed the job meanwhile,
                so it must have no effects of its own.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.
            tries: How often `updater` runs at most.

        Returns:
            The state that the events are a durable part of.

        Raises:
            UpdateConflict: Others changed the job at each of the `tries`.
            TransitionRefused: An event is not legal now; and the other errors of `record`.
        """
        job_id = self._meet(job_id)
        arguments.calls("updater", updater)
        arguments.flag("operator", operator)
        for _ in range(arguments.integer("tries", tries, 1)):
            state = self.get_state(job_id)
            wanted = updater(state)
            if wanted is None:
                return state
            if isinstance(wanted, work.JobEvent | work.ItemEvent):
                wanted = [wanted]
            arguments.iterable("updater", wanted, f"an updater that gives {_REQUESTS} or None")
            prepared = self._prepared(state, wanted)
            decision = partial(
                work.decide,
                prepared,
                lease=self._lease_for(job_id, lease),
                operator=operator,
                base=state,
                locator=self._locator,
            )
            with suppress(UpdateConflict):
                try:
                    return self._append(job_id, decision(hurried=True))
                except work.ResultsFar:
                    self._find_results(job_id)
                return self._append(job_id, decision())
        raise UpdateConflict(job_id=job_id, tries=tries)

    @contextmanager
    def lease(
        self,
        job_id: str,
        owner: str | None = None,
        ttl_s: float = 30.0,
        *,
        takeover: str = "",
        renewed: bool = True,
    ) -> Iterator[Lease]:
        """Hold the job while the block runs; this manager's writes then carry its fence.

        The job is given back at the end of the block.

        Args:
            job_id: The job.
            owner: The name of the holder, for people. Host and process, if it is not given.
            ttl_s: How many seconds the lease is good for without a renewal.
            takeover: A reason to take the job from a holder that still seems alive.
            renewed: Renew the lease from a thread while the block runs.

        Returns:
            A context manager that gives the lease.

        Raises:
            JobAbsent: The store has no such job.
            LeaseHeld: Another holds the job; the error says who, and until when.
        """
        job_id = self._meet(job_id)
        who = work.leases.default_owner()
        if owner is not None:
            who = arguments.text("owner", owner, least=1)
        ttl_s = arguments.seconds("ttl_s", ttl_s, above=0)
        takeover = arguments.text("takeover", takeover)
        arguments.flag("renewed", renewed)
        state = self._append(job_id, work.leases.take(who, ttl_s, takeover))
        lease = work.Lease(job_id, state.number, who, state.fence, ttl_s)
        self._leases[job_id] = lease
        born = here()
        _lease_log.info("%r", lease)
        renewer = work.leases.Renewer(self._loader, lease, self._observer) if renewed else None
        try:
            yield lease
        finally:
            if born is here():  # in the child of a fork it is the parent's, who goes on with it
                if renewer is not None:
                    renewer.stop()
                if self._leases.get(job_id) is lease:
                    del self._leases[job_id]
                with suppress(JobAbsent):  # there is nothing to give back any more
                    self._append(job_id, work.leases.release(lease))

    def keep_beside(self, job_id: str, beside: Beside, *, lease: Lease | None = None) -> Keeping:
        """The folder for large results of the job, beside its log, as its workers need it.

        The log names the folder from here on, so that it is deleted with the job. For executors:
        what a worker has written becomes the item's result once it is recorded, in the field of the
        role `stored`.

        Args:
            job_id: The job.
            beside: The place, and from which size on.
            lease: The lease to write under; the one that this manager holds, if it is not given.

        Raises:
            JobAbsent: The store has no such job.
            LeaseLost: The lease is not the job's any more.
            LeaseHeld: Another executor holds the job.

        Cost:
            One pass over the heads of the log, and a commit where the folder is new.
        """
        arguments.instance("beside", beside, work.Beside)
        with self._job_log(job_id) as log:
            number = log.number
            base = str(beside.url)
            url = work.folder_for(base, log.job_id, work.family(log.reader, number))
            named = url in set(work.folders_named(log.reader, log.entry, log.url))
        if not named:
            self._append(job_id, work.name_folder(url, self._lease_for(job_id, lease)))
        return work.Keeping(
            folder=url,
            above_bytes=beside.above_bytes,
            synced=beside.durability == "full",
            codec=self._loader.payloads,
        )

    def _find_results(self, job_id: str) -> None:
        """Look where the results of the job are, so that no look under the lock takes long."""
        with self._job_log(job_id) as log:
            self._locator.look(log.reader, log.entry, self._newest(log))

    def _look_ahead(self, write: Write, done: dict[str, list[BitMap]]) -> None:
        """Find the results of the job now, if the write is of an item that has one.

        `done` are the items with a result of each job that was looked at for other writes; empty
        where there is nothing to look for any more.
        """
        state = self._known(write.job_id)
        parts = done.get(state.id)
        if parts is None:
            near = self._locator.is_near(state)
            parts = done[state.id] = [] if near else work.parts_in(state.items, work.done_states)
        named = (request.item for request in write.requests if isinstance(request, work.ItemEvent))
        if parts and any(_is_among(parts, state, item) for item in named):
            self._find_results(state.id)
            done[state.id] = []

    def _decision(self, write: Write, *, hurried: bool = False) -> Decision:
        arguments.flag("operator", write.operator)
        arguments.iterable("requests", write.requests, _REQUESTS)
        prepared = self._prepared(self._known(write.job_id), write.requests)
        return work.decide(
            prepared,
            lease=self._lease_for(write.job_id, write.lease),
            operator=write.operator,
            locator=self._locator,
            hurried=hurried,
        )

    def _prepared(self, state: JobState, requests: Iterable[Request]) -> Wanted:
        wanted = work.prepare(state, requests, self._limits)
        work.refuse_clear_text(state, wanted, self._loader.payloads, self._store.url)
        return wanted

    def _known(self, job_id: str) -> JobState:
        """A state of the job of any age: for what does not change, its lifecycle."""
        known = self._appender.known(job_id) if type(job_id) is str else None
        if known is None or not isinstance(known.items, work.Ledger):  # items may change places
            return self.get_state(job_id)
        return known
