"""No integer beyond 64 bits gets into a job, and whatever was taken can be kept and read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import (
    AsyncStateManager,
    ContextInvalid,
    ItemEvent,
    JobEvent,
    LifecycleChanged,
    NumberUnfit,
    PayloadInvalid,
    StateManager,
    ValueInvalid,
    Write,
)
from milepost.machine import LARGEST_INT, LEAST_INT, Lifecycle
from tests.contract.lifecycles.compiling import lifecycle_of

SUMS = """\
lifecycle: sums
version: 1
machines:
  item:
    initial: open
    states: {open: {}, done: {final: true}}
    context: {n: {type: int, initial: 0}, step: {type: int, param: true, default: 1}}
    events: {add: {payload: {more: {type: int}}}, leap: {}, end: {}}
    transitions:
      - {from: open, on: add, to: open, set: {n: n + event.more if step > 0 else n}}
      - {from: open, on: leap, to: open, set: {n: n + 9223372036854775807 * 4}}
      - {from: open, on: end, to: done}
  job:
    initial: open
    states: {open: {}, done: {final: true}}
    context: {total: {type: int, initial: 0}, least: {type: int, param: true, default: 0}}
    collections: {items: {machine: item, accepts: {open: [add, leap, end]}}}
    events:
      add: {payload: {more: {type: int}}}
      all: {}
      end: {}
    transitions:
      - {from: open, on: add, to: open, set: {total: total + event.more}}
      - {from: open, on: all, to: open, set: {total: total + 1}, members: {items: {open: leap}}}
      - {from: open, on: end, to: done, when: total >= least, partial: true}
"""
LATER = SUMS.replace(
    "version: 1",
    """version: 2
migrations:
  - from: 1
    old: {job: {total: int, least: int}, item: {n: int, step: int}}
    context: {WHAT}""",
)
BEYOND = "beyond the 64 bits that are stored"


@pytest.fixture
def lifecycle() -> Lifecycle:
    return lifecycle_of(SUMS)


@pytest.fixture(params=["memory", "file"])
def manager(
    request: pytest.FixtureRequest, lifecycle: Lifecycle, tmp_path: Path
) -> Iterator[StateManager]:
    """A job 'j' of three items; at the end all that it has can be kept, read, and read anew."""
    where = "memory:" if request.param == "memory" else tmp_path / "jobs.db"
    with StateManager.open(where, lifecycle=lifecycle) as manager:
        manager.create_job(["a", "b", "c"], job_id="j")
        yield manager
        taken = manager.create_checkpoint("j").state
        assert taken.context == manager.get_state("j").context
        assert manager.verify("j")[0].sound
        state = manager.get_state("j")
    if request.param == "file":
        with StateManager.open(where, lifecycle=lifecycle) as again:
            assert again.get_state("j") == state


def add(more: int) -> JobEvent:
    return JobEvent("add", {"more": more})


@pytest.mark.parametrize("edge", [LARGEST_INT, LEAST_INT])
def test_a_step_goes_up_to_the_edge_and_not_beyond(manager: StateManager, edge: int) -> None:
    """Of a job and of an item; the refusal has what was to be, and nothing has changed."""
    further = 1 if edge > 0 else -1
    manager.fire("j", "add", {"more": edge})
    before = manager.record("j", [ItemEvent("b", "add", {"more": edge})])
    with pytest.raises(NumberUnfit) as refused:
        manager.fire("j", "add", {"more": further})
    found = refused.value
    assert (found.event, found.name, found.value) == ("add", "total", edge + further)
    assert str(found) == f"job j: 'add' would make 'total' {edge + further}, {BEYOND}"
    with pytest.raises(NumberUnfit, match="job j, item 'b': 'add' would make 'n'") as refused:
        manager.record(
            "j", [ItemEvent("a", "add", {"more": 2}), ItemEvent("b", "add", {"more": further})]
        )
    assert isinstance(refused.value, ValueInvalid)
    assert manager.get_state("j") == before


def test_it_is_looked_at_after_each_step_of_a_commit(manager: StateManager) -> None:
    """One that comes back in the same commit was beyond: for what one asks, and for others."""
    manager.fire("j", "add", {"more": LARGEST_INT})
    before = manager.get_state("j")
    there_and_back = [add(5), add(-5)]
    answers = manager.write_each([Write("j", there_and_back)])
    assert isinstance(answers[0], NumberUnfit)
    answers = manager.write_each([Write("j", [one]) for one in there_and_back])
    assert [type(one).__name__ for one in answers] == ["NumberUnfit", "JobState"]
    assert manager.get_state("j").context["total"] == LARGEST_INT - 5
    assert manager.get_state("j").seq == before.seq + 1


def test_nobody_else_is_hurt(manager: StateManager) -> None:
    """Of requests that share a commit, each is taken or refused for itself."""
    manager.record("j", [ItemEvent("b", "add", {"more": LARGEST_INT})])
    answers = manager.write_each(
        [Write("j", [ItemEvent(key, "add", {"more": 7})]) for key in "abc"]
    )
    assert [type(one).__name__ for one in answers] == ["JobState", "NumberUnfit", "JobState"]
    state = manager.get_state("j")
    assert [state.item(key)[1]["n"] for key in "abc"] == [7, LARGEST_INT, 7]


def test_a_step_that_members_take_is_refused_for_one_of_them(manager: StateManager) -> None:
    """With the item's event, not the owner's own; the owner's variable stays, too."""
    before = manager.get_state("j")
    with pytest.raises(NumberUnfit, match=r"items? 'a' and 2 more.*'n' 36893488147419103228"):
        manager.fire("j", "all")
    assert manager.get_state("j") == before


