"""`milepost export`: the results, items or failures of a job, for other tools."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.cli.tabling import check_table_options, with_table_options, write_table_of
from milepost.inspect import export as model
from milepost.tables.files import Format
from milepost.tables.rows import WHATS, What

__all__ = ["export"]


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
    "--log",
    "as_log",
    is_flag=True,
    help="The job's log, whole, for `milepost import log`, and no table.",
)
@with_table_options(default="jsonl")
@with_store
@click.pass_context
def export(
    context: click.Context,
    *,
    job: str,
    what: What,
    as_log: bool,
    format: Format,  # noqa: A002 the option's name
    out: Path,
    infer: bool,
) -> None:
    """Write the results of a job as a table, or its items, or its failed attempts.

    Values are JSON text in one column. With --log, the log of the job as it is stored, from which
    another store makes the same job. JOB is the job's id, or a beginning of it that no other job
    has.
    """
    if as_log:
        _export_log(context, job, out)
        return
    check_table_options(context, wanted=format, out=out, infer=infer)
    write_table_of(session_of(context), job, what=what, wanted=format, out=out, infer=infer)


def _export_log(context: click.Context, job: str, out: Path) -> None:
    for option in ("what", "format", "infer"):
        if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--log is no table: leave --{option} out", context)
    if str(out) == "-":
        raise click.UsageError("which file? Name it with --out for --log.", context)
    session = session_of(context)
    with session.reading() as manager:
        view = model.export_log(manager, find_job(manager, job), out)
    session.answer(view, lambda: model.export_page(view))
