"""Every row, pair and condition of the built-in lifecycle, on its generated code and in a store.

The traces are what `milepost traces statemachine.yaml --json` prints. After each of their steps,
the state and the context of the job and of its items are compared with what the trace says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from milepost import StateManager
from milepost.lifecycles.mapreduce import LIFECYCLE

from .driving import take_in_the_store, take_on_the_code

FILE: Final = Path(__file__).parent / "mapreduce_traces.json"
(FOUND,) = json.loads(FILE.read_text(encoding="utf-8"))["lifecycles"]

KINDS: Final = ("row", "pair", "condition")

IMPOSSIBLE: Final = {
    "item.pair.running.interrupt.3+failed.retry",
    "item.pair.running.crash.2+failed.retry",
    "job.pair.map.finish_map.3+failed.retry.1",
    "job.pair.map.finish_map.3+failed.retry.2",
    "job.pair.setup.fail+failed.retry.2",
    "job.pair.setup.fail+failed.retry.3",
    "job.pair.map.fail+failed.retry.1",
    "job.pair.map.fail+failed.retry.2",
    "job.pair.reduce.fail+failed.retry.1",
    "job.pair.setup.pause+paused.resume.2",
    "job.pair.setup.pause+paused.resume.3",
    "job.pair.map.pause+paused.resume.1",
    "job.pair.map.pause+paused.resume.3",
    "job.pair.reduce.pause+paused.resume.1",
    "job.pair.reduce.pause+paused.resume.2",
    "job.pair.reduce.reopen+map.finish_map.2",
    "job.condition.reduce.finish_reduce.1.false",
    "job.condition.reduce.finish_reduce.2.false",
}
"""What no run does, as is proved. A pair: the second row cannot follow the first."""


def traces(kind: str) -> list[Any]:
    """The traces of a kind with runs, as parameters by name."""
    return [
        pytest.param(one, id=one["key"].replace(f".{kind}.", ".", 1))
        for one in FOUND["traces"]
        if one["kind"] == kind and one["outcome"] == "covered"
    ]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateManager]:
    """One store for all traces, each of which has a job of its own."""
    path = tmp_path_factory.mktemp("traces") / "jobs.db"
    with StateManager.open(path, durability="process") as opened:
        yield opened


@pytest.mark.parametrize("trace", traces("row"))
def test_row(manager: StateManager, trace: dict[str, Any]) -> None:
    assert trace["steps"][-1]["row"] == trace["row"]
    take_on_the_code(LIFECYCLE, trace)
    take_in_the_store(manager, LIFECYCLE, trace)


@pytest.mark.parametrize("trace", traces("pair"))
def test_pair(manager: StateManager, trace: dict[str, Any]) -> None:
    own = [step["row"] for step in trace["steps"] if not step["subject"]]
    assert own[-2:] == [trace["first"], trace["row"]]
    take_on_the_code(LIFECYCLE, trace)
    take_in_the_store(manager, LIFECYCLE, trace)


@pytest.mark.parametrize("trace", traces("condition"))
def test_condition(manager: StateManager, trace: dict[str, Any]) -> None:
    """Where the condition alone decides: the row whose guard it is part of is taken, or not."""
    assert trace["asked"]["alone"]
    take_on_the_code(LIFECYCLE, trace)
    take_in_the_store(manager, LIFECYCLE, trace)


def test_the_traces_are_of_this_definition() -> None:
    assert FOUND["digest"] == LIFECYCLE.digest
    assert FOUND["version"] == LIFECYCLE.version


def test_no_row_and_no_pair_is_left_out() -> None:
    rows, pairs = set(), set()
    for name, machine in LIFECYCLE.machines.items():
        rows |= {f"{name}.row.{one.id}" for one in machine.transitions}
        pairs |= {
            f"{name}.pair.{one.id}+{other.id}"
            for one in machine.transitions
            for other in machine.transitions
            if one.target == other.source
        }
    keys = {kind: {t["key"] for t in FOUND["traces"] if t["kind"] == kind} for kind in KINDS}
    assert keys["row"] == rows
    assert keys["pair"] == pairs


def test_each_condition_has_both_values_and_each_row_its_answer() -> None:
    """A row is taken with one value of its condition and not with the other."""
    answers: dict[str, dict[str, bool]] = {}
    for one in FOUND["traces"]:
        if one["kind"] == "condition" and one["outcome"] == "covered":
            name, _, value = one["key"].rpartition(".")
            answers.setdefault(name, {})[value] = one["asked"]["takes"] == one["row"]
    lonely = {name for name, found in answers.items() if len(found) == 1}
    assert lonely == {key.rpartition(".")[0] for key in IMPOSSIBLE if ".condition." in key}
    for name, found in answers.items():
        if name not in lonely:
            assert found["true"] is not found["false"], name


def test_what_is_impossible_is_listed_and_nothing_is_unknown() -> None:
    assert FOUND["counts"] == {
        "row": {"covered": 55, "impossible": 0, "unknown": 0},
        "pair": {"covered": 252, "impossible": 16, "unknown": 0},
        "condition": {"covered": 66, "impossible": 2, "unknown": 0},
    }
    gone = [one["key"] for one in FOUND["traces"] if one["outcome"] == "impossible"]
    assert sorted(gone) == sorted(IMPOSSIBLE)


def test_few_traces_may_be_longer_than_they_need() -> None:
    longer = {t["key"] for t in FOUND["traces"] if not t.get("shortest", True)}
    assert longer == {
        "job.pair.map.recover.1+map.finish_map.3",
        "job.pair.map.allow_dead+map.finish_map.3",
    }


@pytest.mark.parametrize("wrong", ["state", "changed", "row"])
def test_a_trace_that_is_wrong_is_noticed(manager: StateManager, wrong: str) -> None:
    right = next(one for one in FOUND["traces"] if one["key"] == "job.row.map.fail")
    trace = deepcopy(right)
    last = trace["steps"][-1]
    if wrong == "changed":
        assert last["changed"].pop("failed_in")
    else:
        last[wrong] = "map" if wrong == "state" else "map.pause"
    with pytest.raises(AssertionError):
        take_on_the_code(LIFECYCLE, trace)
    if wrong != "row":  # the store tells states, and no rows
        with pytest.raises(AssertionError):
            take_in_the_store(manager, LIFECYCLE, trace)
    take_in_the_store(manager, LIFECYCLE, right)
