"""`milepost export`: the results, items or failures of a job, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import session_of
from milepost.cli.tabling import check_table_options, with_table_options, write_table_of
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
@with_table_options(default="jsonl")
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
    check_table_options(context, wanted=format, out=out, infer=infer)
    write_table_of(session_of(context), job, what=what, wanted=format, out=out, infer=infer)
