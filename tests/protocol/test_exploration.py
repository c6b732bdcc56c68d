"""The protocol is explored: every state keeps every promise, and the job can finish from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.protocol import tlc
from tests.protocol.explore import PromiseBrokenError, explore
from tests.protocol.model import Act, Fault, World
from tests.protocol.worlds import EXPLORED, EXPLORED_LONG, FAULTS, FAULTY, Counts

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
WORLDS = {**EXPLORED, **(EXPLORED_LONG if SOAK else {})}

needs_tlc = pytest.mark.skipif(bool(tlc.absent()), reason=tlc.absent())


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_keeps_every_promise(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    world, counts = WORLDS[name]
    graph = explore(world)
    stuck = graph.stuck()
    assert Counts(len(graph.states), graph.step_count, len(stuck)) == counts
    counted = {"states": counts.states, "steps": counts.steps, "broken": 0}
    record_property("counted", (f"protocol, {name}", counted))
    for number in stuck:  # the model ends there: the job cannot be taken more often
        assert graph.states[number].stored.fence == world.fences, graph.trace(number)


@needs_tlc
@pytest.mark.parametrize("name", WORLDS)
def test_tla_comes_to_the_same_counts(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    world, counts = WORLDS[name]
    checked = tlc.check(world, tmp_path)
    assert checked == tlc.Checked(counts.states, counts.steps)
    counted = {"states": checked.states, "steps": checked.steps, "broken": 0}
    record_property("counted", (f"protocol in TLA+, {name}", counted))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.control("protocol, three executors, a power cut")
def test_a_fault_is_found_by_a_shortest_trace(fault: Fault) -> None:
    """The negative controls: each breaks the promise that it is to break, in so many steps."""
    promise, length = FAULTS[fault]
    with pytest.raises(PromiseBrokenError) as found:
        explore(replace(FAULTY, fault=fault))
    assert (found.value.promise, len(found.value.trace)) == (promise, length), found.value


TRACES: dict[Fault, list[Act]] = {
    "no fence": [Act.TAKE, Act.TAKE, Act.TAKE_UP],
    "check in another transaction": [Act.TAKE, Act.CHECK, Act.TAKE, Act.BEGIN],
    "no compare": [Act.TAKE, Act.BEGIN, Act.OPERATOR_RECORDS, Act.FINISH],
    "lost sync": [Act.TAKE, Act.BEGIN, Act.OPERATOR_RECORDS, Act.CUT_POWER],
    "wall clock": [Act.SET_AHEAD, Act.TAKE, Act.TAKE],
    "checkpoint ahead": [Act.TAKE, Act.BEGIN, Act.PUT_AHEAD],
    "fence kept": [Act.TAKE, Act.TAKE],
    "settled by seq": [
        Act.TAKE,
        Act.BEGIN,
        Act.UNANSWERED_ABSENT,
        Act.TAKE,
        Act.SETTLE_THERE,
    ],
}
"""What happens in the traces, but for looks and for the time that passes."""

_LOOKS = {Act.LAPSE, Act.LOOK, Act.TAKE_UP_NOTHING}


@pytest.mark.parametrize("fault", TRACES)
def test_a_trace_tells_what_goes_wrong(fault: Fault) -> None:
    with pytest.raises(PromiseBrokenError) as found:
        explore(replace(FAULTY, fault=fault))
    told = [step.act for step in found.value.trace if step.act not in _LOOKS]
    assert told == TRACES[fault], found.value


def test_every_fault_of_the_model_is_looked_for() -> None:
    assert {*FAULTS, "none", "wall clock back"} == set(Fault.__args__)
    assert TRACES.keys() == FAULTS.keys()


def test_by_a_wall_clock_that_is_set_back_a_job_stays_with_one_who_died() -> None:
    """A fault that breaks no promise of a moment: it leaves states that lead nowhere."""
    world = World(results=1, fences=2, cuts=0, fault="wall clock back")
    graph = explore(world)
    odd = [n for n in graph.stuck() if graph.states[n].stored.fence < world.fences]
    shortest = min((graph.trace(number) for number in odd), key=len)
    assert {step.act for step in shortest} == {Act.SET_BACK, Act.TAKE, Act.DIE}
    assert len(shortest) == 3


@needs_tlc
@pytest.mark.parametrize("fault", FAULTS if SOAK else ["no fence"])  # each begins a Java
def test_tla_finds_a_trace_of_the_same_length(fault: Fault, tmp_path: Path) -> None:
    promise, length = FAULTS[fault]
    checked = tlc.check(replace(FAULTY, fault=fault), tmp_path)
    assert checked.length == length
    assert checked.violated in INVARIANTS[promise.partition(":")[0]]


INVARIANTS = {
    "INV-ACK": ["Acknowledged"],
    "INV-ONCE": ["Once"],
    "INV-FENCE": ["OneHolder", "Unbroken"],
    "INV-FOLD": ["Folded"],
    "a holder that renews keeps its job": ["Unbroken"],
}
"""The names in TLA+, where `Unbroken` is what a step itself broke."""
