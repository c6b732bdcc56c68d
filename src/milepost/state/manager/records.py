"""The manager's part about what is on record: history, past moments, results, failures."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import LifecycleChanged
from milepost.state.manager import work
from milepost.state.manager.core import Core

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Any, Final

    from milepost.job.state import JobState
    from milepost.log.spans import Span
    from milepost.state.reading.history import StateEvent
    from milepost.state.reading.loading import JobLog
    from milepost.state.reading.phases import PhaseEntered
    from milepost.state.reading.results import Order, RecordedResult
    from milepost.state.reading.travel import StateDiff
    from milepost.state.writing.lease import Holding

__all__ = ["Records"]

_log: Final = logging.getLogger("milepost.state")


class Records(Core):
    """The record of a job: its history, its past states, its results."""

    def get_state_history(
        self,
        job_id: str,
        *,
        after: int = 0,
        upto: int | None = None,
        newest: int | None = None,
    ) -> list[StateEvent]:
        """The events of the job, oldest first.

        Args:
            job_id: The job.
            after: Only commits with a greater `seq`.
            upto: Only commits with at most this `seq`.
            newest: Only the last commits that hold so many events together.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            The log is folded from the nearest state that is stored before the first of the commits.
        """
        if newest is not None:
            newest = arguments.integer("newest", newest, least=1)
        after = arguments.ordinal("after", after)
        if upto is not None:
            upto = arguments.ordinal("upto", upto)
        with self._job_log(job_id) as log:
            if newest is not None:
                after = work.since_newest(log, after, upto, newest)
            return list(work.history(log, after, upto))

    def state_at(self, job_id: str, seq: int) -> JobState:
        """The state after commit `seq`, as it stands under the current version of its lifecycle.

        Args:
            job_id: The job.
            seq: The commit.

        Raises:
            JobAbsent: The store has no such job.
            CommitAbsent: The log has no such commit.
            LifecycleChanged: The job cannot go on under the lifecycle that is open.
        """
        seq = arguments.ordinal("seq", seq)
        with self._job_log(job_id) as log:
            return log.state_at(seq)

    def seq_at(self, job_id: str, at: datetime) -> int:
        """The newest commit that is not after `at`.

        Args:
            job_id: The job.
            at: A moment with a time zone.

        Raises:
            JobAbsent: The store has no such job.
            CommitAbsent: The job did not exist yet.
            ValueError: The moment has no time zone.

        Cost:
            O(log commits) look-ups.
        """
        at = arguments.moment("at", at)
        with self._job_log(job_id) as log:
            return work.travel.seq_at(log, at)

    def diff(self, job_id: str, before: int, after: int) -> StateDiff:
        """The differences between the states after two commits.

        Args:
            job_id: The job.
            before: The earlier commit.
            after: The later commit.

        Raises:
            JobAbsent: The store has no such job.
            CommitAbsent: The log has no such commit.
            ValueError: `before` is the later one.

        Cost:
            Both states are folded from the nearest that are stored before them, and the heads
                between are read.
        """
        before, after = arguments.ordinal("before", before), arguments.ordinal("after", after)
        with self._job_log(job_id) as log:
            return work.travel.diff(log, before, after)

    def fork(
        self, job_id: str, seq: int, new_job_id: str | None = None, *, reason: str = ""
    ) -> JobState:
        """A new job that stands as `job_id` stood at `seq`; all of it is stored, or nothing.

        It has the items, the history up to there and the results as its own, so it outlives its
        source. Nobody holds it, and it has no checkpoint. The source does not change, whoever holds
        it.

        Args:
            job_id: The job.
            seq: The commit to fork at.
            new_job_id: The id of the new job. One is made up, if it is not given.
            reason: The reason, for the history.

        Returns:
            The state of the new job.

        Raises:
            JobAbsent: The store has no such job.
            CommitAbsent: The log has no such commit.
            JobExists: There is a job of the new id.
            JobIdInvalid: The new id is not legal.

        Cost:
            The rows are copied, compressed as they are, under the write lock: other writers wait.
        """
        seq = arguments.ordinal("seq", seq)
        reason = arguments.text("reason", reason)
        new_job_id = work.check_job_id(self._new_job_id() if new_job_id is None else new_job_id)
        now_us = self._clock.now_us()
        with self._job_log_written(job_id, new_job_id) as (source, writer):
            work.fork(source, writer, seq, new_job_id, reason=reason, now_us=now_us)
            state = self._written(writer, new_job_id)
            work.describe(writer, (state.as_logged or state).lifecycle)
        self._metrics.began_job("forked", state.lifecycle.name)
        _log.info("job %s forked from %s at seq %d", new_job_id, source.job_id, seq)
        self._appender.remember(state)
        return state

    def phase_entered(self, job_id: str, seq: int) -> int:
        """The commit at which the job came into its phase of commit `seq`.

        Args:
            job_id: The job.
            seq: The commit.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            As `phases_entered` with a limit of one; where the lifecycle of the job is not at hand,
                one pass over the tallies.
        """
        seq = arguments.ordinal("seq", seq)
        with self._job_log(job_id) as log:
            return work.phase_entered(log, seq, *self._leaps(log))

    def phases_entered(self, job_id: str, *, limit: int | None = None) -> list[PhaseEntered]:
        """The commits at which the job came into another phase, the newest first.

        Args:
            job_id: The job.
            limit: At most so many.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            The tallies of the commits that the index of the log does not cover, and two rows for
                each event of the job that is looked at.
        """
        if limit is not None:
            limit = arguments.integer("limit", limit)
        with self._job_log(job_id) as log:
            newest = log.reader.newest(log.number)
            found = work.phases_entered(log, newest[0] if newest else 0, *self._leaps(log))
            return list(islice(found, limit))

    def transitions_taken(self, job_id: str, *, upto: int | None = None) -> dict[str, int]:
        """How often the job took each transition of its own machine, by machine and id.

        What a rewind undid counts too: it happened. Transitions of a version of the lifecycle that
        is not at hand are not known, and left out.

        Args:
            job_id: The job.
            upto: Only those taken by commits with at most this `seq`.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            The heads of the commits that the index of the log does not cover, and two rows for each
                event of the job.
        """
        if upto is not None:
            upto = arguments.ordinal("upto", upto)
        with self._job_log(job_id) as log:
            newest = log.reader.newest(log.number)
            last = newest[0] if newest else 0
            spans = self._locator.spans(log.reader, log.entry)
            return work.taken(log, last if upto is None else min(upto, last), spans)

    def _leaps(self, log: JobLog) -> tuple[tuple[tuple[int, int], ...], tuple[Span, ...]]:
        """The rewinds of a job and the index of its log; none where nothing tells the rewinds."""
        try:
            rewinds = self._newest(log).rewinds
        except LifecycleChanged:
            return (), ()
        return rewinds, self._locator.spans(log.reader, log.entry)

    def lease_expires_at(self, job_id: str) -> datetime | None:
        """Until when the newest lease was to run; None if there never was one.

        By the wall clock of its holder, for people. `holder` says who may be replaced.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
        """
        with self._job_log(job_id) as log:
            state = self._newest(log)
            lease = log.lease(state.fence)
        return None if lease is None else work.instant(lease.expires_at_us)

    def holder(self, job_id: str) -> Holding | None:
        """The holder of the job, and whether it may be replaced; None if nobody holds it.

        The first look at a holder that has no time in common with this process begins to watch it.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            One look-up more than `get_state`.
        """
        with self._job_log(job_id) as log:
            state = self._newest(log)
            lease = log.lease(state.fence)
        if state.owner is None or lease is None:
            return None
        return work.holding(self._observer, log.number, lease)

    def results(
        self,
        job_id: str,
        *,
        keys: Iterable[str] | None = None,
        ordinals: Iterable[int] | None = None,
        order: Order = "items",
    ) -> Iterator[tuple[str, Any]]:  # Any: JSON
        """Key and result of every item that is done.

        As of the moment of the first step. Between steps nothing is held of the store, so a reader
        may take its time; if the job is deleted meanwhile, the next step raises. Of a job whose
        lifecycle is not at hand, its description in the store says which events carry results.

        Args:
            job_id: The job.
            keys: Only the items of these keys.
            ordinals: Only the items at these positions.
            order: `"items"`: in item order. `"recorded"`: in the order of recording, which keeps
                nothing in memory, however far that is from item order.

        Returns:
            A stream of pairs of key and JSON value.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no results.
            LifecycleChanged: Nothing tells which events carry results.
            ItemAbsent: The job has no such item.
            JobReplaced: The job was deleted meanwhile, and another has its id.
            StoredResultAbsent: A result is kept beside the log and cannot be had from there.
            StoredResultDamaged: A result is kept beside the log and is not what was written.

        Cost:
            The index of the log, the heads that it does not cover, and the bodies that hold
                results, each decoded once.
        """
        named = _named(keys, ordinals, order)
        return self._streamed(self._meet(job_id), named, order)

    def recorded_results(
        self,
        job_id: str,
        *,
        keys: Iterable[str] | None = None,
        ordinals: Iterable[int] | None = None,
        order: Order = "items",
        fetch: bool = True,
    ) -> Iterator[RecordedResult]:
        """The result of every item that is done, with the commit that recorded it.

        As `results` otherwise, but that the lifecycle of the job must be at hand.

        Args:
            job_id: The job.
            keys: Only the items of these keys.
            ordinals: Only the items at these positions.
            order: In item order, or `"recorded"`: in the order of recording, which keeps nothing
                in memory.
            fetch: Read results that are kept beside the log. Without, their value is None, and
                `stored` says where they are, as it does in any case.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no results.
            LifecycleChanged: The job cannot go on under the lifecycle that is open.
            ItemAbsent: The job has no such item.
            JobReplaced: The job was deleted meanwhile, and another has its id.

        Cost:
            As `results`.
        """
        named = _named(keys, ordinals, order)
        arguments.flag("fetch", fetch)
        return self._streamed_records(self._meet(job_id), named, order, fetch=fetch)

    def _streamed_records(
        self, job_id: str, named: list[str | int] | None, order: Order, *, fetch: bool
    ) -> Iterator[RecordedResult]:
        with self._job_log(job_id) as log:
            job, state = log.entry, self._newest(log)
        wanted = None
        if named is not None:
            wanted = work.bitmap(work.item_ordinal(state, item) for item in named)
        passages = work.Passages(self._loader, job, state)
        results = self._result_reader(passages, job, state)
        inputs, codec = state.inputs, self._loader.payloads
        for batch in passages.batches(results.recorded(wanted, order, "recorded_results()")):
            for ordinal, (value, seq, at_us) in batch:
                ledger = state.ledger_of(ordinal)
                name, context = ledger.member(ordinal)
                attempts = context.get(ledger.machine.roles.attempts)
                key, at = inputs.key(ordinal), work.instant(at_us)
                stored = value if isinstance(value, work.Stored) else None
                result = value
                if stored is not None:
                    result = work.fetched(stored, codec, job_id, key) if fetch else None
                yield work.RecordedResult(key, ordinal, name, attempts, result, at, seq, stored)

    def _streamed(
        self, job_id: str, named: list[str | int] | None, order: Order
    ) -> Iterator[tuple[str, Any]]:  # Any: JSON
        with self._job_log(job_id) as log:
            job, state = log.entry, self._outlined(log)
            fields = kept = None
            if isinstance(state, work.Outline):
                names = work.Names(self._loader, log.reader)
                fields = work.fields_of(names, state, self._loader.tables)
                kept = work.stored_of(names, state)
        wanted = None
        if named is not None:
            wanted = work.bitmap(work.item_ordinal(state, item) for item in named)
        passages = work.Passages(self._loader, job, state)
        if isinstance(state, work.JobState):
            results = self._result_reader(passages, job, state).results(wanted, order)
        else:
            assert fields is not None, "an outline comes with them"
            assert kept is not None, "as above"
            codec, url, last = self._loader.payloads, self._store.url, order == "recorded"
            results = work.recorded(
                passages, job, state, fields, url, codec, wanted, as_recorded=last, stored=kept
            )
        inputs, codec = state.inputs, self._loader.payloads
        for batch in passages.batches(results):
            for ordinal, result in batch:
                key = inputs.key(ordinal)
                if type(result) is work.Stored:
                    result = work.fetched(result, codec, job_id, key)  # noqa: PLW2901 the same result
                yield key, result

    def result_of(self, job_id: str, item: str | int) -> Any:  # Any: JSON
        """The result of one item.

        Args:
            job_id: The job.
            item: The key of the item, or its ordinal.

        Returns:
            A JSON value.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no results.
            ItemAbsent: The job has no such item.
            ResultAbsent: The item has no result. It is a KeyError.
            StoredResultAbsent: It is kept beside the log and cannot be had from there.
            StoredResultDamaged: It is kept beside the log and is not what was written.

        Cost:
            One body, and what tells where it is: a look into each span of the index of the log, and
                the heads that it does not cover; later only what came since. What is kept beside
                the log is read from there.
        """
        item = work.named_item(item)
        with self._job_log(job_id) as log:
            results = self._results(log)
            ordinal = work.item_ordinal(results.state, item)
            result = results.result(ordinal)
        if isinstance(result, work.Stored):
            key = results.state.inputs.key(ordinal)
            return work.fetched(result, self._loader.payloads, job_id, key)
        return result

    def result(self, job_id: str) -> Any:  # Any: JSON
        """The result of the job as a whole.

        Args:
            job_id: The job.

        Returns:
            A JSON value.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no result of a job.
            ResultAbsent: There is none yet. It is a KeyError.
        """
        with self._job_log(job_id) as log:
            return self._results(log).job_result()


def _named(
    keys: Iterable[str] | None, ordinals: Iterable[int] | None, order: Order
) -> list[str | int] | None:
    """The items that are asked for, None for all. Raises ArgumentInvalid."""
    arguments.choice("order", order, ("items", "recorded"))
    if keys is None and ordinals is None:
        return None
    named: list[str | int] = [] if keys is None else [*arguments.texts("keys", keys)]
    return named + ([] if ordinals is None else arguments.ordinals("ordinals", ordinals))
