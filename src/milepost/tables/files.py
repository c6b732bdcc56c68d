"""Tables as files: parquet and Arrow IPC by pyarrow, CSV and lines of JSON without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias, get_args

import msgspec

from milepost import arguments
from milepost.errors import ArgumentInvalid
from milepost.process.files import whole_file
from milepost.tables.rows import Column, TableRow, named
from milepost.tables.table import Table, pyarrow
from milepost.text import csv_lines

__all__ = ["FORMATS", "Format", "json_lines", "write_table"]

Format: TypeAlias = Literal["parquet", "arrow", "csv", "jsonl"]
"""The format of a file: parquet, an Arrow IPC file, CSV with a header, or a JSON object a line."""

FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def write_table(table: Table, path: str | Path, format: Format = "parquet") -> int:  # noqa: A002
    """Write a table to a file; how many rows it has.

    The file appears under its name once it is whole and durable, in place of one that was there.
    A device or a pipe is written to as it goes. Memory: a batch.

    Args:
        table: The table.
        path: Where the file goes; its folder must exist.
        format: The format. Typed values go into `"parquet"` and `"arrow"` alone.

    Raises:
        ExtraAbsent: The format needs pyarrow.
        RowUnfit: A row does not fit the types of the table.
        ArgumentInvalid: The format has no place for the types of the table.
        OSError: The file cannot be written.
    """
    arguments.instance("table", table, Table)
    arguments.choice("format", format, FORMATS)
    path = arguments.path("path", path)
    write = {"parquet": _parquet, "arrow": _arrow, "csv": _csv, "jsonl": _jsonl}[format]
    if table.typed and format in ("csv", "jsonl"):
        arguments.refuse("format", format, "'parquet' or 'arrow', where values have types")
    if format in ("parquet", "arrow"):
        pyarrow()  # before anything is made
    with whole_file(path) as out:
        return write(table, out)


def json_lines(table: Table) -> Iterator[dict[str, Any]]:  # Any: JSON
    """The rows as mappings of their columns, which JSON encodes."""
    return (named(table.columns, row) for row in table.rows())


def _jsonl(table: Table, out: BinaryIO) -> int:
    count = 0
    encode = msgspec.json.Encoder().encode
    for line in json_lines(table):
        out.write(encode(line) + b"\n")
        count += 1
    return count


def _csv(table: Table, out: BinaryIO) -> int:
    count = 0
    write = csv_lines.writer(lambda line: out.write(line.encode()))
    write([column.name for column in table.columns])
    for row in table.rows():
        write([_cell(column, row, at) for at, column in enumerate(table.columns)])
        count += 1
    return count


def _cell(column: Column, row: TableRow, at: int) -> str:
    value = row.values[at]
    if column.kind == "json" and value is not None:
        value = value.decode()
    elif column.kind == "flag" and value is not None:
        value = bool(value)
    return csv_lines.cell(value)


def _parquet(table: Table, out: BinaryIO) -> int:
    parquet: Any = import_module("pyarrow.parquet")
    return _by_batches(table, lambda schema: parquet.ParquetWriter(out, schema), "parquet")


def _arrow(table: Table, out: BinaryIO) -> int:
    ipc: Any = import_module("pyarrow.ipc")
    return _by_batches(table, lambda schema: ipc.new_file(out, schema), "arrow")


def _by_batches(table: Table, opened: Callable[[Any], Any], name: str) -> int:
    count = 0
    pa = pyarrow()
    reader = table.reader()
    try:
        writer = opened(reader.schema)
    except (pa.ArrowException, NotImplementedError) as error:
        told = " ".join(str(error).split())[:200]
        wanted = f"a format that has a place for all types of the table ({told})"
        raise ArgumentInvalid(name="format", given=name, wanted=wanted) from error
    with writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count
