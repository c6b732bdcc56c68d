"""A configuration as the expressions of a machine read it, whether members are counted or not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.model import Machine, Transition
    from milepost_codegen.prove.system import Configuration, Value

__all__ = ["ABSENT", "measures_at", "members_at", "rows_of", "seen"]

ABSENT: Final = "-"
"""The state of a member that has not come yet."""

_STATE: Final = re.compile(r"(?P<subject>(?P<collection>\w+)\[\d+\])\.state")


def seen(machine: Machine, at: Configuration) -> Mapping[str, Value]:
    """The values at `at`, with the counts of members where these are one by one."""
    found = dict(at.values)
    states = list(members_at(at).items())
    for collection in machine.collections:
        if f"{collection.name}.total" in found:
            continue
        own = [state for subject, state in states if subject.startswith(f"{collection.name}[")]
        for state in collection.states:
            found[f"{collection.name}.{state}"] = own.count(state)
        found[f"{collection.name}.total"] = len(own)
    return found


def members_at(at: Configuration) -> dict[str, str]:
    """The states of the members that are there one by one, by their names, such as `items[1]`."""
    named = ((_STATE.fullmatch(name), value) for name, value in at.values.items())
    return {match["subject"]: str(value) for match, value in named if match and value != ABSENT}


def measures_at(machine: Machine, at: Configuration) -> tuple[int, ...]:
    """The measures of progress of `machine` there."""
    measures = machine.progress.decreases if machine.progress else ()
    there = seen(machine, at)
    return tuple(int(evaluate(measure, there, {})) for measure in measures)


def rows_of(machine: Machine, state: str, event: str) -> tuple[Transition, ...]:
    """The rows of a pair that do something, in definition order."""
    found = machine.pairs.get((state, event), ())
    return tuple(row for row in found if not row.ignored)
