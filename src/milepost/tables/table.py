"""A table of a job that any reader of Arrow takes: streamed by the PyCapsule interface."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec

from milepost import arguments
from milepost.errors import ExtraAbsent, RowUnfit
from milepost.state.manager import StateManager
from milepost.tables.rows import WHATS, Column, TableRow, What, columns_of, rows_of
from milepost.tables.typed import joined, misfit, type_of, wanted_type

__all__ = ["BATCH_BYTES", "Table", "ValueTypes", "table"]

ValueTypes: TypeAlias = Any  # Any: pyarrow is no dependency
"""How JSON values stand in a table: `"json"`, `"infer"`, a pyarrow Schema or DataType."""

BATCH_BYTES: Final = 8 * 1024 * 1024
_BATCH_ROWS: Final = 65_536
_LEAST_BYTES: Final = 1024


def table(
    manager: StateManager,
    job_id: str,
    what: What = "results",
    *,
    values: ValueTypes = "json",
    batch_bytes: int = BATCH_BYTES,
) -> Table:
    """A table of a job for polars, duckdb, pandas and whatever else reads Arrow.

    Nothing is read before a reader asks for it, and then a batch at a time.

    Args:
        manager: The manager of the store, which stays open while the table is read.
        job_id: The job.
        what: A row for each of the `"results"`, `"items"` or `"failures"`.
        values: The results, or the items' values, as JSON text with `"json"`. Typed columns with
            a pyarrow Schema (of the fields of objects) or DataType, or as the first batch tells
            with `"infer"`.
        batch_bytes: About how many bytes of rows are held at once.

    Raises:
        JobAbsent: The store has no such job.
        ArgumentInvalid: What was given is none of these.
        ExtraAbsent: Types are asked for and pyarrow is not installed.
    """
    arguments.instance("manager", manager, StateManager)
    arguments.choice("what", what, WHATS)
    batch_bytes = arguments.integer("batch_bytes", batch_bytes, _LEAST_BYTES)
    wanted: Any = values
    if not isinstance(values, str):
        try:
            wanted = wanted_type(pyarrow(), values)
        except TypeError:
            arguments.refuse("values", values, "'json', 'infer', or a pyarrow Schema or DataType")
    else:
        arguments.choice("values", values, ("json", "infer"))
    manager.get_state(job_id)
    return Table(manager, job_id, what, wanted, batch_bytes)


class Table:
    """The rows of a job. Each reading of it begins anew, as of its own first step."""

    def __init__(
        self, manager: StateManager, job_id: str, what: What, values: ValueTypes, batch_bytes: int
    ) -> None:
        self._manager = manager
        self._values = values
        self._batch_bytes = batch_bytes
        self.job_id: Final = job_id
        self.what: Final[What] = what
        self.columns: Final = columns_of(what)

    def __repr__(self) -> str:
        return f"<Table of the {self.what} of job {self.job_id}>"

    def rows(self) -> Iterator[TableRow]:
        """The rows, streamed; JSON values as encoded bytes. Needs no pyarrow.

        Raises JobAbsent, RoleAbsent.
        """
        return rows_of(self._manager, self.job_id, self.what)

    @property
    def typed(self) -> bool:
        """True if JSON values stand in columns of types, and not as text."""
        return not isinstance(self._values, str) or self._values != "json"

    @property
    def schema(self) -> Any:  # Any: pyarrow is no dependency
        """The pyarrow Schema of the batches. Reads the first batch where types are inferred.

        Raises ExtraAbsent, RowUnfit.
        """
        return self._opened()[0]

    def record_batches(self) -> Iterator[Any]:  # Any: pyarrow is no dependency
        """The rows as pyarrow RecordBatches, one of about `batch_bytes` at a time.

        Raises ExtraAbsent, RowUnfit for a row that does not fit its types, JobAbsent, RoleAbsent.
        """
        yield from self._opened()[1]

    def reader(self) -> Any:  # Any: pyarrow is no dependency
        """A pyarrow RecordBatchReader, which reads as it is read. Raises as `record_batches`."""
        schema, batches = self._opened()
        return pyarrow().RecordBatchReader.from_batches(schema, batches)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A PyCapsule of an ArrowArrayStream, by the PyCapsule interface of Arrow."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def _opened(self) -> tuple[Any, Iterator[Any]]:
        """The schema, and the batches that have it."""
        pa = pyarrow()
        parts = _parts(self.rows(), self._batch_bytes)
        values = self._values
        if isinstance(values, str):
            if values == "infer" and any(column.kind == "json" for column in self.columns):
                first = next(parts, [])
                parts = chain([first], parts) if first else parts
                values = self._inferred(pa, first)
            else:
                values = None
        schema = pa.schema([(column.name, _type(pa, column, values)) for column in self.columns])
        return schema, (self._batch(pa, schema, part, values) for part in parts)

    def _inferred(self, pa: Any, rows: list[TableRow]) -> Any:
        at = next(i for i, column in enumerate(self.columns) if column.kind == "json")
        found = pa.null()
        for row in rows:
            value = msgspec.json.decode(row.values[at])
            try:
                found = joined(pa, found, type_of(pa, value))
            except ValueError as error:
                raise self._unfit(self.columns[at], row, str(error)) from error
        return found

    def _batch(self, pa: Any, schema: Any, rows: list[TableRow], values: Any) -> Any:
        arrays = []
        for at, column in enumerate(self.columns):
            given = [row.values[at] for row in rows]
            if column.kind == "json" and values is not None:
                given = [msgspec.json.decode(value) for value in given]
                for row, value in zip(rows, given, strict=True):
                    if problem := misfit(pa, value, values):
                        raise self._unfit(column, row, problem)
            elif column.kind == "json":
                given = [value.decode() for value in given]
            arrays.append(pa.array(given, type=schema.field(at).type))
        return pa.record_batch(arrays, schema=schema)

    def _unfit(self, column: Column, row: TableRow, problem: str) -> RowUnfit:
        return RowUnfit(
            job_id=self.job_id, item=row.key, seq=row.seq, column=column.name, problem=problem
        )


def pyarrow() -> Any:  # Any: pyarrow is no dependency
    """The module pyarrow, imported when it is first needed. Raises ExtraAbsent."""
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise ExtraAbsent(
            package="pyarrow", extra="arrow", needed_by="Arrow and parquet"
        ) from error


def _type(pa: Any, column: Column, values: Any) -> Any:
    if column.kind == "json":
        return pa.string() if values is None else values
    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }[column.kind]


def _parts(rows: Iterator[TableRow], batch_bytes: int) -> Iterator[list[TableRow]]:
    """The rows in lists of about so many bytes, of 65,536 rows at most."""
    part: list[TableRow] = []
    held = 0
    for row in rows:
        if part and (held + row.size_bytes > batch_bytes or len(part) == _BATCH_ROWS):
            yield part
            part, held = [], 0
        part.append(row)
        held += row.size_bytes
    if part:
        yield part
