"""`milepost watch`: see how far a job is until it has ended."""

from __future__ import annotations

import sys
from typing import Final

import click

from milepost.cli.limits import interval_option
from milepost.cli.naming import job_argument
from milepost.cli.options import examples, with_store
from milepost.cli.output import is_terminal
from milepost.cli.session import Session, find_job, session_of
from milepost.cli.watching import tell_driver
from milepost.inspect import watch as model
from milepost.inspect.holders import Driver, driver_of
from milepost.inspect.words import here
from milepost.job.state import JobState
from milepost.progress.figures import Meter
from milepost.progress.lines import Lines, write_line
from milepost.progress.seen import Seen
from milepost.progress.watching import Display
from milepost.roles import Outcome

__all__ = ["watch"]

_IDLE: Final = "nobody drives it"


@click.command(
    "watch",
    epilog=examples(
        "milepost watch nightly --db jobs.db",
        "milepost watch nightly --exit-status --until-idle --interval 10 --db jobs.db",
    ),
)
@job_argument
@interval_option("Look again after so long, or sooner where a server says that the job changed.")
@click.option("--exit-status", is_flag=True, help="Exit code 1 if it failed or was cancelled.")
@click.option("--until-idle", is_flag=True, help="End, too, once nobody drives the job.")
@with_store
@click.pass_context
def watch(
    context: click.Context, *, job: str, interval: float, exit_status: bool, until_idle: bool
) -> None:
    """Show how far a job is, live, until it has ended.

    Then how it stands. What is live goes to stderr: a bar on a terminal, else a line now and then,
    with the rate since the watch began, what is held, and how long the rest will take; and a line
    when nobody drives the job any more, as its executor died say, and when somebody does again. A
    job that failed has ended, until somebody takes it up. With --until-idle and --exit-status, one
    that nobody drives and that has not ended is exit code 1. JOB is the job's id, or a beginning of
    it that no other job has.
    """
    session = session_of(context)
    with session.reading() as manager:
        job_id = find_job(manager, job)
        with session.watching(job_id) as wait:
            state = manager.get_state(job_id)
            meter = Meter(_seen(state), session.monotonic_s())
            display = _display(session)
            driver: Driver | None = None
            while not model.has_ended(state):
                driver = tell_driver(session, driver, driver_of(manager, state))
                if until_idle and not driver.drives:
                    break
                display.show(meter.figures(_seen(state), session.monotonic_s()))
                wait(interval)
                state = manager.get_state(job_id)
        ended = state.phase if model.has_ended(state) else f"{state.phase}, {_IDLE}"
        display.end(meter.figures(_seen(state), session.monotonic_s(), ended=ended))
    view = model.watch(state)
    session.answer(view, lambda: model.watch_page(view))
    left = not view.outcome
    if exit_status and (left or view.outcome in (Outcome.FAILED, Outcome.CANCELLED)):
        context.exit(1)


def _seen(state: JobState) -> Seen:
    return Seen(state, done_count=state.progress.done, failure_count=0)


def _display(session: Session) -> Display:
    if is_terminal(sys.stderr):
        from milepost.progress.screen import Row  # noqa: PLC0415 rich is slow to import

        return Row(session.now if session.manner.utc else lambda: here(session.now()))
    return Lines(write_line, session.now)
