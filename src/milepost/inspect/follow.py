"""`milepost history --follow`: the events of a job as lines of JSON, commit after commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from milepost.inspect.history import HistoryLine, Wanted, history
from milepost.inspect.json import to_json_line
from milepost.state.manager import StateManager

__all__ = ["SCHEMA", "EventLine", "event_lines"]

SCHEMA: Final = "milepost.event/1"
"""The name of the form of a line; within one version fields are only ever added."""

_AT_ONCE: Final = 1_000


class EventLine(HistoryLine, frozen=True, kw_only=True):
    """One thing that happened to a job, on a line of its own."""

    job: str


def event_lines(
    manager: StateManager, job_id: str, *, after: int, upto: int, wanted: Wanted
) -> Iterator[str]:
    """A line for each event that is `wanted` of the commits with `after < seq <= upto`, in order.

    `seq` and `index`, its place in the commit, name it for good. So many commits are in memory at
    once as are folded in one piece. Raises as `history`.
    """
    for first in range(after, upto, _AT_ONCE):
        last = min(first + _AT_ONCE, upto)
        view = history(manager, job_id, after=first, upto=last, wanted=wanted)
        for event in view.events:
            line = EventLine(job=job_id, **msgspec.structs.asdict(event))
            yield to_json_line({"schema": SCHEMA, **msgspec.structs.asdict(line)})
