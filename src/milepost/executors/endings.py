"""How the calls for items ended, as a run records it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from milepost.executors.vocabulary import Left
from milepost.text.wording import bounded
from milepost.worker.failures import failure_of
from milepost.worker.outcomes import Fault, Given, NotGiven, Outcome, Timed, Unfit
from milepost.worker.telling import message_of

__all__ = ["Ended", "failed", "given", "lost", "out_of_time"]

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


def given(ordinals: Sequence[int], every: Sequence[Timed], ended: list[Ended]) -> Unfit | None:
    """Add to `ended` how the items of a call ended, of which the first gave what is in `every`.

    The others its worker did not come to: they are unharmed, and so is one whose function is none
    that the executor can call. Why that is so, None where it is not.
    """
    unfit: Unfit | None = None
    for ordinal, (outcome, took_s, cost) in zip(ordinals, every, strict=False):
        if isinstance(outcome, Unfit):
            unfit = outcome
            ended.append(Ended(ordinal, Left.UNHARMED))
            continue
        size_bytes = outcome.size_bytes if isinstance(outcome, Given) else 0
        one = (ordinal, outcome, size_bytes, took_s, cost, "")
        ended.append(tuple.__new__(Ended, one))  # of every item: a third cheaper
    ended += [Ended(ordinal, Left.UNHARMED) for ordinal in ordinals[len(every) :]]
    return unfit


def failed(ordinals: Sequence[int], error: BaseException) -> Iterator[Ended]:
    """How the items of a call ended that has raised, though its worker was not lost.

    Where the call was of several items, it is not known which of them is to blame: they are lost.
    """
    if len(ordinals) != 1:
        return lost(ordinals, error)
    return iter([Ended(ordinals[0], failure_of(error))])


def lost(ordinals: Sequence[int], error: BaseException | None) -> Iterator[Ended]:
    """How items of a call ended whose worker was lost, for which the engine gave `error`."""
    why = "" if error is None else bounded(message_of(error), _MOST_WHY)
    return (Ended(ordinal, Left.LOST, why=why) for ordinal in ordinals)


def out_of_time(ordinal: int, timeout_s: float) -> Ended:
    """How a call ended that is not waited for any more."""
    message = f"no result within {timeout_s:g} s"
    return Ended(
        ordinal, NotGiven(fault=Fault.TIMEOUT, message=message, kind=TimeoutError.__name__)
    )
