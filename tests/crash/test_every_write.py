"""Every point at which a process can die: before each durable write, and after it unanswered.

A job is run through setup, map, reduce and its end, under the built-in lifecycle and under others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from milepost import CheckpointPolicy, Item, ItemEvent, JobState, StateManager
from milepost.executors import Steps, run
from milepost.stores.memory import MemoryStore
from milepost.testing.deaths import Life, Survived, notices_lost_writes, survives_every_write
from tests.integration.executors.lifecycles import (
    ORDER,
    RENAMED,
    REVIEW,
    WAREHOUSE,
    compiled,
    edited,
)

Counted = Callable[[Survived], None]

ITEMS = [Item(key=key, value=key) for key in ("a", "b", "c", "d", "fails once")]


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Counted:
    def count(survived: Survived) -> None:
        counts = {"lives that died": survived.deaths, "points": len(survived.points)}
        record_property("counted", ("deaths at every write", counts))

    return count


def mapreduce(life: Life) -> None:
    """A job of the built-in lifecycle, with steps, checkpoints and an item that fails once."""

    def map_fn(item: Item) -> list[Any]:
        call = life.called(item.key)
        if item.value == "fails once" and call == 1:
            raise ConnectionError("the first time")
        return [item.key, call]

    def step(name: str, of: object = None) -> dict[str, object]:
        return {"call": life.called(name), "of": of}

    def setup_fn(state: JobState, steps: Steps) -> dict[str, object]:
        return {"table": steps.step("table", lambda: step("setup/table"))}

    def reduce_fn(results: Iterator[tuple[str, Any]], steps: Steps) -> object:
        merged = steps.step("merge", lambda: step("reduce/merge", dict(results)))
        return [merged, steps.step("upload", lambda: step("reduce/upload"))]

    if not life.manager.job_ids():
        life.manager.create_job(ITEMS, job_id="j", config={"max_attempts": 20})
    run(
        life.manager,
        "j",
        map_fn,
        reduce_fn,
        setup_fn=setup_fn,
        executor=life.executor,
        workers=1,
        ahead=0,
        policy=CheckpointPolicy(items=2),
        takeover="its process died",
        on_progress=life.acknowledge,
        owner=f"life {life.number}",
    )


def is_whole(manager: StateManager) -> None:
    """All is done, and what reduce was given is what is recorded."""
    state = manager.get_state("j")
    assert (state.phase, state.progress.done) == ("completed", len(ITEMS))
    merged, upload = manager.result("j")
    assert merged["of"] == dict(manager.results("j"))
    assert upload["call"] == state.variables["reduce/upload"]["call"]


def test_a_job_survives_a_second_death_at_every_write_of_its_recovery(counted: Counted) -> None:
    """Nothing finished is done again, nothing acknowledged is lost, and the history is legal.

    All pairs: the second process dies at each of its own writes, and a third one finishes.
    """
    survived = survives_every_write(mapreduce, check=is_whole, deaths=2)
    assert survived.writes > 15
    assert survived.deaths > 700
    assert {"lease", "items start", "checkpoint", "job recover"} <= survived.points.keys()
    counted(survived)


@pytest.mark.control("deaths at every write")
def test_a_write_that_was_acknowledged_and_lost_is_found() -> None:
    """The negative control: of each kind, a write that broke the promise is noticed."""
    noticed = notices_lost_writes(mapreduce, check=is_whole)
    assert noticed.keys() >= {"lease", "items start", "items succeed", "items fail", "checkpoint"}


@pytest.mark.control("deaths at every write")
def test_a_call_for_what_had_finished_is_found() -> None:
    """The other negative control: a process that looks at an item again that it need not."""

    def looks_again(life: Life) -> None:
        if life.number > 1:
            life.called("a")
        mapreduce(life)

    with pytest.raises(AssertionError, match="a had finished before life 2 called it"):
        survives_every_write(looks_again, check=is_whole)


@pytest.mark.control("deaths at every write")
def test_a_run_that_tells_too_early_is_found() -> None:
    """Another: what a process tells of is not recorded, and is lost with it."""

    elsewhere = StateManager(MemoryStore())
    elsewhere.create_job(ITEMS, job_id="j")
    elsewhere.fire("j", "start_map")
    early = elsewhere.record("j", [ItemEvent(0, "start"), ItemEvent(0, "succeed", {"result": 1})])

    def tells_early(life: Life) -> None:
        if not life.manager.job_ids():
            life.manager.create_job(ITEMS, job_id="j")
            life.acknowledge(early)
        if not life.manager.get_state("j").finished:
            life.manager.fire("j", "cancel", operator=True)

    with pytest.raises(AssertionError, match="a was acknowledged and is not done, in job j"):
        survives_every_write(tells_early)


@pytest.mark.control("deaths at every write")
def test_a_run_that_is_not_the_same_each_time_is_told_of() -> None:
    """A harness that dies nowhere proves nothing."""
    lives: list[int] = []

    def another(life: Life) -> None:
        lives.append(life.number)
        if len(lives) == 1:
            mapreduce(life)

    with pytest.raises(AssertionError, match="does not make the same commits each time"):
        survives_every_write(another)


_DROP = "      - {from: moving, on: drop, to: waiting, set: {moves: moves - 1}}\n"


class Case(NamedTuple):
    """A lifecycle, the members of its jobs by collection, and the state that they end in."""

    text: str
    members: Mapping[str, Mapping[str, int]]
    phases: tuple[str, ...]
    end: str
    steps: tuple[str, ...] = ()


CASES = {
    "order": Case(
        edited(
            ORDER, ("on: posted, to: sent, when: weighed, partial: true", "on: posted, to: sent")
        ),
        {},
        ("received", "charging", "packing"),
        "sent",
        ("charging/pay",),
    ),
    "review": Case(REVIEW, {"papers": {"a": 1, "b": 2, "once": 3}}, ("printing",), "printed"),
    "warehouse": Case(
        edited(
            WAREHOUSE,
            ("      arrive: {payload", "      drop: {}\n      arrive: {payload"),
            ("      - {from: moving, on: arrive", f"{_DROP}      - {{from: moving, on: arrive"),
            ("      failure: return\n", "      failure: return\n      lost: drop\n"),
            ("[pack, arrive, return]", "[pack, arrive, return, drop]"),
        ),
        {"lines": {"a": 1, "once": 2}, "parcels": {"c": 3}},
        ("billing",),
        "closed",
    ),
    "renamed": Case(
        RENAMED,
        {"items": {"a": 1, "once": 2, "c": 3}},
        ("x_setup", "x_reduce"),
        "x_completed",
        ("x_setup/table", "x_reduce/table"),
    ),
}


def living(case: Case) -> Callable[[Life], None]:
    """What a life does with a job of that case."""

    def live(life: Life) -> None:
        def called(name: str) -> str:
            life.called(name)
            return name

        def work(item: Item) -> int:
            if life.called(item.key) == 1 and item.key.endswith("once"):
                raise ConnectionError("the first time")
            return int(item.value)

        def without(results: Iterator[tuple[str, Any]]) -> int:
            """The function of a phase, without steps."""
            return sum(value for _, value in results)

        def with_steps(given: JobState | Iterator[tuple[str, Any]], steps: Steps) -> object:
            """The function of each phase: what it gives fits whatever ends one of them."""
            if not isinstance(given, JobState):
                steps.step("table", lambda: called("x_reduce/table"))
                return without(given)
            if given.phase == "charging":
                return {"receipt": steps.step("pay", lambda: called("charging/pay")), "cents": 1}
            if given.phase == "x_setup":
                steps.step("table", lambda: called("x_setup/table"))
            return {} if given.phase != "packing" else "label"

        if not life.manager.job_ids():
            life.manager.create_job(collections=case.members, job_id="j")
        run(
            life.manager,
            "j",
            work if case.members else None,
            phases=dict.fromkeys(case.phases, with_steps if case.steps else without),
            executor=life.executor,
            workers=1,
            ahead=0,
            takeover="its process died",
            on_progress=life.acknowledge,
        )

    return live


def ends_well(case: Case, manager: StateManager) -> None:
    state = manager.get_state("j")
    assert state.phase == case.end
    steps = {name: value for name, value in state.variables.items() if "/" in name}
    assert steps == {name: name for name in case.steps}
    if case.members:
        single = len(case.members) < 2
        members = {
            key if single else f"{collection}/{key}": value
            for collection, of_it in case.members.items()
            for key, value in of_it.items()
        }
        assert dict(manager.results("j")) == members
        assert manager.result("j") == sum(members.values())


@pytest.mark.parametrize("name", CASES)
def test_a_job_of_any_lifecycle_survives_a_death_at_every_write(
    name: str, counted: Counted
) -> None:
    case = CASES[name]
    survived = survives_every_write(
        living(case),
        lifecycle=compiled(case.text),
        check=lambda manager: ends_well(case, manager),
    )
    assert survived.writes > 6
    counted(survived)


@pytest.mark.control("deaths at every write")
@pytest.mark.parametrize("name", CASES)
def test_a_write_of_any_lifecycle_that_was_acknowledged_and_lost_is_found(name: str) -> None:
    """The negative control, without a check of its own."""
    assert notices_lost_writes(living(CASES[name]), lifecycle=compiled(CASES[name].text))


def test_an_error_says_in_which_life_it_was_raised_and_after_which_death() -> None:
    """Of the life itself, and of the check behind it."""

    def stumbles(life: Life) -> None:
        if life.number == 2:
            raise ConnectionError("no way to go on")
        mapreduce(life)

    with pytest.raises(ConnectionError) as told:
        survives_every_write(stumbles)
    assert told.value.__notes__ == ["this was life 2, after life 1 died before its commit 1"]
    with pytest.raises(ConnectionError) as told:
        notices_lost_writes(stumbles)
    said = "this was life 2, after life 1 died once its commit 2 was undone"
    assert told.value.__notes__ == [said]

    def looks(manager: StateManager) -> None:
        if manager.get_state("j").fence > 1:
            raise KeyError("table")

    with pytest.raises(KeyError) as missing:
        survives_every_write(mapreduce, check=looks)
    (note,) = missing.value.__notes__
    assert note.startswith("this was the check, after life 1 died")
