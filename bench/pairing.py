"""Paired measurement: subjects take turns within one run, and only ratios and differences count."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = [
    "Budget",
    "Figure",
    "Settings",
    "as_it_is",
    "at_least",
    "at_most",
    "differences",
    "in_turn",
    "ratios",
]

BRIEF: Final = "MILEPOST_BENCH_BRIEF"

Subject: TypeAlias = Callable[[int], float]
"""Measures one turn, by its number: the cost of one unit of work, in the figure's own unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a benchmark may write."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the design asks of a figure."""

    bound: Literal["at most", "at least"]
    value: float

    def met_by(self, value: float) -> bool:
        return value <= self.value if self.bound == "at most" else value >= self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table: `values` has one ratio (`x`) or difference a round.

    `pair` holds the medians of what was measured, the subject's and the floor's, in `pair_unit`.
    """

    name: str
    floor: str
    values: tuple[float, ...]
    unit: str
    pair: tuple[float, float]
    pair_unit: str
    budget: Budget | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """By the median; where the middle half of the rounds disagrees, the run decides nothing."""
        if self.budget is None:
            return "no budget"
        verdict = "meets" if self.budget.met_by(self.median) else "falls short"
        if len(self.values) > 1:
            low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
            if self.budget.met_by(low) != self.budget.met_by(high):
                return f"{verdict}, but rounds disagree: run it again on a quieter disk"
        return verdict


def at_most(value: float) -> Budget:
    return Budget(bound="at most", value=value)


def at_least(value: float) -> Budget:
    return Budget(bound="at least", value=value)


def in_turn(
    rounds: int, *subjects: Subject, warm_up: int = 1, slices: int = 1
) -> list[list[float]]:
    """What each subject measured, round by round; warm-up rounds are thrown away.

    With the variable MILEPOST_BENCH_BRIEF there is one round of one turn: it shows that the
    subjects can be measured, and its figures say nothing.

    A round is `slices` turns, A B A B …, each of which a subject knows by its number; a subject's
    cost in it is the mean over its turns. Thin slices spread a neighbour's noise over all subjects.
    """
    if os.environ.get(BRIEF):
        rounds, warm_up, slices = 1, 0, 1
    measured: list[list[float]] = [[] for _ in subjects]
    for number in range(warm_up + rounds):
        turns = range(number * slices, (number + 1) * slices)
        costs = [[subject(turn) for subject in subjects] for turn in turns]
        if number >= warm_up:
            for column, of_subject in zip(measured, zip(*costs, strict=True), strict=True):
                column.append(statistics.mean(of_subject))
    return measured


def ratios(
    name: str,
    subject: Sequence[float],
    floor: tuple[str, Sequence[float]],
    *,
    unit: str,
    budget: Budget | None = None,
    speed: bool = False,
) -> Figure:
    """The subject's cost as a multiple of the floor's, or, for `speed`, the other way round."""
    floor_name, floor_costs = floor
    pairs = list(zip(subject, floor_costs, strict=True))
    return Figure(
        name=name,
        floor=floor_name,
        values=tuple(theirs / ours if speed else ours / theirs for ours, theirs in pairs),
        unit="x",
        pair=(statistics.median(subject), statistics.median(floor_costs)),
        pair_unit=unit,
        budget=budget,
    )


def differences(
    name: str,
    subject: Sequence[float],
    floor: tuple[str, Sequence[float]],
    *,
    unit: str,
    budget: Budget | None = None,
) -> Figure:
    """What the subject costs over the floor."""
    over = tuple(ours - theirs for ours, theirs in zip(subject, floor[1], strict=True))
    return replace(as_it_is(name, subject, floor, unit=unit, budget=budget), values=over)


def as_it_is(
    name: str,
    subject: Sequence[float],
    floor: tuple[str, Sequence[float]],
    *,
    unit: str,
    budget: Budget | None = None,
) -> Figure:
    """What the subject costs as it is; the floor stands beside it, for what it is worth."""
    floor_name, floor_costs = floor
    return Figure(
        name=name,
        floor=floor_name,
        values=tuple(subject),
        unit=unit,
        pair=(statistics.median(subject), statistics.median(floor_costs)),
        pair_unit=unit,
        budget=budget,
    )
