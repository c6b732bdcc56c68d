"""Scopes: which items a plan is about, and what it takes to begin a phase again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost import Item, ItemEvent, JobEvent, Scope, StateManager
from milepost.errors import CheckpointAbsent, ItemAbsent, PlanStale, ScopeInvalid
from milepost.state.recovery import RecoveryPlan
from milepost.testing import FakeClock

ERROR = {"cause": "error", "message": "no"}
TIMEOUT = {"cause": "timeout", "message": "late"}
KEYS = ["img/1", "img/2", "img/3", "txt/1", "txt/2", "txt/3", "txt/4"]


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    """A job left in map.

    img/1 failed by error (1 attempt of 3), img/2 by timeout (2), img/3 is running; txt/1 is done,
    txt/2 dead by error, txt/3 failed because three executors died while it ran as a suspect,
    txt/4 pending.
    """
    manager = StateManager.open(tmp_path / "jobs.db", clock=FakeClock())
    items = [Item(key=key, value=key) for key in KEYS]
    manager.create_job(items, job_id="j", config={"max_dead": 3})
    manager.fire("j", "start_map", {"variables": {"model": "m1"}})
    manager.record("j", [ItemEvent("img/1", "start"), ItemEvent("img/1", "fail", ERROR)])
    for cause in (ERROR, TIMEOUT):
        manager.record("j", [ItemEvent("img/2", "start"), ItemEvent("img/2", "fail", cause)])
        if cause is ERROR:
            manager.record("j", [ItemEvent("img/2", "retry")])
    for attempt in range(3):
        manager.record("j", [ItemEvent("txt/2", "start"), ItemEvent("txt/2", "fail", ERROR)])
        manager.record("j", [ItemEvent("txt/2", "retry" if attempt < 2 else "give_up")])
    manager.record("j", [ItemEvent("txt/3", "start"), ItemEvent("txt/3", "interrupt")])
    manager.record("j", [ItemEvent("txt/3", "start")])
    manager.fire("j", "recover")
    for _ in range(2):
        manager.record("j", [ItemEvent("txt/3", "start"), ItemEvent("txt/3", "interrupt")])
    manager.record("j", [ItemEvent("txt/1", "start"), ItemEvent("img/3", "start")])
    manager.record("j", [ItemEvent("txt/1", "succeed", {"result": "one"})])
    return manager


def in_scope(manager: StateManager, scope: Scope) -> list[str]:
    plan = manager.recover_from_checkpoint("j", scope=scope)
    assert check_partition(plan)
    return [key for key in KEYS if key not in plan.outside]


def check_partition(plan: RecoveryPlan) -> bool:
    ordinals = sorted(o for part in plan.parts.values() for o in part.ordinals)
    return ordinals == list(range(plan.state.items.count))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.all(), KEYS),
        (Scope.failed(), ["img/1", "img/2", "txt/2", "txt/3"]),
        (Scope.states("pending", "running"), ["img/3", "txt/4"]),
        (Scope.keys("img/1", "txt/4"), ["img/1", "txt/4"]),
        (Scope.keys(), []),
        (Scope.globs("img/*"), ["img/1", "img/2", "img/3"]),
        (Scope.globs("*/1", "txt/[34]"), ["img/1", "txt/1", "txt/3", "txt/4"]),
        (Scope.globs("IMG/*"), []),
        (Scope.globs(), []),
        (Scope.ordinals([0, 6]), ["img/1", "txt/4"]),
        (Scope.span(2, 4), ["img/3", "txt/1", "txt/2"]),
        (Scope.span(5, 99), ["txt/3", "txt/4"]),
        (Scope.causes("timeout"), ["img/2"]),
        (Scope.causes("error"), ["img/1", "txt/2"]),
        (Scope.causes("executor_lost"), ["txt/3"]),
        (Scope.causes("error", "timeout"), ["img/1", "img/2", "txt/2"]),
        (Scope.attempts_below(2), ["img/1", "img/3", "txt/1", "txt/3", "txt/4"]),
        (Scope.failed() & Scope.globs("img/*"), ["img/1", "img/2"]),
        (Scope.globs("img/*") & Scope.globs("*/1"), ["img/1"]),
        (Scope.failed() & Scope.causes("error") & Scope.attempts_below(2), ["img/1"]),
        (Scope.keys("img/1", "img/2") & Scope.keys("img/2", "img/3"), ["img/2"]),
    ],
    ids=str,
)
def test_a_scope_chooses_items_and_leaves_the_rest(
    manager: StateManager, scope: Scope, expected: list[str]
) -> None:
    """By state, key, glob, place, cause and attempts, and by several at once."""
    assert in_scope(manager, scope) == expected


def test_only_what_is_in_scope_is_moved(manager: StateManager) -> None:
    """The rest keeps its states; what somebody else may still work on is not interrupted."""
    before = manager.get_state("j")
    plan = manager.recover_from_checkpoint("j", scope=Scope.globs("img/[12]"), reason="a retry")
    assert list(plan.retriable) == ["img/1", "img/2"]
    assert (plan.events, dict(plan.item_events)) == ((), {"retry": 2})
    assert plan.reason_of("img/3") == "out of scope, left as it is"
    assert [item.key for item in plan.pending_items()] == ["img/1", "img/2"]
    assert plan.fence == before.fence
    assert dict(plan.variables) == {"model": "m1"}
    assert set(plan.results_available) == {"txt/1"}
    after = manager.apply(plan)
    assert after.seq == before.seq + 1
    assert set(after.keys_in("pending")) == {"img/1", "img/2", "txt/4"}
    for key in plan.outside:
        assert after.item(key) == before.item(key)
    with pytest.raises(PlanStale):
        manager.apply(plan)


def test_in_flight_items_are_interrupted_one_by_one_if_others_are_out_of_scope(
    manager: StateManager,
) -> None:
    """The job's own `recover` would take them all."""
    manager.record("j", [ItemEvent("txt/4", "start")])
    plan = manager.recover_from_checkpoint("j", scope=Scope.globs("txt/*"))
    assert list(plan.in_flight) == ["txt/4"]
    assert dict(plan.item_events) == {"interrupt": 1, "give_up": 1}
    after = manager.apply(plan)
    assert set(after.keys_in("running")) == {"img/3"}
    assert set(after.keys_in("dead")) == {"txt/2", "txt/3"}


