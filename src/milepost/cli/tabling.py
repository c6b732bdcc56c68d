"""The options by which a command writes a table of a job, and the writing of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from milepost.cli.output import write_format
from milepost.cli.session import Session, find_job
from milepost.inspect import export as model
from milepost.inspect.json import as_json
from milepost.tables.files import FORMATS, Format
from milepost.tables.rows import What

__all__ = ["check_table_options", "with_table_options", "write_table_of"]

_F = TypeVar("_F", bound=Callable[..., Any])  # Any: what click decorates has any parameters

_STDOUT: Final = Path("-")
_TYPED: Final = ("parquet", "arrow")


def with_table_options(*, default: Format | None) -> Callable[[_F], _F]:
    """`--format`, `--out` and `--infer`; without a `default` format there may be none."""
    options = (
        click.option("--infer", is_flag=True, help="Values in typed columns, as first rows tell."),
        click.option(
            "--out",
            type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
            default=_STDOUT,
            metavar="FILE",
            help="Write to this file, whole or not at all; else to stdout, as jsonl alone.",
        ),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            default=default,
            show_default=default is not None,
            help="The format of a table; parquet and arrow need pyarrow.",
        ),
    )
    return lambda function: reduce(lambda decorated, option: option(decorated), options, function)


def check_table_options(context: click.Context, *, wanted: str, out: Path, infer: bool) -> None:
    """Raise UsageError for options that do not go together."""
    if infer and wanted not in _TYPED:
        raise click.UsageError(f"--infer goes with --format {' and '.join(_TYPED)}.", context)
    if out == _STDOUT and wanted != "jsonl":
        raise click.UsageError(f"which file? Name it with --out for --format {wanted}.", context)


def write_table_of(
    session: Session, job: str, *, what: What, wanted: Format, out: Path, infer: bool
) -> None:
    """Write a table of the job; a file is told of, lines on stdout are all that is written."""
    with session.reading() as manager:
        job_id = find_job(manager, job)
        if out == _STDOUT:
            for line in model.export_lines(manager, job_id, what=what):
                write_format(line, as_json)
            return
        view = model.export(manager, job_id, out, what=what, format=wanted, infer=infer)
    session.answer(view, lambda: model.export_page(view))
