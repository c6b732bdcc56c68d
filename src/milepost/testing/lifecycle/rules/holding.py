"""All random rules, and what must hold after each of them."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Final

from hypothesis.stateful import invariant

from milepost.conformance.walking import walked
from milepost.errors import StateError
from milepost.job.state import JobState
from milepost.state.persistence import StateStore
from milepost.state.reading.loading import JobLog
from milepost.testing.lifecycle.doing import JOB
from milepost.testing.lifecycle.looking import agree, check_plan, check_results, logged
from milepost.testing.lifecycle.reading import found_in
from milepost.testing.lifecycle.rules.copies import Copies
from milepost.testing.lifecycle.rules.events import Events
from milepost.testing.lifecycle.rules.leases import Leases
from milepost.testing.lifecycle.rules.recovery import Recovery

__all__ = ["Rules"]

_READ_EVERY: Final = 8


class Rules(Events, Leases, Recovery, Copies):
    """Two managers on one store, their leases, and a job of the definition that is told the same.

    `tried` counts the rules that were taken, by name, and the sequences of them.
    """

    @invariant()
    def holds(self) -> None:
        """State = fold(log) = definition, the chain verifies, the plan is a partition."""
        if not self.managers:
            return
        self.tried["rules"] += 1
        self.checks += 1
        looking = self.managers[self.checks % 2]
        state = looking.get_state(JOB)
        agree(state, self.job)
        assert (state.fence, state.owner, state.rejected_count) == (
            self.fence,
            self.owner,
            self.rejected,
        )
        assert self.managers[1 - self.checks % 2].get_state(JOB) == state
        check_results(looking, JOB, self.job)
        check_plan(looking, JOB, state)
        folded: list[JobState] = []
        self.place.fold(
            lambda store: logged(
                store, JOB, (self.lifecycle,), self.earlier, lambda log: folded.append(_folded(log))
            )
        )
        if state.as_logged is None:  # it was left under an earlier version, and not written since
            assert folded == [state], "the fold of the log from nothing is another state"
            self.past[state.seq] = self.job.copy()
        (verification,) = looking.verify(JOB)
        assert verification.sound, verification.problems
        if self.checks % _READ_EVERY == 0:
            self._read_by_another(state)

    def _read_by_another(self, state: JobState) -> None:
        """A second process finds the same."""
        if self.place.is_read_by_others:
            found = self.reader.read(self.module, self.place.url, JOB)
            results = found.pop("results", None)
            assert found == {**found_in(state), "sound": [True]}
            if results is not None:
                assert results == sorted(self.job.results())
            self.tried["reads by another process"] += 1

    def _conforms(self) -> None:
        """Each fact of each log is as `milepost conform` reads the definition."""
        job_ids = self.managers[0].job_ids()

        def walk(store: StateStore) -> None:
            for job_id in job_ids:
                logged(store, job_id, (self.lifecycle,), self.earlier, self._walk)

        self.place.fold(walk)

    def _walk(self, log: JobLog) -> None:
        found = walked(log, self.read)
        assert found.conforms, found.departure or found.untold
        self.tried["facts held against the file"] += found.facts

    def teardown(self) -> None:
        """Hold each log against the file, have it read once more, and close what is open.

        After an error nothing is looked at any more: what that finds would stand in its place.
        """
        met = sys.exc_info()[1]
        failed = isinstance(met, Exception) and met is not self._before
        try:
            if self.managers and not failed:
                self._read_by_another(self.managers[0].get_state(JOB))
                self._conforms()
        finally:
            held = [entry[1] for entry in self.leases if entry is not None]
            for one in (*self.gone, *held):  # of managers that are closed, or of leases long lost
                with suppress(StateError):
                    one.__exit__(None, None, None)
            for manager in self.managers:
                self.place.close_manager(manager)
            self.place.remove()


def _folded(log: JobLog) -> JobState:
    state = log.origin()
    for _, after in log.replay(state):
        state = after
    return state
