"""The manager's part about going on: checkpoints, plans, jobs that were left, dead letters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from milepost import arguments
from milepost.job.state import CheckpointRef, JobState
from milepost.state import checkpoint as checkpoints
from milepost.state.checkpoint import Checkpoint
from milepost.state.manager.core import Core
from milepost.state.recovering.dead_letters import DeadLetter, dead_in, dead_letters, requeue
from milepost.state.recovering.reaping import StuckJob, reap, stuck
from milepost.state.recovering.rewinding import WayBack
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan, carry_out, draw_up, plan
from milepost.state.writing import lease as leases
from milepost.state.writing.lease import Lease
from milepost.stores.omissions import OnError, ignore, refuse
from milepost.text.escapes import printable

__all__ = ["Recoveries"]

_log: Final = logging.getLogger("milepost.state")
_recovery_log: Final = logging.getLogger("milepost.recovery")


def _scope(given: Scope | None) -> Scope:
    """The scope that was given, or all items."""
    return Scope.all() if given is None else arguments.instance("scope", given, Scope)


class Recoveries(Core):
    """How a job goes on, after a crash, a failure or a change of mind."""

    def create_checkpoint(
        self,
        job_id: str,
        *,
        reason: str = "by hand",
        lease: Lease | None = None,
        keep: int = checkpoints.KEPT,
    ) -> Checkpoint:
        """A checkpoint of the job's newest state, durable, with its place in the log.

        Of the checkpoints of that reason the newest `keep` stay. Anybody may take one while
        others hold the job; raises LeaseLost if `lease`, or the one that this manager holds, is
        no longer the job's, and TooLarge.
        """
        job_id = self._meet(job_id)
        reason = arguments.text("reason", reason)
        keep = arguments.integer("keep", keep, 1)
        began_s = self._metrics.began()
        lease = self._lease_for(job_id, lease)
        taken: list[Checkpoint] = []
        decision = checkpoints.take(reason, lease, keep, self._limits, taken.append)
        self._append(job_id, decision)
        checkpoint = taken[-1]
        self._metrics.checkpoint(began_s, checkpoint.size_bytes)
        return checkpoint

    def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """The newest checkpoint that verifies, or the one at `seq`. Raises CheckpointAbsent."""
        job_id = self._meet(job_id)
        if seq is not None:
            seq = arguments.ordinal("seq", seq)
        with self._store.reading() as reader:
            return checkpoints.find(self._loader, reader, self._loader.job(reader, job_id), seq)

    def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """The job's checkpoints, newest first: when and why by the log, their bytes unverified."""
        job_id = self._meet(job_id)
        with self._store.reading() as reader:
            return checkpoints.listed(self._loader, reader, self._loader.job(reader, job_id))

    def recover_from_checkpoint(
        self,
        checkpoint: Checkpoint | str,
        *,
        rewind: bool = False,
        reason: str = "",
        scope: Scope | None = None,
    ) -> RecoveryPlan:
        """What is left to do of a job, and what taking it up again will do; nothing is changed.

        Of a job id, the newest checkpoint that verifies is used, with the log after it; of a
        checkpoint, that one with the log after it, so that nothing recorded is lost. With
        `rewind` the plan goes back to exactly the checkpoint, and what was recorded after it is
        undone (and stays in the history). `scope` says which items the plan is about (all, unless
        it is given), or which phase is done again. Raises JobAbsent, CheckpointAbsent (of a
        checkpoint that was named), ScopeInvalid, ItemAbsent, LogCorrupt.
        """
        wanted = _scope(scope)
        if not isinstance(checkpoint, Checkpoint):
            arguments.instance("checkpoint", checkpoint, str, "a Checkpoint or the id of a job")
            checkpoint = self._meet(checkpoint)
        else:
            self._meet(checkpoint.job_id)
        arguments.flag("rewind", rewind)
        reason = arguments.text("reason", reason)
        with self._store.reading() as reader:
            if isinstance(checkpoint, Checkpoint):
                job_id = checkpoint.job_id
                job = self._loader.job(reader, job_id)
                what = f"the checkpoint at seq {checkpoint.seq}"
                self._loader.same(job, checkpoint.state.number, what)
                wanted &= Scope.checkpoint(checkpoint.seq, exactly=rewind)
            else:
                job_id = checkpoint
                if rewind:
                    job = self._loader.job(reader, job_id)
                    seq = checkpoints.find(self._loader, reader, job, wanted.seq).seq
                    wanted &= Scope.checkpoint(seq, exactly=True)
            return draw_up(self._loader, reader, job_id, wanted, reason=reason)

    def plan_rewind(self, job_id: str, seq: int, *, reason: str = "") -> RecoveryPlan:
        """The plan that goes back to commit `seq` and takes the job up from there.

        Any commit will do, checkpoint or not. What was recorded after it is undone, and stays in
        the history. Of the newest commit it is the plan without a rewind. Raises JobAbsent,
        CommitAbsent.
        """
        job_id = self._meet(job_id)
        seq = arguments.ordinal("seq", seq)
        reason = arguments.text("reason", reason)
        with self._store.reading() as reader:
            job = self._loader.job(reader, job_id)
            loading = self._loader.load(reader, job)
            back = None
            undoes_result = False
            if seq != loading.state.seq:
                back = WayBack(self._loader.state_at(reader, job, seq))
                results = self._result_reader(reader, job, loading.state)
                undoes_result = results.job_result_after(seq)
        return plan(
            loading.state,
            way_back=back,
            reason=reason,
            fallbacks=loading.fallbacks,
            undoes_result=undoes_result,
        )

    def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """Do what the plan says, in one commit. Raises PlanStale, LeaseHeld, LeaseLost."""
        arguments.instance("recovery", recovery, RecoveryPlan)
        arguments.flag("operator", operator)
        lease = self._lease_for(recovery.job_id, lease)
        decision = carry_out(recovery, lease=lease, operator=operator)
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

        In order of creation. No wall clock decides it; where a holder has no time in common with
        this process, it has to be watched for a while, and is listed as not `sure` until then.

        `on_error` as in `list_jobs`; `on_unknown` is told of the jobs among them that cannot go on
        under the lifecycles at hand, which are left out. Cost: one look-up a job; the state of
        each that may be stuck.
        """
        arguments.calls("on_error", on_error)
        arguments.calls("on_unknown", on_unknown)
        with self._store.reading() as reader:
            known = self._appender.known
            return list(stuck(self._loader, reader, self._observer, known, on_error, on_unknown))

    def reap(self, job_id: str, *, owner: str | None = None, reason: str = "") -> JobState:
        """Free a job whose holder has ended, or does not renew: anybody may take it after that.

        One commit. It is taken over as `owner` with a new fence, so that its holder can write no
        more; what was in flight is interrupted, with `reason` in the history; and it is given
        back. A job that nobody holds is left as it is. Raises LeaseHeld if the holder is alive, or
        has to be watched for longer.
        """
        job_id = self._meet(job_id)
        who = f"{leases.default_owner()} (reaper)"
        if owner is not None:
            who = arguments.text("owner", owner, least=1)
        reason = arguments.text("reason", reason)
        state = self._append(job_id, reap(who, reason))
        _log.info("job %s freed by %s", job_id, printable(who))
        return state

    def dead_letters(self, job_id: str, scope: Scope | None = None) -> Iterator[DeadLetter]:
        """The items in the dead letter queue, in item order, with their values and failures.

        Of `scope`, all unless it is given; streamed, as of the moment of the first step. Raises
        JobAbsent, ScopeInvalid, ItemAbsent.
        """
        return self._letters(self._meet(job_id), _scope(scope))

    def _letters(self, job_id: str, scope: Scope) -> Iterator[DeadLetter]:
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            members = dead_in(scope, results.state, results)
            failures = results.failures(members)
        yield from dead_letters(results.state, members, failures)

    def requeue(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Give the dead letters in `scope` (all, unless it is given) all their attempts again.

        One durable commit; those that are dead no more by then are passed over. Leases are as in
        `fire`. Raises TransitionRefused where the phase takes no item back, ScopeInvalid,
        ItemAbsent, LeaseHeld, LeaseLost.
        """
        job_id = self._meet(job_id)
        wanted = _scope(scope)
        arguments.flag("operator", operator)
        with self._store.reading() as reader:
            results = self._results(reader, job_id)
            members = dead_in(wanted, results.state, results)
        lease = self._lease_for(job_id, lease)
        decision = requeue(results.state, members, lease=lease, operator=operator)
        return self._append(job_id, decision)
