"""What a cut left, and went wrong, as little as possible: fewest writes lost, fewest names undone.

Tried are first nothing lost, then each pending change and each change of a name alone, then parts
of what was lost, halves before single ones, as in Zeller's ddmin; and then, while there is
patience, all pairs, all triples and so on that are fewer. So what comes out is as small as can be
where there is patience for it, and otherwise such that nothing of it can be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple, TypeAlias

from milepost.testing.power.images import Choice, Fate, Place, Sectors, Torn, lost, names_of
from milepost.testing.power.medium import Medium

__all__ = ["Shrunk", "shrink"]

_Loss: TypeAlias = tuple[Place, Fate] | int
"""One thing that the disk has not: a change with its fate, or a renaming by its place."""


class Shrunk(NamedTuple):
    """The least that goes wrong; `is_least` if every smaller choice was tried."""

    choice: Choice
    is_least: bool


def shrink(
    medium: Medium, choice: Choice, fails: Callable[[Choice], bool], *, patience: int = 300
) -> Shrunk:
    """The smallest choice that `fails`, as `choice` does.

    Args:
        medium: What was done, at the moment of the cut.
        choice: One that fails.
        fails: Whether a choice goes wrong, which is asked `patience` times or somewhat more.
        patience: How many choices are tried in search of smaller ones; thinning out takes more.
    """
    search = _Search(medium, fails, patience)
    losses = search.of(choice)
    everything = [*search.single(), *(loss for loss in losses if search.is_partial(loss))]
    found = search.first(everything, range(min(len(losses), 2)))
    if found is not None:
        return Shrunk(search.simplified(found), is_least=True)
    least = search.thinned(losses)
    found = search.first(everything, range(2, len(least)))
    return Shrunk(search.simplified(found or least), is_least=search.patience > 0)


class _Search:
    """Tries choices, and counts down its patience."""

    def __init__(self, medium: Medium, fails: Callable[[Choice], bool], patience: int) -> None:
        self.patience = patience
        self._medium = medium
        self._fails = fails

    def of(self, choice: Choice) -> tuple[_Loss, ...]:
        """What a choice loses, without what was written to files that are not there."""
        numbers = set((names_of(self._medium, choice.undone) or {}).values())
        changes = [(place, fate) for place, fate in choice.fates.items() if place[0] in numbers]
        return (*sorted(choice.undone), *sorted(changes))

    def single(self) -> Iterator[_Loss]:
        """Everything that may be lost, whole."""
        yield from range(len(self._medium.renamings))
        for number, content in enumerate(self._medium.contents):
            for at in range(len(content.pending)):
                yield (number, at), lost(self._medium, (number, at))

    def is_partial(self, loss: _Loss) -> bool:
        """True if a change is not lost whole."""
        return not isinstance(loss, int) and loss[1] != lost(self._medium, loss[0])

    def fails(self, losses: Sequence[_Loss]) -> bool:
        """True if there can be such a choice, and it goes wrong."""
        choice = _choice(losses)
        changes = [loss for loss in losses if not isinstance(loss, int)]
        if len(choice.fates) < len(changes):  # two fates of one change
            return False
        if names_of(self._medium, choice.undone) is None:
            return False
        if len(self.of(choice)) < len(losses):  # something is lost with its file already
            return False
        self.patience -= 1
        return self._fails(choice)

    def first(self, everything: Sequence[_Loss], sizes: range) -> tuple[_Loss, ...] | None:
        """The first of all choices of these sizes that fails; patience ends before a size begins.

        It is then spent: who asks knows that not all were tried.
        """
        for size in sizes:
            if comb(len(everything), size) > self.patience:
                self.patience = 0
                return None
            for some in combinations(everything, size):
                if self.fails(some):
                    return some
        return None

    def thinned(self, losses: tuple[_Loss, ...]) -> tuple[_Loss, ...]:
        """Those of the losses of which none can be left out."""
        part = max(len(losses) // 2, 1)
        while True:
            place = 0
            before = len(losses)
            while place < len(losses):
                fewer = losses[:place] + losses[place + part :]
                if self.fails(fewer):
                    losses = fewer
                else:
                    place += part
            if part == 1 and len(losses) == before:
                return losses
            part = max(part // 2, 1)

    def simplified(self, losses: Sequence[_Loss]) -> Choice:
        """The same losses, each in the simplest way that still goes wrong.

        A change is lost whole rather than in part; of its sectors as few as possible are; and there
        is nothing behind a tear rather than junk.
        """
        losses = list(losses)
        for at, loss in enumerate(losses):
            if isinstance(loss, int):
                continue
            place, fate = loss
            for simpler in self._simpler(place, fate):
                tried = [*losses[:at], (place, simpler), *losses[at + 1 :]]
                if self.fails(tried):
                    losses = tried
                    break
            losses[at] = self._fewest_sectors(losses, at)
        return _choice(losses)

    def _simpler(self, place: Place, fate: Fate) -> Iterator[Fate]:
        whole = lost(self._medium, place)
        if fate != whole:
            yield whole
            if isinstance(fate, Torn) and fate.rest:
                yield Torn(fate.at, b"")

    def _fewest_sectors(self, losses: list[_Loss], at: int) -> _Loss:
        loss = losses[at]
        assert not isinstance(loss, int), "it is a change"
        place, fate = loss
        if not isinstance(fate, Sectors) or not any(fate.there):
            return loss
        for number in range(len(fate.there)):
            there = (*fate.there[:number], True, *fate.there[number + 1 :])
            tried: list[_Loss] = [*losses[:at], (place, Sectors(there)), *losses[at + 1 :]]
            if there != fate.there and not all(there) and self.fails(tried):
                fate = Sectors(there)
        return place, fate


def _choice(losses: Sequence[_Loss]) -> Choice:
    undone = frozenset(loss for loss in losses if isinstance(loss, int))
    return Choice("least", undone, dict(loss for loss in losses if not isinstance(loss, int)))
