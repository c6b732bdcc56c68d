"""The way of one machine from an earlier version of its definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milepost.definition.formulas import Formula, Values
from milepost.definition.machines import Machine
from milepost.definition.parts import MISSING, BadParameter

__all__ = ["MachineMigration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMigration:
    """How state and context of `old` become those of `new`.

    `states` are the migration's own answers, `given` the values that it gives, worked out from the
    old context by its own names.
    """

    old: Machine
    new: Machine
    states: Mapping[str, str]
    given: Mapping[str, Formula]

    def moved(self, state: str, context: Values) -> tuple[str, dict[str, Any]]:
        """State and context under the new version. Raises BadParameter."""
        new = self.new
        to = self._state(state)
        found: dict[str, Any] = {name: one.initial for name, one in new.variables.items()}
        found.update({f"history.{group}": first for group, first in new.histories.items()})
        for name, after in self._carried().items():
            found[after] = context[name]
        for group in new.histories:
            if group in self.old.histories:
                entry = f"history.{group}"
                found[entry] = self._state(context[entry])
        found.update({name: one.value(context) for name, one in self.given.items()})
        for name, value in found.items():
            if value is MISSING:
                raise BadParameter(f"{new.name}: no value is named for '{name}'")
        new.check(found)
        return to, found

    def _carried(self) -> dict[str, str]:
        """Old variables that stand on, with their names of now."""
        new = self.new.variables
        claimed = {one.was: name for name, one in new.items() if one.was in self.old.variables}
        kept = {name: name for name in self.old.variables if name in new}
        kept = {old: now for old, now in kept.items() if now not in claimed.values()}
        return {**kept, **claimed}

    def _state(self, state: str) -> str:
        if state in self.states:
            return self.states[state]
        new = self.new
        claimed = {was: name for name, was in new.was.items() if was in self.old.states}
        to = claimed.get(state)
        if to is None and state in new.states and state not in claimed.values():
            to = state
        if to is None:
            raise BadParameter(f"{new.name}: no state is named for '{state}'")
        return to
