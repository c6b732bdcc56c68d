"""`milepost recover`: take a job up again from where it was left; only with --apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.commands.plan import keys_option
from milepost.cli.naming import complete_jobs
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.scoping import scope_for, scope_of, with_scope
from milepost.cli.session import Session, find_job, session_of, tell_unreadable
from milepost.cli.watching import leased, watch
from milepost.inspect import recover as model
from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan
from milepost.state.writing.lease import default_owner
from milepost.text.wording import counted

__all__ = ["CarriedOut", "carried_out", "recover", "take_over_option"]

_REASON: Final = "by hand"


def _said(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("say why the job is taken over", param_hint="--take-over")
    return value


take_over_option = click.option(
    "--take-over",
    metavar="REASON",
    callback=_said,
    help="Take the job from a holder that still seems alive; the reason is kept.",
)


@click.command(
    "recover",
    epilog=examples(
        "milepost recover nightly --db jobs.db --apply",
        "milepost recover --expired --db jobs.db --apply",
    ),
)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=complete_jobs)
@click.option(
    "--expired",
    is_flag=True,
    help="In place of JOB: free all jobs that were left by their holders for another executor.",
)
@click.option("--apply", is_flag=True, help="Do what the plan says; without it nothing changes.")
@take_over_option
@click.option(
    "--rewind",
    type=click.IntRange(min=1, max=MAX_COUNT),
    metavar="SEQ",
    help="Go back to exactly the checkpoint at this commit, as --from-checkpoint SEQ --exactly.",
)
@with_scope
@keys_option
@with_store
@click.pass_context
def recover(
    context: click.Context,
    *,
    job: str | None,
    expired: bool,
    apply: bool,
    take_over: str | None,
    rewind: int | None,
    keys: int,
) -> None:
    """Take a job up again from where it was left.

    What was in flight or failed is retried, or given up where no attempt is left. Without --apply
    the plan is shown and nothing is changed. With it the job is leased meanwhile, so that an
    executor that held it before can write no more. A holder of which nothing can be told at one
    look, after a restart of the machine say, is watched before, for as long as its lease runs. With
    --expired nothing is retried: a job that
    was left is only taken from its holder, and what was in flight is interrupted. Options that
    choose items add up. JOB is the job's id, or a beginning of it that no other job has.
    """
    session = session_of(context)
    scope = scope_of(context)
    if expired:
        if job is not None or rewind is not None or scope != Scope.all():
            told = "--expired is about all jobs as they stand: leave JOB and scopes out"
            raise click.UsageError(told, context)
        return _free(context, session, reason=take_over or "", apply=apply)
    if job is None:
        raise click.UsageError("which job? Name it, or say --expired", context)
    with session.writing() if apply else session.reading() as manager:
        job_id = find_job(manager, job)
        scope = scope_for(context, manager, job_id)
        reason = take_over or _REASON
        done = carried_out(
            manager,
            lambda: _plan(manager, job_id, scope, rewind, reason),
            apply=apply,
            take_over=take_over,
        )
        view = model.recover(done.plan, done.after, keys=keys)
    session.answer(view, lambda: model.recover_page(view))
    return None


class CarriedOut(NamedTuple):
    """A plan, and the state that it left; None where it was not carried out."""

    plan: RecoveryPlan
    after: JobState | None


def carried_out(
    manager: StateManager,
    make: Callable[[], RecoveryPlan],
    *,
    apply: bool,
    take_over: str | None,
) -> CarriedOut:
    """The plan that `make` gives, carried out if that is asked for and it changes anything.

    The job is leased meanwhile, and the plan made again under the lease.
    """
    wanted = make()
    if not apply or wanted.changes_nothing:
        return CarriedOut(wanted, None)
    command = click.get_current_context().info_name
    owner = f"{default_owner()} ({command})"
    with leased(manager, wanted.job_id, owner, take_over or ""):
        wanted = make()
        after = manager.apply(wanted)
    return CarriedOut(wanted, after)


def _free(context: click.Context, session: Session, *, reason: str, apply: bool) -> None:
    """Free the jobs that were left: taken over, interrupted, given back."""
    with session.writing() if apply else session.reading() as manager:
        view = model.reap(
            manager,
            now=session.now(),
            reason=reason,
            apply=apply,
            watch=lambda count, left_s: watch(session, counted(count, "jobs"), left_s),
        )
    session.answer(view, lambda: model.reap_page(view))
    for unknown in view.unknown:
        note(unknown)
    tell_unreadable(context, view.unreadable)


def _plan(
    manager: StateManager, job_id: str, scope: Scope, rewind: int | None, reason: str
) -> RecoveryPlan:
    if rewind is not None:
        scope &= Scope.checkpoint(rewind, exactly=True)
    return manager.recover_from_checkpoint(job_id, scope=scope, reason=reason)
