"""`milepost delete`: one job that has ended is taken away, whatever its age."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from msgspec import Struct

from milepost.inspect.gc import states_of
from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.states import StateName
from milepost.inspect.words import duration
from milepost.state.keeping.retention import RetentionPolicy, Verdict, Why
from milepost.state.manager import StateManager
from milepost.text.commands import command

__all__ = ["DeleteView", "delete", "delete_page"]

_AT_ONCE: Final = timedelta()
_ENDED: Final = RetentionPolicy(
    completed=_AT_ONCE, failed=_AT_ONCE, cancelled=_AT_ONCE, ended=_AT_ONCE, tombstones=None
)
"""Whatever has ended may go; only a job's own `keep` stands in the way."""


class DeleteView(Struct, frozen=True, kw_only=True):
    """Whether one job may be deleted, and what was taken away: nothing unless `applied`.

    It is `accepted` where it has ended, nobody holds it and no `keep` of its own says otherwise.
    `refused` says why not, and `instead` is the command that helps. `rows` and `freed_bytes` count
    what was taken off the store.
    """

    SCHEMA: ClassVar[str] = "milepost.delete/1"

    applied: bool
    job: str
    seq: int
    phase: StateName
    outcome: StateName
    age_s: float
    size_bytes: int
    accepted: bool
    refused: str
    instead: str
    rows: int
    freed_bytes: int


def delete(manager: StateManager, job_id: str, *, reason: str, apply: bool) -> DeleteView:
    """Whether the job may go; it does with `apply`, in commits of a bounded size.

    Raises JobAbsent, and StoreUnreadable where the job cannot be read. Cost: one pass over the
    rows of the job.
    """
    plan = manager.plan_retention(_ENDED, job_ids=[job_id])
    (verdict,) = plan.verdicts
    refused, instead = _refused(verdict)
    rows = freed_bytes = 0
    applied = False
    if apply and verdict.goes:
        done = manager.collect(plan, reason=reason)
        rows, freed_bytes = done.rows, done.freed_bytes
        applied = verdict.job_id in done.deleted
        if done.passed_over:
            refused = "; ".join(why for _, why in done.passed_over)
            instead = command("show", job_id)
    phase, outcome = states_of(manager, verdict)
    return DeleteView(
        applied=applied,
        job=verdict.job_id,
        seq=verdict.seq,
        phase=phase,
        outcome=outcome,
        age_s=verdict.age.total_seconds(),
        size_bytes=verdict.size_bytes,
        accepted=not refused,
        refused=refused,
        instead=instead,
        rows=rows,
        freed_bytes=freed_bytes,
    )


def delete_page(view: DeleteView) -> Page:
    """The job, and what became of it."""
    entries: tuple[tuple[str, Cell], ...] = (
        ("job", view.job),
        ("phase", view.phase),
        ("as of", f"seq {view.seq}, {duration(view.age_s)} ago"),
        ("takes", f"{view.size_bytes:,} bytes"),
    )
    return (Fields(entries=entries), Note(_outcome(view)))


def _outcome(view: DeleteView) -> str:
    if view.applied:
        told = f"deleted: {view.rows:,} rows, {view.freed_bytes:,} bytes"
        return f"{told}; {view.refused}" if view.refused else told
    if not view.accepted:
        return f"not deleted: {view.refused}" + (f": `{view.instead}`" if view.instead else "")
    return "nothing was changed: --apply deletes it, for good"


def _refused(verdict: Verdict) -> tuple[str, str]:
    """Why the job stays, and the command that helps; empty where it may go."""
    job = verdict.job_id
    because = f": {verdict.reason}" if verdict.reason else ""
    match verdict.why:
        case Why.OLD:
            return "", ""
        case Why.ACTIVE:
            return (
                f"a job in {verdict.phase} has not ended, and would have to be cancelled first",
                command("cancel", job, "--apply"),
            )
        case Why.HELD:
            return f"{verdict.reason} holds it under a lease", command("show", job)
        case Why.UNKNOWN:
            told = f"it runs by {verdict.reason}, and no table for it is here (--lifecycle)"
            return told, command("lifecycles")
        case Why.UNREADABLE:
            return f"it cannot be read{because}", command("verify", job)
        case Why.FOR_EVER:
            return f"it is kept for ever{because}", command("keep", job, "--by-policy")
        case Why.YOUNG:
            kept_s = verdict.kept_for.total_seconds() if verdict.kept_for else 0
            told = f"it is kept for {duration(kept_s)} after its newest commit{because}"
            return told, command("keep", job, "--by-policy")
