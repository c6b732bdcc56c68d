"""How the calls for items ended, as a run records it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import NamedTuple

from milepost.executors.vocabulary import Left
from milepost.worker.failures import failure_of
from milepost.worker.outcomes import Fault, Given, NotGiven, Outcome, Timed, Unfit

__all__ = ["Ended", "ended_of", "out_of_time"]


class Ended(NamedTuple):
    """How the call for one item ended: what it gave, why it gave nothing, or how it was left.

    `took_s` is how long it took on its worker, None where that is not known.
    """

    ordinal: int
    outcome: Outcome | Left
    size_bytes: int = 0
    took_s: float | None = None


def ended_of(ordinal: int, future: Future[Timed]) -> Ended | Unfit:
    """How a call ended whose future is done and whose worker was not lost."""
    if future.cancelled():
        return Ended(ordinal, Left.UNHARMED)
    error = future.exception()
    if error is not None:
        return Ended(ordinal, failure_of(error))
    timed = future.result()
    if isinstance(timed.outcome, Unfit):
        return timed.outcome
    size_bytes = timed.outcome.size_bytes if isinstance(timed.outcome, Given) else 0
    return Ended(ordinal, timed.outcome, size_bytes, timed.took_s)


def out_of_time(ordinal: int, timeout_s: float) -> Ended:
    """How a call ended that is not waited for any more."""
    message = f"no result within {timeout_s:g} s"
    return Ended(ordinal, NotGiven(fault=Fault.TIMEOUT, message=message))
