"""The manager's part about going on: checkpoints, plans, jobs that were left, dead letters."""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.defaults import KEPT
from milepost.errors import RoleAbsent, StateError
from milepost.state.manager import work
from milepost.state.manager.core import Core
from milepost.stores.unreadable import ignore, refuse
from milepost.text.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from milepost.job.state import CheckpointRef, JobState
    from milepost.state.checkpoint import Checkpoint
    from milepost.state.recovering.dead_letters import DeadLetter
    from milepost.state.recovering.reaping import StuckJob
    from milepost.state.recovering.scope import Scope
    from milepost.state.recovery import RecoveryPlan
    from milepost.state.writing.lease import Lease
    from milepost.stores.unreadable import OnError

__all__ = ["Recoveries"]

_log: Final = logging.getLogger("milepost.state")
_LETTERS_AT_ONCE: Final = 65_536
_SPANS_AT_ONCE: Final = 2  # one that is due, and one of what there was before

_recovery_log: Final = logging.getLogger("milepost.recovery")


def _scope(given: Scope | None) -> Scope:
    """The scope that was given, or all items."""
    return work.Scope.all() if given is None else arguments.instance("scope", given, work.Scope)


def _items(given: Iterable[str | int] | Scope) -> list[str | int] | Scope:
    """The items that were given, each by its key or ordinal, or the scope."""
    if isinstance(given, work.Scope):
        return given
    each = arguments.iterable("items", given, "keys and ordinals of items, or a Scope,")
    return [work.named_item(item) for item in each]


