"""Watching holders: what becomes of them, and a command that stays where one look tells nothing.

Then their time cannot be compared with ours, after a restart of the machine say. One that does not
renew while it is watched for its ttl may be replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from milepost.cli.output import is_terminal, note
from milepost.cli.session import Session, session_of
from milepost.errors import LeaseHeld
from milepost.inspect.holders import Driver, begun, change
from milepost.inspect.words import duration, local_times
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Lease

__all__ = ["leased", "tell_driver", "watch"]


def tell_driver(session: Session, before: Driver | None, now: Driver) -> Driver:
    """Who drives a job `now`, once it is told what changed since the look `before`, if anything."""
    with local_times(local=is_terminal(sys.stderr) and not session.manner.utc):
        text = begun(now, session.now()) if before is None else change(before, now, session.now())
    if text:
        note(text)
    return now


def watch(session: Session, what: str, left_s: float) -> None:
    """Say what is watched and for how long, and stay that long."""
    why = "what its holder's clock says cannot be compared with ours"
    note(f"{what}: watched for {duration(left_s)}, since {why}; to end it now changes nothing")
    session.sleep(left_s)


@contextmanager
def leased(manager: StateManager, job_id: str, owner: str, take_over: str) -> Iterator[Lease]:
    """The job's lease for a command, once a holder that has to be watched was. Raises LeaseHeld."""
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(
                manager.lease(job_id, owner, takeover=take_over, renewed=False)
            )
        except LeaseHeld as held:
            if not held.watched:
                raise
            watch(session_of(click.get_current_context()), f"job {job_id}", held.left_s)
            lease = stack.enter_context(manager.lease(job_id, owner, renewed=False))
        yield lease
