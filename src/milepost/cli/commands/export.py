"""`milepost export`: the results, items or failures of a job, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import write_format
from milepost.cli.session import find_job, session_of
from milepost.inspect import export as model
from milepost.inspect.json import as_json
from milepost.tables.files import FORMATS, Format
from milepost.tables.rows import WHATS, What

__all__ = ["export"]

_STDOUT: Final = Path("-")
_TYPED: Final = ("parquet", "arrow")


@click.command(
    "export",
    epilog=examples(
        "milepost export nightly --db jobs.db --format parquet --out results.parquet",
        "milepost export nightly --db jobs.db --what failures",
    ),
)
@job_argument
@click.option(
    "--what",
    type=click.Choice(WHATS),
    default="results",
    show_default=True,
    help="A row for each of these.",
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    default="jsonl",
    show_default=True,
    help="The format; parquet and arrow need pyarrow.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=_STDOUT,
    metavar="FILE",
    help="Write to this file, whole or not at all; else to stdout, as jsonl alone.",
)
@click.option("--infer", is_flag=True, help="Values in typed columns, as the first rows tell.")
@with_store
@click.pass_context
def export(
    context: click.Context,
    *,
    job: str,
    what: What,
    format: Format,  # noqa: A002 the option's name
    out: Path,
    infer: bool,
) -> None:
    """Write the results of a job as a table, or its items, or its failed attempts.

    Values are JSON text in one column. JOB is the job's id, or a beginning of it that no other job
    has.
    """
    if infer and format not in _TYPED:
        raise click.UsageError(f"--infer goes with --format {' and '.join(_TYPED)}.", context)
    if out == _STDOUT and format != "jsonl":
        raise click.UsageError(f"which file? Name it with --out for --format {format}.", context)
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        if out == _STDOUT:
            for line in model.export_lines(manager, job_id, what=what):
                write_format(line, as_json)
            return
        view = model.export(manager, job_id, out, what=what, format=format, infer=infer)
    session.answer(view, lambda: model.export_page(view))