class Recoveries(Core):
    """How a job goes on, after a crash, a failure or a change of mind."""

    def create_checkpoint(
        self,
        job_id: str,
        *,
        reason: str = "by hand",
        lease: Lease | None = None,
        keep: int = KEPT,
    ) -> Checkpoint:
        """A checkpoint of the job's newest state, durable. Anybody may take one at any time.

        Args:
            job_id: The job.
            reason: The reason, for people; also the kind that `keep` counts.
            lease: A lease that has to be the job's. Not given, it is the one that this manager
                holds.
            keep: How many checkpoints of this reason stay, the newest ones.

        Raises:
            JobAbsent: The store has no such job.
            LeaseLost: The lease is no longer the job's.
            TooLarge: The state is larger than the limits.

        Cost:
            The state is encoded. Once in 4,096 commits the index of the log is taken on by a span:
                its heads are read once more, without the write lock.
        """
        job_id = self._meet(job_id)
        reason = arguments.text("reason", reason)
        keep = arguments.integer("keep", keep, 1)
        began_s = self._metrics.began()
        lease = self._lease_for(job_id, lease)
        taken: list[Checkpoint] = []
        decision = work.checkpoints.take(reason, lease, keep, self._limits, taken.append)
        self._append(job_id, decision)
        checkpoint = taken[-1]
        self._metrics.checkpoint(began_s, checkpoint.size_bytes)
        self._extend_index(checkpoint.state)
        return checkpoint

    def _extend_index(self, state: JobState) -> None:
        """Take the index of the job's log on, where a span more than is known has come together."""
        end = self._index_ends.get(state.number, 0)
        try:
            end = work.extend(self._loader, state.id, most=_SPANS_AT_ONCE, known=(state.seq, end))
        except StateError as error:  # the checkpoint is there; the index is made another time
            _log.warning("job %s: its index stays as it is: %s", state.id, error)
            end = state.seq
        self._index_ends[state.number] = end

    def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """The newest checkpoint that verifies, or the one at `seq`.

        Args:
            job_id: The job.
            seq: The commit that the checkpoint is of.

        Raises:
            JobAbsent: The store has no such job.
            CheckpointAbsent: There is none, or it does not verify.
        """
        if seq is not None:
            seq = arguments.ordinal("seq", seq)
        with self._job_log(job_id) as log:
            return work.checkpoints.find(log, seq)

    def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """The job's checkpoints by the log, newest first; their bytes are not verified.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
        """
        with self._job_log(job_id) as log:
            return work.checkpoints.listed(log)

    def recover_from_checkpoint(
        self,
        checkpoint: Checkpoint | str,
        *,
        rewind: bool = False,
        reason: str = "",
        scope: Scope | None = None,
    ) -> RecoveryPlan:
        """A plan: the work that is left of a job, and the events that take it up. Changes nothing.

        Args:
            checkpoint: The id of a job: its newest checkpoint that verifies is used, with the log
                after it. Or a checkpoint: that one is used, with the log after it. Either way no
                recorded result is lost.
            rewind: Go back to exactly the checkpoint. Later records are undone, and stay in the
                history.
            reason: The reason, for the history.
            scope: The items that the plan is about, or the phase that is done again. All items, if
                it is not given.

        Returns:
            A plan for `apply`.

        Raises:
            JobAbsent: The store has no such job.
            CheckpointAbsent: The checkpoint is not in the store.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            LogCorrupt: A commit of the log does not verify.
        """
        wanted = _scope(scope)
        if not isinstance(checkpoint, work.Checkpoint):
            arguments.instance("checkpoint", checkpoint, str, "a Checkpoint or the id of a job")
        arguments.flag("rewind", rewind)
        reason = arguments.text("reason", reason)
        job_id = checkpoint.job_id if isinstance(checkpoint, work.Checkpoint) else checkpoint
        with self._job_log(job_id) as log:
            if isinstance(checkpoint, work.Checkpoint):
                log.check_same(checkpoint.state.number, f"the checkpoint at seq {checkpoint.seq}")
                wanted &= work.Scope.checkpoint(checkpoint.seq, exactly=rewind)
            elif rewind:
                seq = work.checkpoints.find(log, wanted.seq).seq
                wanted &= work.Scope.checkpoint(seq, exactly=True)
            return work.draw_up(log, wanted, reason=reason)

    def plan_rewind(self, job_id: str, seq: int, *, reason: str = "") -> RecoveryPlan:
        """The plan that goes back to commit `seq` and takes the job up from there. Changes nothing.

        Later records are undone, and stay in the history. For the newest commit it is the plan
        without a rewind.

        Args:
            job_id: The job.
            seq: Any commit, with a checkpoint or without.
            reason: The reason, for the history.

        Raises:
            JobAbsent: The store has no such job.
            CommitAbsent: The log has no such commit.
        """
        seq = arguments.ordinal("seq", seq)
        reason = arguments.text("reason", reason)
        with self._job_log(job_id) as log:
            loading = log.load()
            back = None
            undoes_result = False
            if seq != loading.state.seq:
                back = work.WayBack(log.state_at(seq))
                results = self._result_reader(log.reader, log.entry, loading.state)
                undoes_result = results.job_result_after(seq)
        return work.plan(
            loading.state,
            way_back=back,
            reason=reason,
            fallbacks=loading.fallbacks,
            undoes_result=undoes_result,
        )

    def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """Carry out a plan in one commit.

        Args:
            recovery: The plan, of `recover_from_checkpoint` or `plan_rewind`.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Returns:
            The state after it.

        Raises:
            PlanStale: The job has changed since the plan was made.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        arguments.instance("recovery", recovery, work.RecoveryPlan)
        arguments.flag("operator", operator)
        lease = self._lease_for(recovery.job_id, lease)
        decision = work.carry_out(recovery, lease=lease, operator=operator)
        state = self._append(recovery.job_id, decision)
        if not recovery.changes_nothing:
            self._metrics.recovered(rewound=recovery.rewinds_to is not None)
            back = "" if recovery.rewinds_to is None else f"back to seq {recovery.rewinds_to}, "
            events = ", ".join(recovery.events) or "no event"
            _recovery_log.info("job %s recovered: %s%s; in %s", state.id, back, events, state.phase)
        return state

    def stuck_jobs(
        self, *, on_error: OnError = refuse, on_unknown: OnError = ignore
    ) -> list[StuckJob]:
        """The jobs whose holder has ended, or does not renew, and did not give the job back.

        In order of creation. No wall clock decides. A holder that has no time in common with this
        process has to be watched for a while; its job is listed as not `sure` until then.

        Args:
            on_error: Is called for each job that cannot be read, which is left out then.
            on_unknown: Is called for each job among them that cannot go on under the lifecycles
                that are open, which is left out.

        Raises:
            StoreUnreadable: A job that was not given back cannot be read, and no `on_error` was
                given.

        Cost:
            One row of each job whose lease was not given back, and the state of each that may be
                stuck. All leases are looked through besides, by SQLite.
        """
        arguments.calls("on_error", on_error)
        arguments.calls("on_unknown", on_unknown)
        with self._store.reading() as reader:
            known = self._appender.known
            return list(
                work.stuck(self._loader, reader, self._observer, known, on_error, on_unknown)
            )

    def reap(self, job_id: str, *, owner: str | None = None, reason: str = "") -> JobState:
        """Free a job whose holder has ended or does not renew; anybody may take it after that.

        One commit: the job is taken over with a new fence, so that its holder can write no more,
        items in flight are interrupted, and the job is given back. A job that nobody holds is left
        as it is.

        Args:
            job_id: The job.
            owner: The name to take it over under. Host and process, if it is not given.
            reason: The reason, for the history.

        Raises:
            JobAbsent: The store has no such job.
            LeaseHeld: The holder is alive, or has to be watched for longer.
        """
        job_id = self._meet(job_id)
        who = f"{work.leases.default_owner()} (reaper)"
        if owner is not None:
            who = arguments.text("owner", owner, least=1)
        reason = arguments.text("reason", reason)
        state = self._append(job_id, work.reap(who, reason))
        _log.info("job %s freed by %s", job_id, printable(who))
        return state

    def dead_letters(self, job_id: str, scope: Scope | None = None) -> Iterator[DeadLetter]:
        """The items in the dead letter queue, in item order, with their values and failures.

        Args:
            job_id: The job.
            scope: Only these items.

        Returns:
            A stream, as of the moment of its first step. If the job is deleted meanwhile, a later
                step raises.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle has no dead letter queue.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.

        Cost:
            For each 65,536 dead letters a pass over the heads, and the bodies in which they failed.
                Memory: their failures.
        """
        return self._letters(self._meet(job_id), _scope(scope))

    def _letters(self, job_id: str, scope: Scope) -> Iterator[DeadLetter]:
        with self._job_log(job_id) as log:
            job, results = log.entry, self._results(log)
            state, members = results.state, work.dead_in(scope, results.state, results)
        for first in range(0, len(members), _LETTERS_AT_ONCE):
            some = members[first : first + _LETTERS_AT_ONCE]
            passages = work.Passages(self._loader, job, state)
            failed = self._result_reader(passages, job, state).failed(some, deaths=True)
            failures = work.failures_of(chain.from_iterable(passages.batches(failed)))
            yield from work.dead_letters(state, some, failures)

    def requeue(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Give dead letters all their attempts again, in one durable commit.

        Items that are dead no more by then are passed over.

        Args:
            job_id: The job.
            scope: Only these items.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle has no dead letter queue.
            TransitionRefused: The job takes no item back in its phase.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        wanted = _scope(scope)
        arguments.flag("operator", operator)
        with self._job_log(job_id) as log:
            results = self._results(log)
            members = work.dead_in(wanted, results.state, results)
        lease = self._lease_for(job_id, lease)
        decision = work.requeue(results.state, members, lease=lease, operator=operator)
        return self._append(job_id, decision)

    def redo(
        self,
        job_id: str,
        items: Iterable[str | int] | Scope,
        *,
        reason: str = "",
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Let items that are done wait for an attempt again, in one durable commit.

        They have no result until they have another, and all their attempts; the history keeps the
        old one. A job that is past the phase in which they are worked on goes back to it in the
        same commit. One that failed stays so until it is taken up.

        Args:
            job_id: The job.
            items: Keys or ordinals of items, each of which has to be done. Or a scope: those in it
                that are done.
            reason: The reason, for the history.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle has no way to do items again.
            RedoRefused: An item is not done, or the job has ended; the message names the way.
            TransitionRefused: The job takes no item back in its phase.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The job has no such item.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        wanted = _items(items)
        reason = arguments.text("reason", reason)
        arguments.flag("operator", operator)
        with self._job_log(job_id) as log:
            found = work.again(wanted, reason, self._results(log), self._limits)
        for prepared in found.payloads.values():
            work.refuse_clear_text(found.state, prepared, self._loader.payloads, self._store.url)
        lease = self._lease_for(job_id, lease)
        return self._append(job_id, work.redo(found, lease=lease, operator=operator))

    def skip(
        self,
        job_id: str,
        items: Iterable[str | int] | Scope,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Leave items out of the job, in one durable commit.

        Items that are left out already are passed over.

        Args:
            job_id: The job.
            items: Keys or ordinals of items, each of which has to take it. Or a scope: those in it
                that do.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle has no way to leave items out.
            TransitionRefused: An item is done, or the job leaves no item out in its phase.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The job has no such item.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        wanted = _items(items)
        arguments.flag("operator", operator)
        with self._job_log(job_id) as log:
            found = work.left_out(wanted, self._results(log))
        lease = self._lease_for(job_id, lease)
        return self._append(job_id, work.skip(found, lease=lease, operator=operator))

    def allow_dead(
        self,
        job_id: str,
        more: int,
        *,
        reason: str = "",
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Let the job complete with `more` dead items than before, in one durable commit.

        One that failed because too many were dead stays so until it is taken up.

        Args:
            job_id: The job.
            more: How many more, from 1.
            reason: The reason, for the history.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle has no way to allow more.
            TransitionRefused: The job has ended.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
        """
        more = arguments.integer("more", more, 1)
        reason = arguments.text("reason", reason)
        arguments.flag("operator", operator)
        with self._job_log(job_id) as log:
            state = self._newest(log)
        role = state.roles.allow_dead
        if role is None:
            raise RoleAbsent.at(state.lifecycle, state.machine, "allow_dead", "allow_dead()")
        payload = {role.more: more} | ({role.reason: reason} if role.reason else {})
        wanted = work.prepare(state, [work.JobEvent(role.event, payload)], self._limits)
        work.refuse_clear_text(state, wanted, self._loader.payloads, self._store.url)
        lease = self._lease_for(job_id, lease)
        return self._append(job_id, work.decide(wanted, lease=lease, operator=operator))
