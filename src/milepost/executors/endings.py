"""How the calls for items ended, as a run records it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import zip_longest
from typing import NamedTuple

from milepost.executors.vocabulary import Left
from milepost.worker.failures import failure_of
from milepost.worker.outcomes import Fault, Given, NotGiven, Outcome, Timed, Unfit

__all__ = ["Ended", "ended_of", "out_of_time"]


class Ended(NamedTuple):
    """How the call for one item ended: what it gave, why it gave nothing, or how it was left.

    `took_s` is how long it took on its worker, None where that is not known, and `cost` what it
    said that it has cost.
    """

    ordinal: int
    outcome: Outcome | Left
    size_bytes: int = 0
    took_s: float | None = None
    cost: float = 0.0


def ended_of(
    ordinals: Sequence[int], future: Future[Timed] | Future[list[Timed]]
) -> Iterator[Ended | Unfit]:
    """How each item of a call ended whose future is done and whose worker was not lost.

    What its worker did not come to is left unharmed. Where the call of several items has raised, it
    is not known which of them is to blame: they are lost.
    """
    error = None if future.cancelled() else future.exception()
    if error is not None:
        outcome = Left.LOST if len(ordinals) > 1 else failure_of(error)
        yield from (Ended(ordinal, outcome) for ordinal in ordinals)
        return
    given: Timed | list[Timed] = [] if future.cancelled() else future.result()
    every = given if isinstance(given, list) else [given]
    for ordinal, timed in zip_longest(ordinals, every):
        yield Ended(ordinal, Left.UNHARMED) if timed is None else _ended(ordinal, timed)


def _ended(ordinal: int, timed: Timed) -> Ended | Unfit:
    if isinstance(timed.outcome, Unfit):
        return timed.outcome
    size_bytes = timed.outcome.size_bytes if isinstance(timed.outcome, Given) else 0
    return Ended(ordinal, timed.outcome, size_bytes, timed.took_s, timed.cost)


def out_of_time(ordinal: int, timeout_s: float) -> Ended:
    """How a call ended that is not waited for any more."""
    message = f"no result within {timeout_s:g} s"
    return Ended(
        ordinal, NotGiven(fault=Fault.TIMEOUT, message=message, kind=TimeoutError.__name__)
    )
