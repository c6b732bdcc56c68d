"""What `show` and a notebook both say: how far the items are, and the newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from milepost.inspect.advice import NextStep
from milepost.inspect.checkpoint import CheckpointLine
from milepost.inspect.counts import Counts
from milepost.inspect.page import Cell, Column, Table
from milepost.inspect.words import stamp
from milepost.text.wording import counted

__all__ = ["NO_EVENT", "dead_line", "far", "newest_checkpoint", "next_table"]

NO_EVENT: Final = "no event in this phase"


def far(of: str, progress: Counts) -> Iterator[tuple[str, Cell]]:
    """How far the items are, `of` a collection where there are several."""
    settled, left = progress.settled, progress.left
    yield f"{of}settled", f"{sum(settled.values())} of {progress.total}{_each(settled)}"
    yield f"{of}left", f"{sum(left.values())}{_each(left)}"


def dead_line(progress: Counts, most: int | None) -> str:
    """How many items are dead, and how many may be; `most` is None for any number."""
    return f"{progress.dead} dead" + ("" if most is None else f", {most} allowed")


def newest_checkpoint(checkpoint: CheckpointLine | None, seq: int) -> str:
    """The newest checkpoint of a job whose newest commit is `seq`."""
    if checkpoint is None:
        return "none"
    taken = f"{checkpoint.reason}, {stamp(checkpoint.taken_at)}"
    before = counted(seq - checkpoint.seq, "commits")
    return f"at seq {checkpoint.seq} ({taken}), {before} before the newest"


def next_table(steps: tuple[NextStep, ...]) -> Table:
    """What to do next about a job, as commands and what they do."""
    return Table(
        title="what to do next",
        columns=(Column("COMMAND"), Column("WHAT IT DOES")),
        rows=tuple((step.command or "-", step.does) for step in steps),
    )


def _each(parts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count} {name}" for name, count in parts.items())
    return f": {listed}" if listed else ""