def test_a_phase_again_begins_where_it_was_entered(manager: StateManager) -> None:
    """Map again: what setup gave is kept, what map gave is undone and named."""
    plan = manager.recover_from_checkpoint("j", scope=Scope.again("map"), reason="a bad model")
    assert (plan.rewinds_to, plan.events, plan.resume_phase) == (1, ("start_map",), "map")
    assert list(plan.undone) == ["txt/1"]
    assert list(plan.pending) == KEYS
    assert dict(plan.variables) == {"model": "m1"}
    after = manager.apply(plan)
    assert (after.phase, after.progress.pending, dict(after.variables)) == (
        "map",
        7,
        {"model": "m1"},
    )
    assert dict(manager.results("j")) == {}
    manager.record("j", [ItemEvent("img/1", "start")])
    again = manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("map")))
    assert again.items == after.items
    assert manager.verify("j")[0].sound


def test_reduce_again_after_the_end(manager: StateManager) -> None:
    """A completed job goes back to the beginning of reduce; the results of map stay."""
    manager.apply(manager.recover_from_checkpoint("j"))
    for ordinal in manager.get_state("j").takers("start"):
        done = ItemEvent(ordinal, "succeed", {"result": ordinal})
        manager.record("j", [ItemEvent(ordinal, "start"), done])
    manager.fire("j", "finish_map")
    manager.fire("j", "set_variables", {"variables": {"half": 1}})
    manager.fire("j", "pause")
    manager.fire("j", "resume")  # does not enter the phase
    manager.fire("j", "finish_reduce", {"result": "wrong"})
    results = dict(manager.results("j"))
    plan = manager.recover_from_checkpoint("j", scope=Scope.again("reduce"))
    assert (plan.phase, plan.resume_phase, plan.events) == ("completed", "reduce", ("finish_map",))
    assert plan.undoes_result
    assert plan.undone_variables == ("half",)
    assert not plan.undone
    after = manager.apply(plan)
    assert after.phase == "reduce"
    assert dict(manager.results("j")) == results
    with pytest.raises(KeyError):
        manager.result("j")
    manager.fire("j", "finish_reduce", {"result": "right"})
    assert manager.result("j") == "right"
    manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("reduce")))
    assert dict(manager.results("j")) == results
    first = manager.apply(manager.recover_from_checkpoint("j", scope=Scope.again("setup")))
    assert (first.phase, first.progress.pending, dict(first.variables)) == ("setup", 7, {})
    with pytest.raises(ScopeInvalid, match="has not been in 'map' yet"):
        manager.recover_from_checkpoint("j", scope=Scope.again("map"))
    assert manager.verify("j")[0].sound


