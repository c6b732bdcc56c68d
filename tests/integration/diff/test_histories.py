"""How two real tables changed over the years: every step's effect, against the bare tables.

`tables/` has the states and arcs of each version as read from the projects' sources;
`examples/lifecycles/history/` the same as definitions. The expectation below is computed from
the tables alone and shares no code with the comparison.
"""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import Report, compare

TABLES = Path(__file__).parent / "tables"
DEFINITIONS = Path(__file__).parents[3] / "examples" / "lifecycles" / "history"
NAMES = ("hadoop_mr_task", "yarn_rm_app")
Table = dict[str, Any]


@cache
def tables(name: str) -> list[Table]:
    return json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))["versions"]


def triples(table: Table) -> set[tuple[str, str, str]]:
    """The arcs, one per target, in the names that definitions have.

    A state that no arc leads to is entered by the event that the definitions assume for it.
    """
    arcs = {
        (source.lower(), event.lower(), target.lower())
        for source, event, targets in table["arcs"]
        for target in targets
    }
    initial = table["initial"].lower()
    for state in (name.lower() for name in table["states"]):
        if state not in closure(initial, arcs):
            arcs.add((initial, f"assumed_{state}", state))
    return arcs


def closure(initial: str, arcs: set[tuple[str, str, str]]) -> set[str]:
    reached = {initial}
    while more := {target for source, _, target in arcs if source in reached} - reached:
        reached |= more
    return reached


@cache
def told(name: str, step: int) -> Report:
    """The comparison of version `step` (from 1) with the next one."""
    files = [DEFINITIONS / name / f"{number:02}.yaml" for number in (step, step + 1)]
    old, new = (compile_definition(file.read_bytes(), file.name).lifecycle for file in files)
    return compare(old, new)


STEPS = [(name, step) for name in NAMES for step in range(1, len(tables(name)))]


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_the_effect_of_a_step(name: str, step: int) -> None:
    """Stranded states and lost arcs are those of the tables; the verdict follows from them."""
    before, after = tables(name)[step - 1 : step + 1]
    (effect,) = told(name, step).effects
    stranded = {one.lower() for one in before["states"]} - {one.lower() for one in after["states"]}
    assert {one.state for one in effect.stranded} == stranded
    lost = triples(before) - triples(after)
    gone = [one for one in effect.lost if one.why in ("removed", "elsewhere")]
    assert {(one.source, one.event, one.target) for one in gone} == lost
    assert len(gone) == len(lost)
    if stranded or lost:
        assert told(name, step).verdict == "breaking"
    elif not effect.lost and all(change.kind == "added" for change in told(name, step).changes):
        assert told(name, step).verdict == "compatible"


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_the_changes_of_a_step(name: str, step: int) -> None:
    """States and events that come and go are those of the tables."""
    before, after = tables(name)[step - 1 : step + 1]
    changes = told(name, step).changes

    def named(part: str, kind: str) -> set[str]:
        return {one.name for one in changes if (one.part, one.kind) == (part, kind)}

    for part, parts in (
        ("state", [{state.lower() for state in one["states"]} for one in (before, after)]),
        ("event", [{event for _, event, _ in triples(one)} for one in (before, after)]),
    ):
        assert named(part, "added") == parts[1] - parts[0]
        assert named(part, "removed") == parts[0] - parts[1]


def test_the_histories_hold_what_they_are_meant_to_show() -> None:
    """Steps that break and steps that do not, states that are stranded, arcs that are lost."""
    reports = [told(name, step) for name, step in STEPS]
    assert {report.verdict for report in reports} == {"breaking", "compatible"}
    assert any(effect.stranded for report in reports for effect in report.effects)
    whys = {one.why for report in reports for effect in report.effects for one in effect.lost}
    assert {"removed", "elsewhere"} <= whys
    assert len(STEPS) == sum(len(list(pairwise(tables(name)))) for name in NAMES)
