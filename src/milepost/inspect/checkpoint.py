"""`milepost checkpoint`: the checkpoints of a job."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Column, Page, Table
from milepost.inspect.words import stamp
from milepost.job.state import CheckpointRef
from milepost.state.manager import StateManager

__all__ = ["CheckpointLine", "CheckpointView", "checkpoint", "checkpoint_line", "checkpoint_page"]


class CheckpointLine(Struct, frozen=True, kw_only=True):
    """A checkpoint of the state after commit `seq`, and the digest of what it holds."""

    seq: int
    reason: str
    checksum: str
    taken_at: datetime


class CheckpointView(Struct, frozen=True, kw_only=True):
    """The checkpoints of a job, newest first, and the seq of the one just `taken`, if one was."""

    SCHEMA: ClassVar[str] = "milepost.checkpoint/1"

    job: str
    taken: int | None
    checkpoints: tuple[CheckpointLine, ...]


def checkpoint(manager: StateManager, job_id: str, *, taken: int | None = None) -> CheckpointView:
    """The checkpoints of the job, newest first; `taken` is the seq of one just taken."""
    found = tuple(checkpoint_line(one) for one in manager.list_checkpoints(job_id))
    return CheckpointView(job=job_id, taken=taken, checkpoints=found)


def checkpoint_line(ref: CheckpointRef) -> CheckpointLine:
    """A checkpoint as answers have it."""
    return CheckpointLine(
        seq=ref.seq, reason=ref.reason, checksum=ref.checksum, taken_at=ref.taken_at
    )


def checkpoint_page(view: CheckpointView) -> Page:
    """A line for each checkpoint, newest first."""
    columns = (Column("SEQ", numeric=True), Column("TAKEN"), Column("REASON"), Column("CHECKSUM"))
    rows = tuple(
        (str(one.seq), stamp(one.taken_at), one.reason, one.checksum) for one in view.checkpoints
    )
    return (Table(columns=columns, rows=rows),) if rows else ()
