"""`milepost results`: what the items of a job came to."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.limits import limit_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import find_job, session_of
from milepost.cli.tabling import check_table_options, with_table_options, write_table_of
from milepost.inspect import results as model
from milepost.tables.files import Format
from milepost.text.wording import counted

__all__ = ["results"]


@click.command(
    "results",
    epilog=examples(
        "milepost results nightly eu/1 --db jobs.db",
        "milepost results nightly --format csv --out results.csv --db jobs.db",
    ),
)
@job_argument
@click.argument("item", required=False)
@click.option("--of-job", is_flag=True, help="The result of the job as a whole.")
@limit_option("results")
@with_table_options(default=None)
@with_store
@click.pass_context
def results(
    context: click.Context,
    *,
    job: str,
    item: str | None,
    of_job: bool,
    limit: int | None,
    format: Format | None,  # noqa: A002 the option's name
    out: Path,
    infer: bool,
) -> None:
    """Show the results of a job, or that of one item.

    Of one ITEM its result alone, as JSON. With --format all of them are written as a table, as
    `milepost export` does. JOB is the job's id, or a beginning of it that no other job has; ITEM is
    the key of an item.
    """
    if sum((item is not None, of_job, format is not None)) > 1:
        raise click.UsageError("ITEM, --of-job and --format exclude each other", context)
    if format is None and (infer or str(out) != "-"):
        raise click.UsageError("--out and --infer go with --format", context)
    session = session_of(context)
    if format is not None:
        check_table_options(context, wanted=format, out=out, infer=infer)
        write_table_of(session, job, what="results", wanted=format, out=out, infer=infer)
        return
    with session.reading() as manager:
        job_id = find_job(manager, job)
        if item is not None or of_job:
            one = model.one_result(manager, job_id, item)
            session.answer(one, lambda: model.value_page(one))
            return
        view = model.results(manager, job_id, limit=limit)
    session.answer(view, lambda: model.results_page(view))
    if view.more:
        shown = len(view.results)
        which = (
            f"{counted(shown, 'results')}"
            if view.count is None
            else f"{shown} of {counted(view.count, 'results')}"
        )
        note(f"the first {which}; --limit 0 lists all")
    elif not view.results:
        note("no results")
