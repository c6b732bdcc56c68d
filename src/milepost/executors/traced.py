"""A run with spans: its calls carry their context along, and tell how they ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from msgspec.structs import replace

from milepost.executors.calls import Calls
from milepost.executors.endings import Ended
from milepost.executors.stopping import Stopping
from milepost.job.state import JobState
from milepost.progress.seen import Seen
from milepost.roles import Outcome
from milepost.state.manager import StateManager
from milepost.state.writing.lease import default_owner
from milepost.tracing import RunTrace, run_trace
from milepost.worker.attempts import MapFn
from milepost.worker.items import WorkItem

__all__ = ["Tracing", "traced", "traced_calls"]

_LOOKED_AT: Final = 16  # commits: a run gives its lease back in its last ones


class Tracing:
    """The spans of a run from before it has the job, or nothing at all if nobody traces."""

    def __init__(self, manager: StateManager, before: JobState, stop: Stopping) -> None:
        self._manager = manager
        self._before = before
        self.trace = run_trace(before.id, before.lifecycle.name)
        self.told: Callable[[], Seen] = lambda: Seen(before, 0, 0, stopping=stop.reason)

    def owner(self, owner: str | None) -> str | None:
        """The name to hold the job under: a later run finds this one's trace by it."""
        return owner if self.trace is None else self.trace.owner(owner or default_owner())

    def began(
        self, state: JobState, on_progress: Callable[[JobState], None]
    ) -> Callable[[JobState], None]:
        """What is to be called after each commit, now that the run has the job."""
        trace = self.trace
        if trace is None:
            return on_progress
        trace.follows(self._earlier)
        trace.began(state, fence=state.fence)

        def moved(newest: JobState) -> None:
            trace.moved(newest)
            on_progress(newest)

        return moved

    def ended(self, error: BaseException | None) -> None:
        """The run is over."""
        if self.trace is None:
            return
        seen = self.told()
        state = seen.state
        failed = state.roles.outcomes.get(state.phase) is Outcome.FAILED
        told = {
            "milepost.phase": state.phase,
            "milepost.run.done_count": seen.done_count,
            "milepost.run.failure_count": seen.failure_count,
            "milepost.run.stop_reason": seen.stopping,
            "milepost.run.halt_reason": seen.halted,
        }
        given = {name: value for name, value in told.items() if value != ""}
        self.trace.ended(given, error, f"the job is {state.phase}" if failed else "")

    def _earlier(self) -> str | None:
        """Who held the job before: who has not given it back, or who did so in its last commits."""
        before = self._before
        if before.owner is not None:
            return before.owner
        after = max(before.seq - _LOOKED_AT, 0)
        events = self._manager.get_state_history(before.id, after=after, upto=before.seq)
        owners = (e.payload.get("owner") for e in reversed(events) if e.event == "released")
        return next(owners, None)


@contextmanager
def traced(manager: StateManager, before: JobState, stop: Stopping) -> Iterator[Tracing]:
    """The spans of the run that the block is, which begins with the job in this state."""
    tracing = Tracing(manager, before, stop)
    try:
        yield tracing
    except BaseException as error:
        tracing.ended(error)
        raise
    tracing.ended(None)


def traced_calls(tracing: Tracing) -> Callable[..., Calls]:
    """What makes the calls of the run: those that carry a context along, if it is traced."""
    trace = tracing.trace
    if trace is None:
        return Calls

    def made(*given: Any, **named: Any) -> Calls:  # Any: as Calls takes it
        calls = _TracedCalls(*given, **named)
        calls.trace = trace
        return calls

    return made


class _TracedCalls(Calls):
    """Calls whose attempts are spans, from when they are handed out until it is known what came."""

    trace: RunTrace

    def begin(
        self, function: MapFn, items: Mapping[int, WorkItem], *, typed: bool, most: int = 1
    ) -> None:
        """As of Calls; each item carries the context of its own attempt."""
        carried: dict[int, WorkItem] = {}
        for ordinal, item in items.items():
            carrier = self.trace.attempt_began(ordinal, item.key, item.attempt)
            carried[ordinal] = item if carrier is None else replace(item, trace=carrier)
        super().begin(function, carried, typed=typed, most=most)

    def wait(self, longest_s: float, enough: int = 1) -> list[Ended]:
        """As of Calls."""
        return self._told(super().wait(longest_s, enough))

    def give_up(self) -> list[Ended]:
        """As of Calls."""
        return self._told(super().give_up())

    def _told(self, ended: list[Ended]) -> list[Ended]:
        for one in ended:
            self.trace.attempt_ended(one.ordinal, one.outcome, one.took_s)
        return ended
