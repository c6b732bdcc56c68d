"""Which step set a value last: of the job, or of one item."""

from __future__ import annotations

from typing import NamedTuple

from milepost.conformance.standing import Standing

__all__ = ["LastSet", "Traced"]


class LastSet(NamedTuple):
    """A step that set a value: its commit, its row, and what that assigns, as text."""

    seq: int
    name: str
    row: str
    text: str


class Traced:
    """Gathers the steps of one item, or of the job where `ordinal` is None."""

    def __init__(self, ordinal: int | None) -> None:
        self._ordinal = ordinal
        self._found: list[LastSet] = []

    def look(self, seq: int, standing: Standing) -> None:
        """Look at the steps of the last fact, which commit `seq` holds."""
        for step in standing.steps:
            mine = (
                step.ordinals is None
                if self._ordinal is None
                else (step.ordinals is not None and self._ordinal in step.ordinals)
            )
            if not mine:
                continue
            where = "phase" if self._ordinal is None else "state"
            taken = step.taken
            self._found.append(LastSet(seq, where, taken.row, taken.target))
            for name in taken.sets:
                self._found.append(LastSet(seq, name, taken.row, taken.texts.get(name, "")))

    def back(self, seq: int) -> None:
        """Forget what came after commit `seq`, to which the job went back."""
        self._found = [one for one in self._found if one.seq <= seq]

    def last(self, name: str) -> LastSet | None:
        """The step that set `name` last, None if none did."""
        return next((one for one in reversed(self._found) if one.name == name), None)
