"""How the figures of a run read: numbers, times, and one line of all of them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milepost.progress.figures import Figures

__all__ = ["details", "left", "line", "rate", "span"]

_MANY_DAYS: Final = 99


def span(seconds: float) -> str:
    """A length of time as `0:01:20`, or `3 d 04:00:00`, in whole seconds."""
    whole = round(seconds)
    days, in_day = divmod(whole, 86_400)
    if days > _MANY_DAYS:
        return f"more than {_MANY_DAYS} d"
    minutes, second = divmod(in_day, 60)
    hours, minute = divmod(minutes, 60)
    if days:
        return f"{days} d {hours:02}:{minute:02}:{second:02}"
    return f"{hours}:{minute:02}:{second:02}"


def rate(rate_per_s: float | None) -> str:
    """A rate in items a second, a minute or an hour, whichever reads best; or ``""``."""
    if rate_per_s is None:
        return ""
    for name, seconds in (("s", 1), ("min", 60)):
        if rate_per_s * seconds >= 1:
            return f"{_figure(rate_per_s * seconds)}/{name}"
    return f"{_figure(rate_per_s * 3_600)}/h"


def left(figures: Figures) -> str:
    """How long the items will take; ``""`` where there are none to wait for, or nothing tells."""
    if figures.ended or not figures.works or figures.left_s is None:
        return ""
    return f"{span(figures.left_s)} left"


def details(figures: Figures, now: datetime) -> list[str]:
    """What there is to say beside how many items are settled, in a few words each.

    `now` is the time of day to count the next start from.
    """
    counts = (
        (figures.held_count, "held"),
        (figures.waiting_count, "waiting"),
        (figures.failure_count, "failures" if figures.failure_count != 1 else "failure"),
        (figures.dead_count, "dead"),
        (figures.skipped_count, "skipped"),
    )
    told = [f"{count:,} {name}" for count, name in counts if count]
    if figures.next_due_s is not None and not figures.ended:
        due = now + timedelta(seconds=figures.next_due_s)
        told.append(f"paused until {due:%H:%M:%S}")
    if figures.step_count and not figures.ended:
        told.append(f"{figures.step_count} step{'s' * (figures.step_count != 1)} done")
    if figures.cost:
        told.append(f"cost {_figure(figures.cost)}")
    return told


def line(figures: Figures, now: datetime) -> str:
    """All of it in one line, for a log."""
    where = figures.ended or _phase(figures)
    parts = [f"job {figures.job_id}: {where}"]
    if figures.total_count and (figures.works or figures.ended):
        share = figures.settled_count / figures.total_count
        of_all = f"{figures.settled_count:,} of {figures.total_count:,} ({share:.0%})"
        parts[0] = f"{parts[0]}, {of_all}"
    if figures.works or figures.ended:
        parts += [rate(figures.rate_per_s), left(figures)]
    parts += details(figures, now)
    parts.append(f"after {span(figures.elapsed_s)}")
    return ", ".join(part for part in parts if part)


def _phase(figures: Figures) -> str:
    if not figures.phase_number:
        return figures.phase
    return f"{figures.phase} ({figures.phase_number} of {figures.phase_count})"


def _figure(number: float) -> str:
    """A number with three digits or so, and no more than two after the point."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
