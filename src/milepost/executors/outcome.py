"""What a run returns: where the job is, why, and what to do next, in words that need no manual."""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals

from milepost.errors import JobFailed
from milepost.executors.stopping import Stopping
from milepost.job.dead_limit import dead_allowed
from milepost.job.progress import Progress
from milepost.job.state import JobState
from milepost.roles import Outcome
from milepost.state.manager import StateManager
from milepost.state.reading.comparing import InputComparison
from milepost.state.reading.failures import FailureGroup
from milepost.state.recovery import RecoveryPlan
from milepost.text.commands import command
from milepost.text.escapes import printable
from milepost.text.wording import bounded, items_counted, one_line

__all__ = ["RunOutcome", "checked_outcome", "outcome_of"]

_MOST_WHY = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended, and what it did.

    `state` is the job's as the run left it, `plan` the recovery plan that it began with, `inputs`
    how the items that it was given differ from the job's, if it was given any. `stopped_by` is
    the signal that stopped it, None where none did; `stop_reason` is the signal's name, or why
    else it was asked to stop, empty where it was not. `halt_reason` says why nothing was left to
    do for the run before the job had ended (a phase without a function, say), otherwise it is
    empty. `why` says why the job has not succeeded, in one sentence, and is empty where it has;
    `advice` says what to do next. `done_count` results were recorded and `failure_count` attempts
    failed in this run, `death_count` were lost with their executor. Where either is so, or items
    are dead, `failures` are all failures of the job by kind and cause, the most frequent first,
    those of earlier runs too.
    `deferred_count` times an item was put off by a `Later`, and `cost` is what calls of this run
    said by `item.spent`, in their own unit.
    """

    state: JobState
    plan: RecoveryPlan
    inputs: InputComparison | None
    stopped_by: Signals | None
    done_count: int
    failure_count: int
    stop_reason: str = ""
    halt_reason: str = ""
    why: str = ""
    advice: str = ""
    failures: tuple[FailureGroup, ...] = ()
    deferred_count: int = 0
    death_count: int = 0
    cost: float = 0.0

    def __repr__(self) -> str:
        return one_line(f"<RunOutcome {self._told()}>")

    def __str__(self) -> str:
        told = f"job {self._told()}"
        return printable(f"{told}; next: {self.advice}" if self.advice else told)

    def _told(self) -> str:
        because = f": {self.why}" if self.why else ""
        counts = told_counts(self.state.progress)
        return f"{self.state.id} is {self.phase}{because}" + (f"; {counts}" if counts else "")

    @property
    def phase(self) -> str:
        """The phase that the job is in now."""
        return self.state.phase

    @property
    def interrupted(self) -> bool:
        """True if the run was asked to stop, and ended before the job had."""
        return bool(self.stop_reason) and not self.state.finished

    @property
    def succeeded(self) -> bool:
        """True if the job has ended, and neither failed nor was cancelled."""
        return self.state.finished and _has_ended_well(self.state)

    @property
    def done_before_count(self) -> int:
        """Items whose results were there when the run began, and which it left alone."""
        return len(self.plan.done)

    @property
    def redone_count(self) -> int:
        """Items that somebody had begun and not ended when the run began."""
        return len(self.plan.in_flight)


def outcome_of(
    manager: StateManager,
    state: JobState,
    plan: RecoveryPlan,
    inputs: InputComparison | None,
    stop: Stopping,
    *,
    done_count: int = 0,
    failure_count: int = 0,
    deferred_count: int = 0,
    death_count: int = 0,
    cost: float = 0.0,
    halted: str = "",
) -> RunOutcome:
    """How a run ended that left its job in `state`. Cost: see `why_in`, and the failures."""
    told = {"stopped": stop.reason, "halted": halted}
    troubled = bool(failure_count or death_count or state.progress.dead)
    return RunOutcome(
        state=state,
        plan=plan,
        inputs=inputs,
        stopped_by=stop.signal,
        done_count=done_count,
        failure_count=failure_count,
        deferred_count=deferred_count,
        death_count=death_count,
        cost=cost,
        stop_reason=stop.reason,
        halt_reason=halted,
        why=why_in(manager, state, **told),
        advice=advice_for(state, **told),
        failures=tuple(manager.failure_groups(state.id, undecoded=True)) if troubled else (),
    )


def checked_outcome(outcome: RunOutcome) -> RunOutcome:
    """`outcome`. Raises JobFailed unless the job has succeeded, or the run was stopped."""
    if not outcome.succeeded and not outcome.interrupted:
        raise JobFailed(
            job_id=outcome.state.id,
            phase=outcome.phase,
            why=outcome.why,
            counts=told_counts(outcome.state.progress),
            advice=outcome.advice,
        )
    return outcome


def told_counts(progress: Progress) -> str:
    """How many items are where, in words; those of which there are none are left out."""
    places = ("done", "pending", "running", "failed", "dead", "skipped", "other")
    told = [f"{count} {place}" for place in places if (count := getattr(progress, place))]
    return f"{', '.join(told)} of {items_counted(progress.total)}" if told else ""


def why_in(manager: StateManager, state: JobState, *, stopped: str, halted: str) -> str:
    """Why the job is where a run left it, in one sentence; empty where it has succeeded.

    `stopped` says why the run was asked to stop, `halted` why nothing was left to do for it. Cost:
    a pass over the tallies of a job that has failed or was cancelled.
    """
    if _is_over(state):
        return "" if _has_ended_well(state) else bounded(_why_over(manager, state), _MOST_WHY)
    if stopped:
        return f"the run was stopped ({stopped})"
    return bounded(halted, _MOST_WHY)


def advice_for(state: JobState, *, stopped: str, halted: str) -> str:
    """What to do next about a job that a run left in `state`, in one sentence; or nothing."""
    job, dead = state.id, state.progress.dead
    if stopped and not _is_over(state):
        return "run it again: it goes on where it was left"
    if not _is_over(state):
        if state.phase in state.roles.paused:
            return "run it again when it is to go on: that resumes it"
        return "see to what is missing, and run it again" if halted else ""
    if _has_ended_well(state):
        left = f"the {items_counted(dead)} that {'has' if dead == 1 else 'have'} no result"
        return f"{command('dead', job)} tells of {left}" if dead else ""
    if not _resumes(state):
        return "it has ended for good: fork it from before, or create another job"
    if any(bool(found) for _, found in state.takers_of("requeue")):
        requeue = command("requeue", job, "--apply")
        allowed = dead_allowed(state)
        if state.roles.allow_dead is not None and allowed is not None and dead > allowed:
            requeue += f" or {command('allow-dead', job, dead - allowed, '--apply')}"
        return f"{command('dead', job, '--details')} tells why; then {requeue}, and run it again"
    return "mend what failed, and run it again: it goes on in the phase that failed"


def _why_over(manager: StateManager, state: JobState) -> str:
    """Why a job has failed or was cancelled, by the event that brought it there."""
    seq = manager.phase_entered(state.id, state.seq)
    events = manager.get_state_history(state.id, after=seq - 1, upto=seq)
    entered = [event for event in events if event.target == state.phase != event.source]
    failure = state.roles.failure
    if not entered:
        return ""
    event = entered[-1]
    if failure is not None and event.event == failure.event:
        message = str(event.payload.get(failure.message, ""))
        return f"{event.source} failed" + (f": {message}" if message else "")
    if event.event == state.roles.cancel:
        told = "; ".join(str(value) for value in event.payload.values() if value)
        return f"{event.source} was cancelled" + (f": {told}" if told else "")
    dead, allowed = state.progress.dead, dead_allowed(state)
    if dead and allowed is not None and dead > allowed:
        return f"{dead} dead, {allowed} allowed"
    return f"{event.event} led there from {event.source}"


def _is_over(state: JobState) -> bool:
    return state.finished or state.phase in state.roles.outcomes


def _has_ended_well(state: JobState) -> bool:
    return state.roles.outcomes.get(state.phase, Outcome.SUCCEEDED) is Outcome.SUCCEEDED


def _resumes(state: JobState) -> str:
    """The event that takes the job up again from where it rests, `""` for none."""
    return state.roles.resume.get(state.phase, "")
