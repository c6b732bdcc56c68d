"""Random versions: nothing changes by itself, and what comes one way goes the other."""

import copy
import os
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_codegen.diff import Report, compare
from tests.unit.compiler.diff.versions import BASE, Data, compiled

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
STATES = ["setup", "work", "paused", "failed", "done"]
ENDS = ("failed", "done")
SOURCES = [name for name in STATES if name != "done"]
GUARDS = [None, "tries < 3", "tries < 5", "tries_left", "tries_left and cause == none"]

rows = st.builds(
    lambda source, number, target, guard: {
        "from": source,
        "on": f"extra_{number}",
        "to": target,
        **({"when": guard, "partial": True} if guard else {}),
    },
    st.sampled_from(SOURCES),
    st.integers(0, 3),
    st.sampled_from(STATES),
    st.sampled_from(GUARDS),
)


@st.composite
def versions(draw: st.DrawFn) -> Data:
    """The base with random states, events, variables, members and rows on top."""
    data = copy.deepcopy(BASE)
    job = data["machines"]["job"]
    extra = draw(st.lists(rows, max_size=8, unique_by=lambda row: (row["from"], row["on"])))
    for name in draw(st.lists(st.sampled_from(["held", "lost"]), unique=True)):
        job["states"][name] = {"perpetual": True}
        extra.append({"from": "setup", "on": f"to_{name}", "to": name})
    for row in extra:
        job["events"].setdefault(row["on"], {})
    for name in draw(st.lists(st.sampled_from(["spare", "more"]), unique=True)):
        job["context"][name] = {"type": "int", "initial": 0}
        job["invariants"][f"{name}_used"] = {"holds": f"{name} >= 0"}
    job["transitions"] += extra
    if draw(st.booleans()):
        job["states"]["paused"]["was"] = "stopped"
    accepted = draw(st.sets(st.sampled_from(["take", "end"]), min_size=1))
    job["collections"]["items"]["accepts"]["setup"] = sorted(accepted)
    return data


def said(report: Report, kind: str) -> set[tuple[str, str]]:
    return {(one.part, one.name) for one in report.changes if one.kind == kind}


@given(versions())
@settings(max_examples=12 * SOAK, deadline=None)
def test_a_definition_does_not_differ_from_itself(data: Data) -> None:
    told = compare(compiled(data), compiled(data))
    assert (told.changes, told.notes, told.verdict) == ((), (), "compatible")
    assert all(not (one.stranded or one.lost or one.lacking) for one in told.effects)


@given(versions(), versions())
@settings(max_examples=15 * SOAK, deadline=None)
def test_what_comes_one_way_goes_the_other(first: Data, second: Data) -> None:
    """Added and removed change places, and so do narrowed and widened."""
    there = compare(compiled(first), compiled(second))
    back = compare(compiled(second), compiled(first))
    for kind, other in (("added", "removed"), ("narrowed", "widened"), ("changed", "changed")):
        assert said(there, kind) == said(back, other)
        assert said(back, kind) == said(there, other)


def _extra(job: Data) -> list[Any]:
    """Random rows that jobs come to: what none comes to may go, and nobody would miss it."""
    return [
        row
        for row in job["transitions"]
        if "extra" in row["on"] and not (row["from"] == "failed" and "cause" in row.get("when", ""))
    ]


def _jobs_row(chance: st.DataObject, job: Data) -> Any:
    return chance.draw(st.sampled_from(_extra(job)))


def _less(row: Data) -> str:
    """A number of tries is left out with which jobs come there."""
    return f"tries != {int(row['from'] == 'failed')}"


def drop_row(chance: st.DataObject, job: Data) -> tuple[str, str, str]:
    """A row is dropped; the event stays, ignored where the machine ends."""
    row = _jobs_row(chance, job)
    job["transitions"].remove(row)
    job["ignored"][0]["on"].append(row["on"])
    return "transition", "removed", f"{row['from']}.{row['on']}"


def move_row(chance: st.DataObject, job: Data) -> tuple[str, str, str]:
    row = _jobs_row(chance, job)
    row["to"] = chance.draw(st.sampled_from([name for name in STATES if name != row["to"]]))
    return "transition", "moved", f"{row['from']}.{row['on']}"


def guard_row(chance: st.DataObject, job: Data) -> tuple[str, str, str]:
    row = _jobs_row(chance, job)
    row["when"] = f"({row['when']}) and {_less(row)}" if "when" in row else _less(row)
    row["partial"] = True
    return "transition", "narrowed", f"{row['from']}.{row['on']}"


def free_row(chance: st.DataObject, job: Data) -> tuple[str, str, str]:
    row = _jobs_row(chance, job)
    widened = "when" in row
    row["when"] = f"({row['when']}) or tries > 70" if widened else _less(row)
    row["partial"] = True
    return "transition", "widened" if widened else "narrowed", f"{row['from']}.{row['on']}"


def assign_row(chance: st.DataObject, job: Data) -> tuple[str, str, str]:
    row = _jobs_row(chance, job)
    row["set"] = {"tries": "tries + 7"}
    return "transition", "changed", f"{row['from']}.{row['on']}"


def add_state(_: st.DataObject, job: Data) -> tuple[str, str, str]:
    job["states"]["late"] = {"perpetual": True}
    job["transitions"].append({"from": "paused", "on": "begin", "to": "late"})
    return "state", "added", "late"


def rename_event(_: st.DataObject, job: Data) -> tuple[str, str, str]:
    job["events"]["start"] = {**job["events"].pop("begin"), "was": "begin"}
    job["transitions"][0]["on"] = "start"
    return "event", "renamed", "start"


def end_state(_: st.DataObject, job: Data) -> tuple[str, str, str]:
    job["states"]["done"] = {"perpetual": True}
    return "state", "changed", "done"


EDITS: list[Callable[[st.DataObject, Data], tuple[str, str, str]]] = [
    drop_row, move_row, guard_row, free_row, assign_row, add_state, rename_event, end_state,
]  # fmt: skip


@given(versions(), st.sampled_from(EDITS), st.data())
@settings(max_examples=35 * SOAK, deadline=None)
def test_a_single_edit_is_found(
    data: Data,
    edit: Callable[[st.DataObject, Data], tuple[str, str, str]],
    chance: st.DataObject,
) -> None:
    """Whatever else the definition holds, the change is there; rows lose what they lose."""
    job = data["machines"]["job"]
    if not _extra(job):
        job["events"]["extra_9"] = {}
        job["transitions"].append({"from": "work", "on": "extra_9", "to": "failed"})
    changed = copy.deepcopy(data)
    part, kind, name = edit(chance, changed["machines"]["job"])
    told = compare(compiled(data), compiled(changed))
    assert (part, kind, name) in {(one.part, one.kind, one.name) for one in told.changes}
    parts = {one.part for one in told.changes}
    assert parts <= {part, "transition", "ignored"}
    if kind in ("removed", "moved", "narrowed"):
        assert told.verdict == "breaking"
        assert any(one.lost for one in told.effects)
    if edit in (free_row, add_state) and kind in ("widened", "added"):
        assert told.verdict == "compatible"
