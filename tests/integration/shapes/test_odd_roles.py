"""Roles that some of the states, and some of the events, of a lifecycle do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager, TransitionRefused
from milepost.errors import ResultAbsent
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import compiled

WORKSHOP = """
lifecycle: workshop
version: 1
enums: {Why: [broken]}
machines:
  piece:
    initial: rack
    states:
      rack: {}
      bench: {}
      oven: {}
      fine: {}
      gift: {final: true}
      scrap: {}
      ash: {final: true}
    context:
      shaky: {type: bool, initial: false}
      falls: {type: int, initial: 0}
      most: {type: int, param: true, default: 3, where: most >= 1}
    events:
      take: {}
      heat: {}
      finish: {payload: {weight: {type: int}}}
      ruin: {payload: {why: {type: Why}}}
      fall: {}
      crash: {payload: {message: {type: str}}}
      give_away: {}
      unbin: {}
    transitions:
      - {from: rack, on: take, to: bench}
      - {from: bench, on: heat, to: oven}
      - {from: [bench, oven], on: finish, to: fine}
      - {from: bench, on: ruin, to: scrap}
      - {from: oven, on: ruin, to: ash}
      - {from: [bench, oven], on: fall, to: rack, set: {shaky: true}}
      - from: bench
        on: crash
        to: rack
        when: falls < most
        partial: true
        set: {falls: falls + 1}
      - {from: [rack, fine], on: give_away, to: gift}
      - {from: scrap, on: unbin, to: rack}
    roles:
      begin: take
      held: [bench, oven]
      result: finish.weight
      done: [fine, gift]
      failure: {event: ruin, cause: why}
      dead: [scrap, ash]
      lost: fall
      crash: crash.message
      crashes: {marks: shaky, counts: falls, most: most}
      requeue: unbin
  shop:
    initial: open
    states: {open: {}, shut: {final: true}}
    collections:
      pieces:
        machine: piece
        accepts: {open: [take, heat, finish, ruin, fall, crash, give_away, unbin]}
    events: {shut: {}}
    transitions: [{from: open, on: shut, to: shut}]
    roles: {phases: {open: shut}}
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StateManager]:
    lifecycle = compiled(WORKSHOP)
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle, clock=FakeClock()) as manager:
        manager.create_job(["a", "b", "c"], job_id="job")
        yield manager


def test_a_suspect_whose_state_takes_no_crash_is_lost_as_others_are(manager: StateManager) -> None:
    for _ in range(2):
        manager.record("job", [ItemEvent("a", "take"), ItemEvent("b", "take")])
        manager.record("job", [ItemEvent("a", "heat")])
        state = manager.apply(manager.recover_from_checkpoint("job"))
        assert not state.held
    found = [state.item(key) for key in "ab"]
    assert [(name, context["falls"]) for name, context in found] == [("rack", 0), ("rack", 1)]
    assert [one.sound for one in manager.verify()] == [True]


def test_what_has_a_way_back_is_requeued_and_the_rest_stays(manager: StateManager) -> None:
    manager.record("job", [ItemEvent("a", "take"), ItemEvent("b", "take")])
    manager.record("job", [ItemEvent("a", "heat")])
    manager.record("job", [ItemEvent(key, "ruin", {"why": "broken"}) for key in "ab"])
    assert [letter.key for letter in manager.dead_letters("job")] == ["a", "b"]
    state = manager.requeue("job")
    assert [state.item(key)[0] for key in "ab"] == ["ash", "rack"]
    with pytest.raises(TransitionRefused):
        manager.requeue("job")


@pytest.mark.parametrize("order", ["items", "recorded"])
def test_what_is_done_without_a_result_has_none(manager: StateManager, order: str) -> None:
    manager.record("job", [ItemEvent("b", "give_away"), ItemEvent("c", "take")])
    manager.record("job", [ItemEvent("c", "finish", {"weight": 7})])
    assert dict(manager.results("job", order=order)) == {"c": 7}  # type: ignore[arg-type]
    assert manager.get_state("job").progress.done == 2
    with pytest.raises(ResultAbsent):
        manager.result_of("job", "b")


def test_a_result_event_without_a_field_is_the_same_only_if_nothing_came_with_it(
    tmp_path: Path,
) -> None:
    text = WORKSHOP.replace("result: finish.weight", "result: finish")
    lifecycle = compiled(text)
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        manager.create_job(["a"], job_id="job")
        manager.record("job", [ItemEvent("a", "take")])
        manager.record("job", [ItemEvent("a", "finish", {"weight": 4})])
        with pytest.raises(TransitionRefused):
            manager.record("job", [ItemEvent("a", "finish", {"weight": 5})])
