"""`milepost gc`: delete jobs that ended long enough ago, and checkpoints that nobody needs."""

from __future__ import annotations

import click

from milepost.arguments import MAX_COUNT
from milepost.cli.durations import AGE
from milepost.cli.options import examples, with_store
from milepost.cli.output import note
from milepost.cli.session import session_of, tell_unreadable
from milepost.inspect import gc as model
from milepost.state.keeping.retention import RetentionPolicy

__all__ = ["gc"]

_DEFAULTS = RetentionPolicy()


@click.command(
    "gc",
    epilog=examples(
        "milepost gc --db jobs.db",
        "milepost gc --db jobs.db --completed 2d --failed never --apply",
    ),
)
@click.option("--apply", "applied", is_flag=True, help="Delete what goes.")
@click.option(
    "--completed", type=AGE, default=_DEFAULTS.completed, help="How long to keep them. [7d]"
)
@click.option("--failed", type=AGE, default=_DEFAULTS.failed, help="How long to keep them. [30d]")
@click.option(
    "--cancelled", type=AGE, default=_DEFAULTS.cancelled, help="How long to keep them. [7d]"
)
@click.option(
    "--of",
    "lifecycle",
    metavar="NAME",
    help="Only jobs that run by the lifecycle of this name; the rest stays as it is.",
)
@click.option(
    "--checkpoints",
    type=click.IntRange(min=1, max=MAX_COUNT),
    default=_DEFAULTS.checkpoints,
    show_default=True,
    help="How many of each reason to keep, of jobs that stay.",
)
@click.option(
    "--vacuum",
    is_flag=True,
    help="With --apply: give the space back to the disk. The file may be written anew.",
)
@with_store
@click.pass_context
def gc(
    context: click.Context,
    *,
    applied: bool,
    completed: object,
    failed: object,
    cancelled: object,
    lifecycle: str | None,
    checkpoints: int,
    vacuum: bool,
) -> None:
    """Delete jobs that ended long enough ago; without --apply, show what would go.

    By how they ended, and how long ago: active, paused and leased jobs stay, and those that
    `milepost keep` says so of. An age is a number with s, m, h, d or w, or `never`, which deletes
    none. It can run beside executors, and beside other collectors.
    """
    if vacuum and not applied:
        raise click.UsageError("--vacuum goes with --apply", context)
    session = session_of(context)
    policy = RetentionPolicy(
        completed=AGE.age(completed),
        failed=AGE.age(failed),
        cancelled=AGE.age(cancelled),
        checkpoints=checkpoints,
    )
    if lifecycle is not None:
        policy = RetentionPolicy(
            completed=None,
            failed=None,
            cancelled=None,
            checkpoints=MAX_COUNT,
            tombstones=None,
            lifecycles={lifecycle: policy},
        )
    with session.writing() if applied else session.reading() as manager:
        if vacuum and manager.url.startswith("sqlite:"):
            note("the store may be written anew: that takes room for it twice, and others wait")
        view = model.gc(manager, policy, apply=applied, vacuum=vacuum, lifecycle=lifecycle)
    session.answer(view, lambda: model.gc_page(view))
    tell_unreadable(context, view.unreadable)
