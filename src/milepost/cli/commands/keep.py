"""`milepost keep`: how long one job is kept, whatever the policy for jobs like it says."""

from __future__ import annotations

import click

from milepost.cli.durations import AGE
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import keep as model

__all__ = ["keep"]


@click.command(
    "keep",
    epilog=examples(
        "milepost keep nightly --db jobs.db --for never --reason 'the audit of May'",
        "milepost keep nightly --db jobs.db",
    ),
)
@job_argument
@click.option(
    "--for", "for_", type=AGE, help="Delete it so long after its newest commit, or `never`."
)
@click.option("--by-policy", is_flag=True, help="As long as others that end like it.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with it.")
@with_store
@click.pass_context
def keep(context: click.Context, *, job: str, for_: object, by_policy: bool, reason: str) -> None:
    """Say how long a job is kept; without --for and --by-policy, show it.

    An age is a number with s, m, h, d or w; with `never` the job is never deleted. An active job
    stays in any case. JOB is the job's id, or a beginning of it that no other job has.
    """
    if by_policy and for_ is not None:
        raise click.UsageError("--for and --by-policy exclude each other", context)
    session = session_of(context)
    with session.reading() if for_ is None and not by_policy else session.writing() as manager:
        job_id = find_job(manager, job)
        if by_policy:
            manager.keep_by_policy(job_id)
        elif for_ is not None:
            manager.keep(job_id, for_=AGE.age(for_), reason=reason)
        view = model.keep(manager, job_id)
    session.answer(view, lambda: model.keep_page(view))
