"""Watching holders: what becomes of them, and a command that stays where one look tells nothing.

Then their time cannot be compared with ours, after a restart of the machine say. One that does not
renew while it is watched for its ttl may be replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

import click

from milepost.cli.output import is_terminal, note
from milepost.cli.session import Session, session_of
from milepost.errors import LeaseHeld
from milepost.inspect.holders import Driver, begun, change
from milepost.inspect.words import duration, local_times
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Lease

__all__ = ["leased", "tell_driver", "watch"]

_LEAST_S: Final = 0.01
_MOST_S: Final = 0.5


def tell_driver(session: Session, before: Driver | None, now: Driver) -> Driver:
    """Who drives a job `now`, once it is told what changed since the look `before`, if anything."""
    with local_times(local=is_terminal(sys.stderr) and not session.manner.utc):
        text = begun(now, session.now()) if before is None else change(before, now, session.now())
    if text:
        note(text)
    return now


def watch(session: Session, what: str, left_s: float) -> None:
    """Say what is watched and for how long, and stay that long."""
    _tell_watched(what, left_s)
    session.sleep(left_s)


@contextmanager
def leased(manager: StateManager, job_id: str, owner: str, take_over: str) -> Iterator[Lease]:
    """The job's lease for a command, once a holder that has to be watched was. Raises LeaseHeld.

    It is asked for again and again meanwhile: the holder may give the job back, or prove alive.
    """
    with ExitStack() as stack:

        def take() -> Lease | LeaseHeld:
            lease = manager.lease(job_id, owner, takeover=take_over, renewed=False)
            try:
                return stack.enter_context(lease)
            except LeaseHeld as held:
                if not held.watched:
                    raise
                return held

        taken = take()
        if isinstance(taken, LeaseHeld):
            _tell_watched(f"job {job_id}", taken.left_s)
        while isinstance(taken, LeaseHeld):
            before = taken
            session_of(click.get_current_context()).sleep(
                min(max(before.left_s, _LEAST_S), _MOST_S)
            )
            taken = take()
            if isinstance(taken, LeaseHeld) and taken.left_s >= before.left_s:
                raise replace(taken, renews=True)
        yield taken


def _tell_watched(what: str, left_s: float) -> None:
    why = "what its holder's clock says cannot be compared with ours"
    note(f"{what}: watched for {duration(left_s)}, since {why}; to end it now changes nothing")