@pytest.mark.parametrize("number", [LARGEST_INT + 1, LEAST_INT - 1, 10**400], ids="abc")
def test_the_door_says_the_same(manager: StateManager, number: int) -> None:
    """Parameters, payloads of jobs and of items: with the name of what was given."""
    asked: list[tuple[type[Exception], Callable[[], Any]]] = [
        (ContextInvalid, lambda: manager.create_job(["x"], config={"least": number})),
        (ContextInvalid, lambda: manager.create_job(["x"], config={"step": number})),
        (PayloadInvalid, lambda: manager.fire("j", "add", {"more": number})),
        (PayloadInvalid, lambda: manager.record("j", [ItemEvent(0, "add", {"more": number})])),
    ]
    for error, ask in asked:
        with pytest.raises(error, match=BEYOND):
            ask()
    with pytest.raises(ValueInvalid, match=BEYOND):
        manager.create_job(
            ["x"], variables={"deep": [number]} if number < 10**400 else {"n": 2**64}
        )


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("job: {total: total * 4}", "job: total would be 73786976294838206460"),
        ("job: {least: total + total + 1}", "job: least would be 36893488147419103231"),
        ("item: {n: 0 - n - n}", "item: n would be -36893488147419103230"),
        ("item: {step: 9223372036854775807 * 3}", "item: step would be 27670116110564327421"),
    ],
)
def test_a_migration_that_would_give_one_refuses_the_job(
    what: str, name: str, lifecycle: Lifecycle, tmp_path: Path
) -> None:
    """As a whole, and leaves it to the version that it runs by; others go on."""
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        for job in ("j", "small"):
            manager.create_job(["a"], job_id=job)
        manager.fire("j", "add", {"more": LARGEST_INT})
        before = manager.record("j", [ItemEvent("a", "add", {"more": LARGEST_INT})])
    later = lifecycle_of(LATER.replace("WHAT", what), SUMS)
    with StateManager.open(tmp_path / "jobs.db", lifecycle=later, earlier=[lifecycle]) as manager:
        for ask in (manager.get_state, manager.create_checkpoint, lambda j: manager.fire(j, "end")):
            with pytest.raises(LifecycleChanged, match=f"{name}, {BEYOND}"):
                ask("j")
        if "step" not in what:
            after = manager.fire("small", "add", {"more": 1})
            assert manager.create_checkpoint("small").state.context == after.context
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        assert manager.get_state("j") == before
        assert manager.fire("j", "end").phase == "done"
        assert all(one.sound for one in manager.verify("j"))


def test_a_migration_that_stays_below_goes_on(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """Control: the same definition, values at the edge."""
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle) as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "add", {"more": LARGEST_INT // 4})
    later = lifecycle_of(LATER.replace("WHAT", "job: {total: total * 4 + 3}"), SUMS)
    with StateManager.open(tmp_path / "jobs.db", lifecycle=later, earlier=[lifecycle]) as manager:
        assert manager.get_state("j").context["total"] == LARGEST_INT
        assert manager.create_checkpoint("j").state.context["total"] == LARGEST_INT
        with pytest.raises(NumberUnfit):
            manager.fire("j", "add", {"more": 1})


def test_coroutines_are_told_the_same(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """By the manager of asyncio, each of those that share a commit."""

    async def together() -> list[Any]:
        async with await AsyncStateManager.open(
            tmp_path / "jobs.db", lifecycle=lifecycle
        ) as manager:
            await manager.create_job(["a"], job_id="j")
            await manager.fire("j", "add", {"more": LARGEST_INT})
            asked = [manager.fire("j", "add", {"more": n}) for n in (1, 2, 3)]
            found: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
            return found

    assert [type(one) for one in asyncio.run(together())] == [NumberUnfit] * 3
