"""`milepost export`: the results, items or failures of a job, for other tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.json import to_json_line
from milepost.inspect.page import Note, Page
from milepost.state.manager import StateManager
from milepost.tables.files import Format, json_lines, write_table
from milepost.tables.rows import What
from milepost.tables.table import table

__all__ = ["ExportView", "export", "export_lines", "export_log", "export_page"]


class ExportView(Struct, frozen=True, kw_only=True):
    """A file that was written: `rows` of a job, and its size.

    Of the log of a job, `what` is `commits` and `format` is `log`.
    """

    SCHEMA: ClassVar[str] = "milepost.export/1"

    job: str
    what: str
    format: str
    file: str
    rows: int
    size_bytes: int


def export(
    manager: StateManager,
    job_id: str,
    path: Path,
    *,
    what: What,
    format: Format,  # noqa: A002 the option's name
    infer: bool,
) -> ExportView:
    """A table of a job, written to `path`. Raises as `milepost.tables.write_table` does."""
    found = table(manager, job_id, what, values="infer" if infer else "json")
    rows = write_table(found, path, format)
    size_bytes = path.stat().st_size
    return ExportView(
        job=job_id, what=what, format=format, file=str(path), rows=rows, size_bytes=size_bytes
    )


def export_log(manager: StateManager, job_id: str, path: Path) -> ExportView:
    """The log of a job, written to `path`. Raises as Upkeep.export_log does."""
    size_bytes = manager.upkeep.export_log(job_id, path)
    commits = manager.summary(job_id).seq
    return ExportView(
        job=job_id,
        what="commits",
        format="log",
        file=str(path),
        rows=commits,
        size_bytes=size_bytes,
    )


def export_lines(manager: StateManager, job_id: str, *, what: What) -> Iterator[str]:
    """The rows of a table as lines of JSON that are safe to show."""
    for line in json_lines(table(manager, job_id, what)):
        yield to_json_line(line)


def export_page(view: ExportView) -> Page:
    """One line: what is in the file."""
    rows = f"{view.rows:,} row{'' if view.rows == 1 else 's'}"
    return (Note(f"{view.file}: {rows} of {view.what}, {view.size_bytes:,} bytes"),)
