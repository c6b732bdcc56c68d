"""`milepost sizes`: where the bytes of a job are."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Column, Fields, Page, Table
from milepost.log.rows import StoredSizes
from milepost.state.manager import StateManager

__all__ = ["LargeValue", "SizesView", "StoredPart", "sizes", "sizes_page"]


class LargeValue(Struct, frozen=True, kw_only=True):
    """A value, by where it is, and the bytes of its JSON."""

    place: str
    size_bytes: int


class StoredPart(Struct, frozen=True, kw_only=True):
    """How much of a job is stored, in rows and in bytes as they are stored.

    The `inputs` are the items, with those that are coming in; the `keys` say where keys are. The
    commits are counted with those that are in blocks. The `spans` are the index of the log, with
    states along it.
    """

    inputs_rows: int
    inputs_bytes: int
    keys_rows: int
    keys_bytes: int
    commits: int
    heads_bytes: int
    bodies_bytes: int
    checkpoints: int
    checkpoints_bytes: int
    spans: int
    spans_bytes: int


class SizesView(Struct, frozen=True, kw_only=True):
    """Where the bytes of a job are, as stored, and its largest values, as JSON."""

    SCHEMA: ClassVar[str] = "milepost.sizes/1"

    job: str
    seq: int
    total_bytes: int
    stored: StoredPart
    largest: tuple[LargeValue, ...]


def sizes(manager: StateManager, job_id: str, *, largest: int) -> SizesView:
    """Where the bytes of one job are. Every value of it is read. Raises JobAbsent."""
    found = manager.sizes(job_id, largest=largest)
    return SizesView(
        job=found.job_id,
        seq=found.seq,
        total_bytes=found.stored.total_bytes,
        stored=_stored(found.stored),
        largest=tuple(LargeValue(place=p, size_bytes=size) for p, size in found.largest),
    )


def sizes_page(view: SizesView) -> Page:
    """Bytes by what they are for, then the largest values."""
    stored = view.stored
    rows = (
        ("inputs", stored.inputs_rows, stored.inputs_bytes),
        ("index of keys", stored.keys_rows, stored.keys_bytes),
        ("facts", stored.commits, stored.heads_bytes),
        ("payloads", stored.commits, stored.bodies_bytes),
        ("checkpoints", stored.checkpoints, stored.checkpoints_bytes),
        ("index of log", stored.spans, stored.spans_bytes),
    )
    return (
        Fields(entries=(("job", view.job), ("as of", f"seq {view.seq}"))),
        Table(
            title="stored, in bytes",
            columns=(
                Column("WHAT"),
                Column("ROWS", numeric=True),
                Column("BYTES", numeric=True),
            ),
            rows=(
                *((name, f"{count:,}", f"{size:,}") for name, count, size in rows),
                ("all", "", f"{view.total_bytes:,}"),
            ),
        ),
        Table(
            title="largest values, in bytes of JSON",
            columns=(Column("BYTES", numeric=True), Column("WHERE")),
            rows=tuple((f"{large.size_bytes:,}", large.place) for large in view.largest),
            empty="the job has no values",
        ),
    )


def _stored(found: StoredSizes) -> StoredPart:
    return StoredPart(
        inputs_rows=found.inputs_rows,
        inputs_bytes=found.inputs_bytes,
        keys_rows=found.keys_rows,
        keys_bytes=found.keys_bytes,
        commits=found.commits,
        heads_bytes=found.heads_bytes,
        bodies_bytes=found.bodies_bytes,
        checkpoints=found.checkpoints,
        checkpoints_bytes=found.checkpoints_bytes,
        spans=found.spans,
        spans_bytes=found.spans_bytes,
    )
