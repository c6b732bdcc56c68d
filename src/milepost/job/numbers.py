"""Integers that steps make: what a decision may not make, since no checkpoint would hold it."""

from __future__ import annotations

from milepost.errors import NumberUnfit
from milepost.integers import BEYOND, LARGEST_INT, LEAST_INT
from milepost.items.ledger import Ledger
from milepost.job.state import JobState
from milepost.job.subjects import items_of
from milepost.log.facts import ItemsFired, JobFired

__all__ = ["check_numbers"]


def check_numbers(before: JobState, after: JobState, fact: JobFired | ItemsFired) -> None:
    """Raise NumberUnfit if a variable is beyond 64 bits after the step that `fact` tells of.

    Only what the step has changed is looked at: the job's own context, and new cells of its items.
    """
    if after.context is not before.context:
        for name, value in after.context.items():
            if type(value) is int and not LEAST_INT <= value <= LARGEST_INT:
                raise _unfit(f"job {after.id}", fact, name, value)
    items, had = after.items, before.items
    if items is had:
        return
    if (
        isinstance(items, Ledger)
        and isinstance(had, Ledger)
        and items.cells.keys() <= had.cells.keys()
    ):
        return
    there = before.ledgers
    for collection, ledger in after.ledgers.items():
        known = there[collection].cells
        for cell, members in ledger.cells.items():
            if cell in known:
                continue
            for name, value in zip(ledger.machine.owned, cell[1], strict=False):
                if type(value) is int and not LEAST_INT <= value <= LARGEST_INT:
                    raise _unfit(items_of(after, members), fact, name, value)


def _unfit(what: str, fact: JobFired | ItemsFired, name: str, value: int) -> NumberUnfit:
    return NumberUnfit(
        what=what, path=f"$.{name}", problem=BEYOND, event=fact.event, name=name, value=value
    )