def test_what_shares_a_commit_with_the_entry_is_not_undone(tmp_path: Path) -> None:
    """The last result and the end of map in one commit: reduce again keeps the result."""
    with StateManager.open(tmp_path / "jobs.db", clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "start_map")
        manager.update_state(
            "j",
            lambda state: [
                ItemEvent("a", "start"),
                ItemEvent("a", "succeed", {"result": "kept"}),
                JobEvent("finish_map"),
            ],
        )
        plan = manager.recover_from_checkpoint("j", scope=Scope.again("reduce"))
        assert not plan.undone
        manager.apply(plan)
        assert dict(manager.results("j")) == {"a": "kept"}
        assert manager.get_state("j").phase == "reduce"
        assert manager.verify("j")[0].sound


def test_from_a_checkpoint_with_the_log_or_exactly(manager: StateManager) -> None:
    """With the log nothing is lost and items may be chosen; exactly is for the whole job."""
    taken = manager.create_checkpoint("j").seq
    manager.record("j", [ItemEvent("img/3", "succeed", {"result": 3})])
    forward = Scope.checkpoint(taken)
    assert set(manager.recover_from_checkpoint("j", scope=forward).done) == {"txt/1", "img/3"}
    assert in_scope(manager, forward & Scope.globs("txt/*")) == KEYS[3:]
    back = manager.recover_from_checkpoint("j", scope=Scope.checkpoint(taken, exactly=True))
    assert list(back.undone) == ["img/3"]
    assert back.rewinds_to == taken
    manager.apply(back)
    assert dict(manager.results("j")) == {"txt/1": "one"}
    with pytest.raises(CheckpointAbsent):
        manager.recover_from_checkpoint("j", scope=Scope.checkpoint(2))


def test_a_recovery_after_a_rewind_does_what_the_plan_said(manager: StateManager) -> None:
    """A holder that was taken over stays taken over, whatever the checkpoint says of holders."""
    taken = manager.create_checkpoint("j").seq
    with (
        manager.lease("j", "first", renewed=False),
        manager.lease("j", "second", takeover="first hangs", renewed=False),
    ):
        back = manager.recover_from_checkpoint("j", scope=Scope.checkpoint(taken, exactly=True))
        after = manager.apply(back)
        assert after.items == back.after.items
        assert (after.phase, after.orphaned) == (back.after.phase, back.after.orphaned)
        assert not after.orphaned


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scope.again("map") & Scope.failed(),
        lambda: Scope.globs("a") & Scope.checkpoint(3, exactly=True),
        lambda: Scope.again("map") & Scope.again("reduce"),
        lambda: Scope.checkpoint(3) & Scope.checkpoint(4),
        lambda: Scope.again("map") & Scope.checkpoint(4, exactly=True),
        lambda: Scope.span(4, 3),
    ],
)
def test_scopes_that_mean_nothing_are_refused_when_they_are_made(
    make: Callable[[], Scope],
) -> None:
    """What undoes work is about the whole job; and two beginnings are one too many."""
    with pytest.raises(ScopeInvalid):
        make()


@pytest.mark.parametrize(
    ("scope", "error", "told"),
    [
        (Scope.keys("img/1", "img/9"), ItemAbsent, "'img/9'"),
        (Scope.ordinals([7]), ItemAbsent, "ordinal 7"),
        (Scope.causes("bad luck"), ScopeInvalid, "only error, timeout, executor_lost"),
        (Scope.states("lost"), ScopeInvalid, "items have no state 'lost'"),
        (Scope.again("paused"), ScopeInvalid, "no phase that can be done again"),
        (Scope.again("reduce"), ScopeInvalid, "has not been in 'reduce' yet"),
    ],
)
def test_scopes_that_name_what_is_not_there_are_errors(
    manager: StateManager, scope: Scope, error: type[Exception], told: str
) -> None:
    """A key that was misspelt is not a scope without it."""
    with pytest.raises(error, match=told):
        manager.recover_from_checkpoint("j", scope=scope)


def test_a_new_job_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    """Setup again, before anything has happened."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["a"], job_id="j")
        assert manager.recover_from_checkpoint("j", scope=Scope.again("setup")).changes_nothing
