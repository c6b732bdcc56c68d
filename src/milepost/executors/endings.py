"""How the calls for items ended, as a run records it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import zip_longest
from typing import Final, NamedTuple

from milepost.executors.vocabulary import Left
from milepost.text.wording import bounded
from milepost.worker.failures import failure_of
from milepost.worker.outcomes import Fault, Given, NotGiven, Outcome, Timed, Unfit
from milepost.worker.telling import message_of

__all__ = ["Ended", "ended_of", "lost", "out_of_time"]

_MOST_WHY: Final = 500


class Ended(NamedTuple):
    """How the call for one item ended: what it gave, why it gave nothing, or how it was left.

    `took_s` is how long it took on its worker, None where that is not known, and `cost` what it
    said that it has cost. `why` is what the engine said of a worker that was lost.
    """

    ordinal: int
    outcome: Outcome | Left
    size_bytes: int = 0
    took_s: float | None = None
    cost: float = 0.0
    why: str = ""


def ended_of(
    ordinals: Sequence[int], future: Future[Timed] | Future[list[Timed]]
) -> Iterator[Ended | Unfit]:
    """How each item of a call ended whose future is done and whose worker was not lost.

    What its worker did not come to is left unharmed. Where the call of several items has raised, it
    is not known which of them is to blame: they are lost.
    """
    error = None if future.cancelled() else future.exception()
    if error is not None:
        if len(ordinals) > 1:
            yield from lost(ordinals, error)
        else:
            yield Ended(ordinals[0], failure_of(error))
        return
    given: Timed | list[Timed] = [] if future.cancelled() else future.result()
    every = given if isinstance(given, list) else [given]
    for ordinal, timed in zip_longest(ordinals, every):
        yield Ended(ordinal, Left.UNHARMED) if timed is None else _ended(ordinal, timed)


def lost(ordinals: Sequence[int], error: BaseException | None) -> Iterator[Ended]:
    """How items of a call ended whose worker was lost, for which the engine gave `error`."""
    why = "" if error is None else bounded(message_of(error), _MOST_WHY)
    return (Ended(ordinal, Left.LOST, why=why) for ordinal in ordinals)


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
