"""A step that would break a declared invariant is refused, and nothing of it is stored."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost import (
    AsyncStateManager,
    ContextInvalid,
    InvariantBroken,
    ItemEvent,
    JobEvent,
    JobState,
    StateManager,
    TransitionRefused,
)
from milepost.state.transitions import Request, Write
from tests.integration.invariants.shop import SHOP, shop, unwatched

TASKS = ["a", "b", "c", "d"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StateManager]:
    with StateManager.open(tmp_path / "jobs.db", lifecycle=shop()) as manager:
        manager.create_job(TASKS, job_id="j")
        yield manager


def refused(manager: StateManager, *requests: Request) -> InvariantBroken:
    """The refusal of these together; nothing changes, here or for who opens the store anew."""
    before = manager.get_state("j")
    with pytest.raises(InvariantBroken) as caught:
        manager.record("j", requests)
    assert manager.get_state("j") == before
    path = manager.url.removeprefix("sqlite:///")
    with StateManager.open(path, lifecycle=shop(), read_only=True) as others:
        assert others.get_state("j") == before
    return caught.value


def test_the_jobs_own_step(manager: StateManager) -> None:
    """By the name of the invariant, its source, and the values that would be."""
    found = refused(manager, JobEvent("spend", {"n": 9}))
    assert (found.machine, found.subject, found.state) == ("shop", "job j", "open")
    assert (found.event, found.transition, found.target) == ("spend", "open.spend", "open")
    assert (found.invariant, found.holds) == ("rich", "budget <= most")
    assert found.values == {"budget": 9, "most": 5}
    assert str(found) == (
        "job j: 'spend' (open.spend) would break the invariant 'rich' in 'open':"
        " budget <= most (then budget=9, most=5)"
    )
    assert isinstance(found, TransitionRefused)
    again = pickle.loads(pickle.dumps(found))
    assert str(again) == str(found)
    assert manager.fire("j", "spend", {"n": 5}).context["budget"] == 5


def test_all_of_a_record_or_nothing(manager: StateManager) -> None:
    """Each step is looked at, so one that the next would make good is refused, too."""
    refused(manager, JobEvent("spend", {"n": 9}), JobEvent("spend", {"n": -9}))
    refused(manager, ItemEvent("a", "begin"), JobEvent("spend", {"n": 9}))


def test_an_items_step(manager: StateManager) -> None:
    manager.record("j", [ItemEvent("a", "begin"), ItemEvent("b", "begin")])
    found = refused(manager, ItemEvent("a", "charge", {"n": 1}), ItemEvent("b", "charge", {"n": 4}))
    assert (found.machine, found.subject, found.state) == ("task", "job j, item 'b'", "busy")
    assert (found.event, found.transition) == ("charge", "busy.charge")
    assert (found.invariant, found.values) == ("affordable", {"spent": 4, "limit": 3})


def test_an_item_that_comes_into_a_state_where_more_is_asked(manager: StateManager) -> None:
    manager.record("j", [ItemEvent("a", "begin"), ItemEvent("a", "charge", {"n": 1})])
    found = refused(manager, ItemEvent("a", "put_back"))
    assert (found.invariant, found.state, found.target) == ("waits_for_nothing", "busy", "waiting")


def test_a_batch_of_items(manager: StateManager) -> None:
    """Many side by side, some of which may not: the refusal says of whom, and how many."""
    manager.record("j", [ItemEvent("a", "begin"), ItemEvent("b", "begin")])
    manager.record("j", [ItemEvent(key, "charge", {"n": 2}) for key in "ab"])
    found = refused(manager, *(ItemEvent(key, "put_back") for key in "ab"))
    assert found.subject == "job j, item 'a' and 1 more"


def test_what_the_owners_row_sends(manager: StateManager) -> None:
    """A member that must not take what it is sent keeps its owner from the step."""
    manager.record("j", [ItemEvent("a", "begin"), ItemEvent("a", "charge", {"n": 1})])
    found = refused(manager, JobEvent("rest"))
    assert (found.machine, found.event, found.state) == ("task", "put_back", "busy")
    assert found.subject == "job j, item 'a'"


def test_the_owners_invariant_when_items_move(manager: StateManager) -> None:
    manager.record("j", [ItemEvent("a", "begin")])
    found = refused(manager, ItemEvent("b", "begin"), ItemEvent("c", "begin"))
    assert (found.machine, found.subject, found.state) == ("shop", "job j", "open")
    assert (found.invariant, found.values) == ("few_at_once", {"tasks.busy": 3})
    assert (found.event, found.transition) == ("begin", "waiting.begin")
    manager.record("j", [ItemEvent("b", "begin")])
    manager.record("j", [ItemEvent("a", "finish"), ItemEvent("c", "begin")])
    refused(manager, ItemEvent("d", "begin"), ItemEvent("b", "finish"))  # in this order


def test_the_owners_invariant_when_items_are_added(manager: StateManager) -> None:
    manager.add_items("j", ["e"])
    before = manager.get_state("j")
    with pytest.raises(InvariantBroken, match=r"the items to be added would break .*'small'"):
        manager.add_items("j", ["f"])
    assert manager.get_state("j") == before


def test_the_owners_invariant_counts_what_its_row_sends(manager: StateManager) -> None:
    """All take part in one step: `sell` drops them, `close` leaves them where they are."""
    found = refused(manager, JobEvent("close"))
    assert (found.invariant, found.target) == ("all_done", "closed")
    assert found.values == {"tasks.waiting": 4, "tasks.busy": 0}
    assert manager.fire("j", "sell").phase == "sold"


def test_a_job_that_would_begin_broken_is_not_created(manager: StateManager) -> None:
    """By its parameters, by those of its items, and by how many these are."""
    for config, items, name in (
        ({"most": -1}, [], "rich"),
        ({"limit": -1}, ["x"], "affordable"),
        ({}, [str(number) for number in range(6)], "small"),
    ):
        with pytest.raises(InvariantBroken) as caught:
            manager.create_job(items, job_id="new", config=config)
        assert (caught.value.invariant, caught.value.event) == (name, "")
    assert [job.id for job in manager.list_jobs()] == ["j"]
    with pytest.raises(ContextInvalid):
        manager.create_job([], job_id="new", config={"most": "much"})


def test_several_at_once_are_refused_one_by_one(manager: StateManager) -> None:
    """Whoever comes first is let in: what others ask for in the same commit hangs on it."""
    asked = [Write("j", [ItemEvent(key, "begin")], operator=True) for key in TASKS]
    answers = manager.write_each(asked)
    kinds = [type(answer) for answer in answers]
    assert kinds == [JobState, JobState, InvariantBroken, InvariantBroken]
    assert len(manager.get_state("j").items.members("busy")) == 2


def test_coroutines_are_refused_alike(tmp_path: Path) -> None:
    async def work() -> tuple[list[object], int]:
        path = tmp_path / "jobs.db"
        async with await AsyncStateManager.open(path, lifecycle=shop()) as manager:
            await manager.create_job(TASKS, job_id="j")
            with pytest.raises(InvariantBroken):
                await manager.fire("j", "spend", {"n": 9})
            each = (manager.record("j", [ItemEvent(key, "begin")]) for key in TASKS)
            answers = await asyncio.gather(*each, return_exceptions=True)
            return list(answers), len((await manager.get_state("j")).items.members("busy"))

    answers, busy = asyncio.run(work())
    assert [isinstance(one, InvariantBroken) for one in answers].count(True) == 2
    assert busy == 2


def test_the_rows_themselves_refuse_nothing_of_it(tmp_path: Path) -> None:
    """Negative control: unless somebody looks, all of it is taken."""
    with StateManager.open(tmp_path / "jobs.db", lifecycle=unwatched()) as manager:
        manager.create_job(TASKS, job_id="j")
        manager.record("j", [ItemEvent(key, "begin") for key in TASKS])
        manager.record("j", [ItemEvent("a", "charge", {"n": 9}), JobEvent("spend", {"n": 9})])
        manager.record("j", [JobEvent("rest"), JobEvent("close")])
        assert manager.get_state("j").phase == "closed"


def test_items_of_a_record_take_their_event_one_by_one(tmp_path: Path) -> None:
    """As a proof has them move: or what it concludes from an invariant would not be so."""
    text = SHOP.replace("tasks.busy <= 2", "tasks.busy != 1")
    with StateManager.open(tmp_path / "jobs.db", lifecycle=shop(text)) as manager:
        manager.create_job(TASKS, job_id="j")
        for keys in ("a", "ab", "abcd"):
            with pytest.raises(InvariantBroken) as caught:
                manager.record("j", [ItemEvent(key, "begin") for key in keys])
            found = caught.value
            assert (found.invariant, found.values) == ("few_at_once", {"tasks.busy": 1})
            assert (found.event, found.transition) == ("begin", "waiting.begin")
        asked = [Write("j", [ItemEvent(key, "begin")], operator=True) for key in TASKS]
        assert {type(answer) for answer in manager.write_each(asked)} == {InvariantBroken}
        assert not manager.get_state("j").items.members("busy")
        assert manager.fire("j", "sell").phase == "sold"  # what a row sends is taken at once


def test_a_step_that_would_break_one_says_which_and_with_what() -> None:
    """Of a machine alone: where it was, by which row, where it would have led, and the values."""
    machine = shop().machines["shop"]
    context = {**machine.context(), "tasks.busy": 3}
    with pytest.raises(InvariantBroken) as refused:
        machine.step("open", "rest", {**context, "budget": 6}, {})
    told = refused.value
    assert (told.state, told.target, told.event, told.transition) == ("open", "open", "", "")
    context["tasks.busy"] = 0
    with pytest.raises(InvariantBroken) as refused:
        machine.step("open", "spend", context, {"n": 6})
    told = refused.value
    assert (told.invariant, told.holds) == ("rich", "budget <= most")
    assert (told.state, told.event, told.target) == ("open", "spend", "open")
    assert told.transition == "open.spend"
    assert told.values == {"budget": 6, "most": 5}
    assert told.allowed == machine.allowed("open")
    # Which members are still there after a row that moves them, their owner counts.
    busy = {**context, "tasks.busy": 1}
    assert machine.step("open", "sell", busy, {}).state == "sold"
    with pytest.raises(InvariantBroken, match="all_done"):
        machine.step("open", "close", busy, {})
