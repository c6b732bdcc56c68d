"""What was in flight when an executor stopped: handed back, or held under suspicion if it died.

One of the items that were in flight at a death may have caused it. They are suspects: they begin
one at a time, alone, so that the next death names the one. An item that executors die of is so
told apart from one that fails, and from those that were only beside it.
"""

from __future__ import annotations

from typing import Any, Final

from pyroaring import BitMap

from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsFired, JobFired

__all__ = ["EXECUTOR_LOST", "death_told", "let_go", "lets_go_by"]

EXECUTOR_LOST: Final = "executor_lost"
"""The cause of what is told of an item whose executor died."""


def death_told(state: JobState, ordinal: int) -> str:
    """What an executor's death says of an item that it had: nothing, unless it is a suspect."""
    _, context = state.items.member(ordinal)
    if not context.get("suspect"):
        return ""
    crashes, most = context["crashes"] + 1, context["max_crashes"]
    return f"its executor died while it ran alone: {crashes} of {most} times"


def lets_go_by(state: JobState, *, lost: bool) -> str:
    """The event by which what is in flight leaves the hands of whoever had it.

    `lost` says that whoever had it died.
    """
    return "interrupt" if lost or not _tells_of(state) else "release"


def let_go(
    state: JobState, members: BitMap, body: dict[str, Any] | None, *, lost: bool
) -> list[Draft]:
    """The facts that take those of `members` that are in flight out of the hands they are in.

    `body` goes with the event `recover` of the job, which takes all that are in flight at once;
    where some of them are not among `members` it does not come to that.
    """
    event = lets_go_by(state, lost=lost)
    running = state.items.members("running")
    hit = running & members
    told = bitmap()
    drafts: list[Draft] = []
    if event == "interrupt" and _tells_of(state):
        told = hit & state.items.marked("suspect")
    if told:
        messages = [{"message": death_told(state, ordinal)} for ordinal in told]
        drafts.append(Draft(fact=ItemsFired("crash", list(told)), body=messages))
    if running - members:
        if hit - told:
            drafts.append(Draft(fact=ItemsFired(event, list(hit - told))))
    elif state.orphaned or running:
        payload = {"lost": event == "interrupt"} if _tells_of(state) else {}
        drafts.append(Draft(fact=JobFired("recover", payload), body=body))
    return drafts


def _tells_of(state: JobState) -> bool:
    """True if the job's lifecycle tells deaths from other ends."""
    return any(part.name == "lost" for part in state.machine.event_specs["recover"].fields)
