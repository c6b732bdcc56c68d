"""The figures of one look at a run: what a bar and a line have to show, and no word of how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost.progress.pace import Pace
from milepost.text.wording import short_repr

if TYPE_CHECKING:
    from milepost.progress.seen import Seen

__all__ = ["Figures", "Meter"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Figures:
    """What is shown of a run.

    `phase` is the `phase_number`th of `phase_count`; in one that `works`, items are worked on, of
    which `settled_count` of `total_count` need no more work. `rate_per_s` and `left_s` are None
    where nothing tells yet. `next_due_s` is given where all that is left waits for a time. `ended`
    says how the run ended, and is empty while it goes on.
    """

    job_id: str
    phase: str
    phase_number: int
    phase_count: int
    works: bool
    total_count: int
    settled_count: int
    held_count: int
    dead_count: int
    skipped_count: int
    waiting_count: int
    done_count: int
    failure_count: int
    step_count: int
    cost: float
    rate_per_s: float | None
    left_s: float | None
    next_due_s: float | None
    elapsed_s: float
    ended: str = ""


class Meter:
    """Turns looks at one run into figures: keeps its pace, and when it began."""

    def __init__(self, first: Seen, now_s: float) -> None:
        self._began_s = now_s
        self._pace = Pace(_worked_off(first), now_s)

    def figures(self, seen: Seen, now_s: float, *, ended: str = "") -> Figures:
        """What is to be shown of `seen` at `now_s`, by the clock that the meter began with."""
        state = seen.state
        progress = state.progress
        phases = state.roles.phases
        number = next((n for n, each in enumerate(phases, 1) if each.state == state.phase), 0)
        works = any(each.works for each in phases if each.state == state.phase)
        all_wait = seen.next_due_s is not None and not progress.running
        self._pace.saw(_worked_off(seen), now_s, paused=all_wait or not works)
        left_s = self._pace.left_s(progress.left)
        if left_s is not None and all_wait:
            left_s += seen.next_due_s or 0.0
        start = f"{state.phase}/"
        return Figures(
            job_id=state.id,
            phase=state.phase,
            phase_number=number,
            phase_count=len(phases),
            works=works and bool(progress.total),
            total_count=progress.total,
            settled_count=progress.settled,
            held_count=progress.running,
            dead_count=progress.dead,
            skipped_count=progress.skipped,
            waiting_count=seen.waiting_count,
            done_count=seen.done_count,
            failure_count=seen.failure_count,
            step_count=sum(name.startswith(start) for name in state.variables),
            cost=seen.cost,
            rate_per_s=self._pace.rate_per_s,
            left_s=left_s,
            next_due_s=seen.next_due_s if all_wait else None,
            elapsed_s=now_s - self._began_s,
            ended=ended,
        )


def _worked_off(seen: Seen) -> int:
    """How many items are settled by work: what an operator skips is no speed."""
    progress = seen.state.progress
    return progress.settled - progress.skipped
