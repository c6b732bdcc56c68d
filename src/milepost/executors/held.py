"""The job as a run holds it: its newest state, and what is written to it under the run's lease."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from milepost.errors import JobReplaced, LeaseLost, MilepostError, StoreReplaced, TransitionRefused
from milepost.executors.checkpoints import Checkpoints
from milepost.job.state import JobState
from milepost.machine import Values
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent
from milepost.state.writing.lease import Lease

__all__ = ["HeldJob"]


@dataclass(slots=True, kw_only=True)
class HeldJob:
    """A job under the lease of one run. `state` is the newest that the run knows.

    One that has ended has no `lease`: nothing is written to it.
    """

    manager: StateManager
    lease: Lease | None
    checkpoints: Checkpoints
    on_progress: Callable[[JobState], None]
    state: JobState

    def record(self, events: Sequence[ItemEvent]) -> JobState:
        """The state after one commit of `events`, not yet taken for the job's: see `moved`."""
        before = self.state
        return self._after(before, self.manager.record(self.state.id, events, lease=self._lease))

    def fire(self, event: str, payload: Values | None) -> bool:
        """The job takes the event; False if somebody else moved it on before."""
        before = self.state
        try:
            state = self.manager.fire(self.state.id, event, payload, lease=self._lease)
        except TransitionRefused as refused:
            self.reload(refused)
            return False
        self.moved(self._after(before, state))
        return True

    def reload(self, refused: MilepostError) -> None:
        """The newest state, in which what was refused can be decided anew."""
        if not self.moved_on():
            raise refused

    def moved_on(self) -> bool:
        """True if others changed what decides, since the job was last looked at.

        A checkpoint is a commit too, and changes nothing: what is refused is refused again.
        """
        before = self.state
        self.look()
        now = self.state
        return now.seq != before.seq and (
            (now.phase, now.context, now.variables, now.items)
            != (before.phase, before.context, before.variables, before.items)
        )

    def look(self) -> None:
        """See what others did to the job.

        Raises LeaseLost if another holds it, JobAbsent, StoreReplaced if its log was set back.
        """
        self.state = self._after(self.state, self.manager.get_state(self.state.id))
        lease = self._lease
        if self.state.number != lease.number:
            raise JobReplaced(job_id=self.state.id, url=self.manager.url, what=repr(lease))
        if self.state.fence != lease.fence:
            raise LeaseLost(
                job_id=self.state.id,
                owner=lease.owner,
                fence=lease.fence,
                current_owner=self.state.owner,
                current_fence=self.state.fence,
            )

    def moved(self, state: JobState) -> None:
        """Take `state` for the job's, tell of it, and put it aside if that is due."""
        self.state = state
        self.on_progress(state)
        self.checkpoints.moved(state)

    def _after(self, before: JobState, state: JobState) -> JobState:
        """`state`, seen after `before`. Raises StoreReplaced where its log is shorter now.

        A repair that shortens it takes the lease with it; a server that was set back does not. What
        was under way by the log may have ended before that, and nobody would end it again.
        """
        if state.number == before.number and state.fence == before.fence and state.seq < before.seq:
            problem = (
                f"the log of job {state.id} is at commit {state.seq}, and was at {before.seq}: the"
                " server was set back, to a backup or a standby that had less, and what was"
                " acknowledged since is gone: resume it by another run, from what is there"
            )
            raise StoreReplaced(url=self.manager.url, problem=problem)
        return state

    @property
    def _lease(self) -> Lease:
        assert self.lease is not None, "nothing is asked of a job that has ended"
        return self.lease
