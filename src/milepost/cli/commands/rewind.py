"""`milepost rewind`: go back to any commit of a job, and take it up from there; with --apply."""

from __future__ import annotations

import click

from milepost.cli.commands.plan import keys_option
from milepost.cli.commands.recover import carried_out, take_over_option
from milepost.cli.moments import seq_of
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.session import find_job, session_of
from milepost.inspect import rewind as model

__all__ = ["rewind"]


@click.command(
    "rewind",
    context_settings={"ignore_unknown_options": True},  # -1 is a moment
    epilog=examples(
        "milepost rewind nightly -1 --db jobs.db",
        "milepost rewind nightly 4 --db jobs.db --apply --reason 'the model was wrong'",
    ),
)
@job_argument
@click.argument("moment", metavar="SEQ")
@click.option("--apply", is_flag=True, help="Do what the plan says; without it nothing changes.")
@click.option("--reason", default="by hand", show_default=True, metavar="TEXT", help="Kept in it.")
@take_over_option
@keys_option
@with_store
@click.pass_context
def rewind(
    context: click.Context,
    *,
    job: str,
    moment: str,
    apply: bool,
    reason: str,
    take_over: str | None,
    keys: int,
) -> None:
    """Go back to a commit of a job, and take it up from there.

    Any commit will do; `recover --rewind` goes back to checkpoints alone. What was recorded after
    it is undone, and stays in the history. SEQ is a commit's number, -N for N commits before the
    newest, or a time in ISO 8601. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        seq = seq_of(manager, job_id, moment)
        done = carried_out(
            manager,
            lambda: manager.plan_rewind(job_id, seq, reason=reason),
            apply=apply,
            take_over=take_over,
        )
        view = model.rewind(done.plan, done.after, keys=keys)
    session.answer(view, lambda: model.rewind_page(view))
