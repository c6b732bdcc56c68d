"""Counted work: what a decision may cost, in steps that are the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Undecided", "Work"]


class Undecided(Exception):
    """The bound on the work was reached before there was an answer."""


@dataclass(slots=True)
class Work:
    """The steps that are left, and those that were taken."""

    left: int
    spent: int = 0

    def spend(self, steps: int = 1) -> None:
        """Count `steps`. Raises Undecided where fewer are left."""
        self.left -= steps
        self.spent += steps
        if self.left < 0:
            raise Undecided
