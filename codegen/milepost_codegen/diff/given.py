"""What the migration makes of stored jobs although the definitions do not ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.diff.report import Change
from milepost_codegen.expressions import to_text
from milepost_codegen.expressions.tree import Read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from milepost_codegen.diff.names import MachineNames
    from milepost_codegen.model import Machine

__all__ = ["given_changes"]


def given_changes(
    old: Machine, new: Machine, names: MachineNames, lacking: Collection[str]
) -> Iterator[Change]:
    """Other values for what jobs hold, and states that jobs leave though they are still there.

    `lacking` are the entries for which jobs have no value that fits; they are told by themselves.
    """
    if names.answers is None:
        return
    origin = {now: was for was, now in names.variables.items()}
    origin |= {one.entry: one.entry for one in old.histories}
    parameters = {one.name for one in new.variables if one.param}
    for one in names.answers.values:
        was = origin.get(one.name)
        same = isinstance(one.value, Read) and one.value.name == was
        if was is not None and one.name not in lacking and not same:
            yield Change(
                part="history"
                if one.name.startswith("history.")
                else ("parameter" if one.name in parameters else "variable"),
                kind="changed",
                machine=new.name,
                name=one.name,
                aspect="value",
                text=f"{to_text(one.value)} in stored jobs",
                verdict="migrated",
                because="the migration gives it",
            )
    for state, to in names.answers.states:
        if names.states.get(state, to) != to:
            yield Change(
                part="state",
                kind="moved",
                machine=new.name,
                name=names.states[state],
                text=f"stored jobs go on in {to}",
                verdict="migrated",
                because="the migration says so",
            )
