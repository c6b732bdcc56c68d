"""Reading rows out of blocks, a block at a time, a few of them held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from milepost.errors import LogCorrupt
from milepost.log.blocks import decode_bodies, decode_heads
from milepost.log.rows import Row
from milepost.stores.sqlite.schema import LAST as _LAST
from milepost.stores.sqlite.schema import SHIFT as _SHIFT

__all__ = ["BlockReader", "Select"]

Select: TypeAlias = Callable[[str, tuple[object, ...]], Iterator[tuple[Any, ...]]]
"""Runs a query; SQLite's errors come as ours."""

_HELD: Final = 8
_FIRST_ID: Final = "coalesce((SELECT max(id) FROM blocks WHERE id BETWEEN ? AND ?), ?)"


class BlockReader:
    """The rows that blocks hold, as of one moment. Memory: a few decoded blocks."""

    def __init__(self, select: Select, url: str) -> None:
        self._execute = select
        self._url = url
        self._held: OrderedDict[tuple[int, bool], list[Row]] = OrderedDict()

    def ranges(self, job: int, after: int) -> Iterator[tuple[int, int]]:
        """First and last seq of each block that has a row past `after`, in order."""
        rows = self._execute(
            f"SELECT id & {_LAST}, last FROM blocks WHERE id BETWEEN {_FIRST_ID} AND ? ORDER BY id",
            self._bounds(job, after + 1, _LAST),
        )
        for first, last in rows:
            if last > after:
                yield first, last

    def rows(self, job: int, first: int, last: int, *, bodies: bool) -> Iterator[Row]:
        """The rows from `first` to `last` that are in blocks, in order. Raises LogCorrupt."""
        found = self._execute(
            f"SELECT id, last FROM blocks WHERE id BETWEEN {_FIRST_ID} AND ? ORDER BY id",
            self._bounds(job, first, last),
        )
        for block, last_of_block in found:
            if last_of_block >= first:
                rows = self._decoded(job, block, last_of_block, max(first, block & _LAST), bodies)
                start = max(0, first - (block & _LAST))
                yield from rows[start : last + 1 - (block & _LAST)]

    def _decoded(self, job: int, block: int, last: int, wanted: int, bodies: bool) -> list[Row]:  # noqa: FBT001 ours
        """The rows of a block; `wanted` is the one that a failure keeps us from."""
        held = self._held.get((block, bodies))
        if held is not None:
            self._held.move_to_end((block, bodies))
            return held
        try:
            rows = self._held.get((block, False))
            if rows is None:
                rows = decode_heads(self._column("heads", block), block & _LAST, last)
            if bodies:
                rows = decode_bodies(self._column("bodies", block), rows)
        except ValueError as error:
            ids = self._execute("SELECT job_id FROM jobs WHERE number = ?", (job,))
            raise LogCorrupt(
                url=self._url,
                job_id=next((job_id for (job_id,) in ids), f"number {job}"),
                seq=wanted,
                problem=f"the block of commits {block & _LAST} to {last} {error}",
            ) from error
        self._held[block, bodies] = rows
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        return rows

    def _column(self, column: str, block: int) -> bytes:
        for (value,) in self._execute(f"SELECT {column} FROM blocks WHERE id = ?", (block,)):
            return bytes(value)
        raise ValueError("is gone")

    def _bounds(self, job: int, first: int, last: int) -> tuple[int, int, int, int]:
        base = job << _SHIFT
        return base, base + first, base + first, base + last
