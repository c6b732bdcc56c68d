"""Every point at which a process can die: before each durable write, and after it unanswered.

A job is run through setup, map, reduce and its end, under the built-in lifecycle and under others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from milepost import CheckpointPolicy, Item, ItemEvent, JobState, StateManager
from milepost.errors import ArgumentInvalid, ResultAbsent
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

    said = "item 'a' of job j was finished, and life 2 called it again"
    with pytest.raises(AssertionError, match=said):
        survives_every_write(looks_again, check=is_whole)


def steps_of(life: Life, called: Callable[[Life, Steps], object], **options: Any) -> None:
    """A job of two items and a reduce with steps, which `called` says how they are called."""

    def reduce_fn(results: Iterator[tuple[str, Any]], steps: Steps) -> int:
        called(life, steps)
        return len(list(results))

    if not life.manager.job_ids():
        life.manager.create_job(["a", "b"], job_id="j")
    run(
        life.manager,
        "j",
        life.watched(lambda item: item.value),
        reduce_fn,
        executor=life.executor,
        workers=1,
        ahead=0,
        on_progress=life.acknowledge,
        **options,
    )


@pytest.mark.control("deaths at every write")
def test_a_call_for_what_the_same_life_has_recorded_is_found() -> None:
    """It is one too many, whoever makes it; until it is recorded it may be made again."""

    def twice_before(life: Life, steps: Steps) -> object:
        return steps.step("mail", lambda: [life.called("reduce/mail") for _ in range(2)])

    def once_behind(life: Life, steps: Steps) -> object:
        steps.step("mail", lambda: life.called("reduce/mail"))
        return life.called("reduce/mail")

    survives_every_write(lambda life: steps_of(life, twice_before))
    said = "step 'reduce/mail' of job j was finished, and life 1 called it again"
    with pytest.raises(AssertionError, match=said):
        survives_every_write(lambda life: steps_of(life, once_behind))


@pytest.mark.control("deaths at every write")
@pytest.mark.parametrize("way", ["rewind", "redo"])
def test_a_call_for_what_was_acknowledged_and_taken_back_is_found(way: str) -> None:
    """By a process that begins anew, as one does who trusts nothing that is there."""

    def begins_anew(life: Life) -> None:
        manager = life.manager
        state = manager.get_state("j") if manager.has_job("j") else None
        if life.number > 1 and state is not None and state.phase == "map" and state.progress.done:
            if way == "rewind":
                manager.apply(manager.plan_rewind("j", 1))
            else:
                manager.redo("j", list(state.processed_items))
        steps_of(life, lambda *_: None)

    said = "item 'a' of job j was finished, and life 2 called it again"
    with pytest.raises(AssertionError, match=said):
        survives_every_write(begins_anew)


def test_a_call_that_nothing_records_is_told_of() -> None:
    """Such a call could be made as often as one likes, and nobody would see it."""

    def mails(life: Life, _: object, *, recorded: bool = True) -> None:
        life.called("mail/send", recorded=recorded)
        life.called("mail/send", recorded=recorded)

    with pytest.raises(AssertionError, match="'mail/send' is of no item, and of no step"):
        survives_every_write(lambda life: steps_of(life, mails))
    survives_every_write(
        lambda life: steps_of(life, lambda life, _: mails(life, _, recorded=False))
    )


def test_a_name_that_two_jobs_have_is_finished_once_both_have_finished_it() -> None:
    """Nobody says for which of them a call is."""

    def live(life: Life) -> None:
        manager = life.manager
        for name in ("one", "two"):
            if name not in manager.job_ids():
                manager.create_job(["a"], job_id=name)
        for name in ("one", "two"):
            work = life.watched(lambda item: item.value)
            run(manager, name, work, list, executor=life.executor, workers=1, ahead=0)

    survives_every_write(live)

    def again(life: Life) -> None:
        live(life)
        life.called("a")

    with pytest.raises(AssertionError, match="item 'a' of job two was finished, and life 1"):
        survives_every_write(again)


def test_a_job_that_failed_says_why() -> None:
    """What the function raised, of which item or phase, in which attempt, and where."""

    def count(item: Item) -> int:
        if item.key == "or not":
            raise LookupError(f"no such word: {item.value}")
        return 1

    def living(work: Callable[[Item], int], reduce_fn: Any) -> Callable[[Life], None]:
        def live(life: Life) -> None:
            if not life.manager.job_ids():
                life.manager.create_job(["to be", "or not"], job_id="j")
            run(life.manager, "j", work, reduce_fn, executor=life.executor, workers=1, ahead=0)

        return live

    with pytest.raises(AssertionError) as failed:
        survives_every_write(living(count, list))
    first, job, item = str(failed.value).splitlines()
    assert first == "after a life that nobody disturbed:"
    assert job == "- job j is in phase failed, from which it can go on: 1 dead, 0 allowed"
    assert item.startswith("  item 'or not', attempt 3: LookupError: no such word: or not, at ")
    assert "test_every_write.py:" in item
    assert "count: raise LookupError(" in item

    def total(results: object) -> int:
        raise KeyError("total")

    said = r"from which it can go on: reduce failed: KeyError: 'total' \(phase reduce, function tot"
    with pytest.raises(AssertionError, match=said):
        survives_every_write(living(lambda item: 1, total))

    def stops(life: Life) -> None:
        if not life.manager.job_ids():
            life.manager.create_job(["a"], job_id="j")

    with pytest.raises(AssertionError, match="job j is still in phase setup, which is not its end"):
        survives_every_write(stops)


def test_nobody_waits_for_the_lease_of_a_life_that_died() -> None:
    """It has run out when the next one begins, as that of a process that is gone counts for naught.

    Without that a run waits for half a minute of real time, for a clock that stands still.
    """
    waited: list[object] = []

    def live(life: Life) -> None:
        steps_of(life, lambda *_: None, on_wait=waited.append)

    survived = survives_every_write(live, deaths=2)
    assert "job recover" in survived.points
    assert waited == []


def test_a_check_that_raises_does_not_hide_why_the_job_has_not_ended() -> None:
    """A check that asks for the result raises where there is none; why is what helps."""

    def count(item: Item) -> int:
        raise LookupError(f"no such word: {item.value}")

    def live(life: Life) -> None:
        if not life.manager.job_ids():
            life.manager.create_job(["or not"], job_id="letters")
        run(life.manager, "letters", count, list, executor=life.executor, workers=1, ahead=0)

    def check(manager: StateManager) -> None:
        assert manager.result("letters") == 6

    with pytest.raises(AssertionError) as told:
        survives_every_write(live, check=check)
    first, job, item, checked = str(told.value).splitlines()
    assert first == "after a life that nobody disturbed:"
    assert job.startswith("- job letters is in phase failed, from which it can go on:")
    assert item.startswith("  item 'or not', attempt 3: LookupError: no such word: or not, at ")
    assert checked.startswith("- the check raised: ResultAbsent: job letters has given no result")
    assert isinstance(told.value.__cause__, ResultAbsent)

    def needs(life: Life) -> None:
        live(life)
        life.manager.result("letters")

    with pytest.raises(ResultAbsent) as absent:
        survives_every_write(needs)
    said = ["this was life 1: nobody had died", "\n".join([job.removeprefix("- "), item])]
    assert absent.value.__notes__ == said


@pytest.mark.parametrize("raises", [False, True])
def test_who_catches_its_death_is_told_so(raises: bool) -> None:
    """Nothing else of it is true: its commits may well be the same each time."""

    def live(life: Life) -> None:
        try:
            mapreduce(life)
        except BaseException as error:
            if raises:
                raise RuntimeError("the run went wrong") from error

    said = r"life 1 died before its commit 1, and `live`, or what it calls, went on: its death is"
    with pytest.raises(AssertionError, match=said) as told:
        survives_every_write(live)
    assert "except BaseException:" in str(told.value)
    assert "same commits" not in str(told.value)


def test_a_life_that_waits_for_what_does_not_come_is_told_so() -> None:
    """It looks and makes no commit: nobody else is there who could."""

    def waits(life: Life) -> None:
        if not life.manager.job_ids():
            life.manager.create_job(["a"], job_id="j")
        while not life.manager.get_state("j").finished:
            pass

    with pytest.raises(AssertionError) as told:
        survives_every_write(waits)
    said = "a life looked at its store 100,000 times without a commit, and waits for what does not"
    assert str(told.value).startswith(said)
    assert "job j is where it was: created to " in str(told.value)


def test_a_check_that_gives_false_does_not_hold() -> None:
    with pytest.raises(AssertionError, match="the check gave False"):
        survives_every_write(mapreduce, check=lambda manager: manager.result("j") == 0)


def test_a_harness_that_nobody_can_die_in_says_so() -> None:
    ended = MemoryStore()
    with StateManager(ended) as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "cancel", operator=True)

        def live(life: Life) -> None:
            assert life.manager.get_state("j").finished

        with pytest.raises(AssertionError, match="the life made no commit"):
            survives_every_write(live, store=lambda: ended)

    def cancels(life: Life) -> None:
        if not life.manager.job_ids():
            life.manager.create_job(["a"], job_id="j")
        if not life.manager.get_state("j").finished:
            life.manager.fire("j", "cancel", operator=True)

    survives_every_write(cancels)
    with pytest.raises(AssertionError, match="a life makes 2 commits, of which the first and the"):
        notices_lost_writes(cancels)
    for deaths in (0, 3):
        with pytest.raises(ArgumentInvalid, match="'deaths': an integer from 1 up to 2 is wanted"):
            survives_every_write(cancels, deaths=deaths)


def test_a_control_needs_a_run_that_is_sound() -> None:
    """Or whatever is wrong already would be held for the loss, of each commit."""
    with pytest.raises(AssertionError, match="after a life that nobody disturbed:\n- the check"):
        notices_lost_writes(mapreduce, check=lambda manager: False)


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

    said = "item 'a' of job j was acknowledged, and is not recorded as done"
    with pytest.raises(AssertionError, match=said):
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
