"""The checkpoints of one run: at each new phase, and when its policy says that one is due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from milepost.errors import ValueInvalid
from milepost.job.state import JobState
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager

__all__ = ["Checkpoints"]

_log: Final = logging.getLogger("milepost.executors")


class Checkpoints:
    """Takes them for a run that begins at `state`. `clock` gives seconds that never fall."""

    def __init__(
        self,
        manager: StateManager,
        policy: CheckpointPolicy,
        clock: Callable[[], float],
        state: JobState,
    ) -> None:
        self._manager = manager
        self._policy = policy
        self._clock = clock
        self._begin_interval(state)

    def moved(self, state: JobState) -> None:
        """Take one if it is due, now that the job is at `state`."""
        if state.phase != self._phase:
            self.take(state, f"phase {state.phase}")
        else:
            self._take_if_due(state)

    def looked(self, state: JobState) -> None:
        """Take one if the policy says so, though the run itself has not moved the job.

        None where nothing was settled since the last one. That is a commit too: by a policy of one
        after each commit it would be followed by another at each look.
        """
        if state.progress.settled > self._settled:
            self._take_if_due(state)

    def take(self, state: JobState, reason: str) -> None:
        """Take one now, and begin the next interval."""
        try:
            self._manager.create_checkpoint(state.id, reason=reason, keep=self._policy.keep)
        except ValueInvalid as error:  # the log has everything that it would have
            _log.warning("job %s: no checkpoint: %s", state.id, error)
        self._begin_interval(state)

    def _take_if_due(self, state: JobState) -> None:
        if self._policy.due(
            settled_items=state.progress.settled - self._settled,
            commits=state.seq - self._seq,
            elapsed_s=self._clock() - self._at_s,
        ):
            self.take(state, "policy")

    def _begin_interval(self, state: JobState) -> None:
        self._phase = state.phase
        self._settled = state.progress.settled
        self._seq = state.seq
        self._at_s = self._clock()
