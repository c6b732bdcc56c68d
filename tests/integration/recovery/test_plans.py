"""Recovery plans and time travel, through the public surface."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost import Item, ItemEvent, JobEvent, StateManager
from milepost.errors import CheckpointAbsent, PlanStale, UpdateConflict
from milepost.state.recovery import REASONS
from milepost.testing import FakeClock

FAILED = {"cause": "error", "message": "no"}


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    """A job with an item in each state that an item can be in."""
    manager = StateManager.open(tmp_path / "jobs.db", clock=FakeClock())
    items = ["pending", "running", "done", "failed", "exhausted", "dead", "skipped"]
    settings = {"max_attempts": 2, "max_dead": 2}
    manager.create_job(items, job_id="j", config=settings, variables={"kept": 1})
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent("failed", "start"), ItemEvent("failed", "fail", FAILED)])
    for key in ("exhausted", "dead"):
        for _ in range(2):
            manager.record("j", [ItemEvent(key, "start"), ItemEvent(key, "fail", FAILED)])
            if manager.get_state("j").item(key)[1]["attempts"] < 2:
                manager.record("j", [ItemEvent(key, "retry")])
    manager.record(
        "j",
        [
            ItemEvent("dead", "give_up"),
            ItemEvent("skipped", "skip"),
            ItemEvent("done", "start"),
            ItemEvent("done", "succeed", {"result": 1}),
            ItemEvent("running", "start"),
        ],
    )
    return manager


def test_a_plan_says_of_every_item_where_it_is_and_why(manager: StateManager) -> None:
    """INV-PLAN, with reasons; making a plan changes nothing."""
    before = manager.get_state("j")
    plan = manager.recover_from_checkpoint("j", reason="a crash")
    assert {name: list(keys) for name, keys in plan.parts.items()} == {
        "pending": ["pending"],
        "in_flight": ["running"],
        "retriable": ["failed"],
        "exhausted": ["exhausted"],
        "dead": ["dead"],
        "done": ["done"],
        "skipped": ["skipped"],
        "outside": [],
    }
    assert {name: list(getattr(plan, name)) for name in plan.parts} == {
        name: list(keys) for name, keys in plan.parts.items()
    }
    assert (list(plan.ended), list(plan.unassigned)) == ([], [])
    assert repr(plan) == f"<RecoveryPlan for j at seq {before.seq}: recover, then map>"
    assert plan.item_events == {"interrupt": 1, "retry": 1, "give_up": 1}
    assert not plan.changes_nothing
    with pytest.raises(KeyError, match="nothing"):
        plan.reason_of("nothing")
    assert plan.reason_of("running") == REASONS["in_flight"]
    assert plan.reason_of("exhausted").endswith("not tried again: goes to the dead letter queue")
    assert (plan.resume_phase, plan.events) == ("map", ("recover",))
    todo = [item.key for item in plan.pending_items()]
    assert todo == ["pending", "running", "failed"]
    assert set(plan.skip_items) == {"done", "dead", "exhausted", "skipped"}
    assert manager.get_state("j") == before


def test_applying_a_plan_does_what_it_said_in_one_commit(manager: StateManager) -> None:
    """In flight is interrupted, what failed is tried again, what is exhausted is given up."""
    plan = manager.recover_from_checkpoint("j", reason="a crash")
    after = manager.apply(plan)
    assert after.seq == plan.seq + 1
    assert after.items == plan.after.items
    assert set(after.keys_in("dead")) == {"dead", "exhausted"}
    state, context = after.item("running")
    assert (state, context["attempts"], context["suspect"]) == ("pending", 0, True)
    recover = manager.get_state_history("j", after=plan.seq)[0]
    assert recover.payload == {"reason": "a crash", "lost": True}
    with pytest.raises(PlanStale):
        manager.apply(plan)
    assert manager.recover_from_checkpoint("j").changes_nothing


def test_a_paused_and_a_failed_job_are_taken_up_where_they_were_left(
    manager: StateManager,
) -> None:
    """History decides: back to map, with the items that were being worked on."""
    manager.fire("j", "pause")
    assert manager.recover_from_checkpoint("j").events == ("resume", "recover")
    manager.fire("j", "resume")
    manager.fire("j", "fail", {"cause": "error", "message": "disk full"})
    plan = manager.recover_from_checkpoint("j")
    assert (plan.events, plan.resume_phase) == (("retry",), "map")
    assert not plan.in_flight  # the failing executor handed them back
    assert manager.apply(plan).phase == "map"
    manager.fire("j", "cancel")
    plan = manager.recover_from_checkpoint("j")
    assert plan.changes_nothing
    assert plan.resume_phase == "cancelled"
    assert repr(plan) == f"<RecoveryPlan for j at seq {plan.seq}: no event, then cancelled>"


def test_going_back_to_a_checkpoint_is_a_choice_that_is_recorded(manager: StateManager) -> None:
    """Without rewind nothing recorded is lost; with it, what came after is undone and kept."""
    taken = manager.create_checkpoint("j")
    manager.record("j", [ItemEvent("running", "succeed", {"result": 2})])
    forward = manager.recover_from_checkpoint(taken)
    assert set(forward.done) == {"done", "running"}
    back = manager.recover_from_checkpoint(taken, rewind=True, reason="a bad model")
    assert set(back.done) == {"done"}
    assert back.rewinds_to == taken.seq
    said = f"<RecoveryPlan for j at seq {back.seq}: back to seq {taken.seq}, recover, then map>"
    assert repr(back) == said
    assert (list(back.undone), back.undone_variables, back.undoes_result) == (
        ["running"],
        (),
        False,
    )
    after = manager.apply(back)
    assert dict(manager.results("j")) == {"done": 1}
    assert after.progress.done == 1
    rewound = [e for e in manager.get_state_history("j") if e.kind == "rewound"]
    assert rewound[0].payload == {"to_seq": taken.seq, "reason": "a bad model"}
    manager.record("j", [ItemEvent("running", "start")])
    manager.record("j", [ItemEvent("running", "succeed", {"result": 3})])
    assert dict(manager.results("j")) == {"done": 1, "running": 3}
    again = manager.recover_from_checkpoint(manager.get_checkpoint("j", taken.seq), rewind=True)
    manager.apply(again)
    assert dict(manager.results("j")) == {"done": 1}
    assert manager.verify("j")[0].sound


def test_checkpoints_are_found_by_seq(manager: StateManager) -> None:
    """The newest, one by its seq, or a clear word that there is none."""
    with pytest.raises(CheckpointAbsent, match="no checkpoint that verifies"):
        manager.get_checkpoint("j")
    first = manager.create_checkpoint("j", reason="first")
    second = manager.create_checkpoint("j")
    assert manager.get_checkpoint("j") == second
    assert manager.get_checkpoint("j", first.seq) == first
    assert [c.seq for c in manager.list_checkpoints("j")] == [second.seq, first.seq]
    assert manager.get_state("j").checkpoint is not None
    assert first.phase == "map"
    assert list(first.items_processed) == ["done"]
    with pytest.raises(CheckpointAbsent, match="at seq 2"):
        manager.get_checkpoint("j", 2)


def test_states_at_every_seq_are_those_that_were(tmp_path: Path) -> None:
    """Time travel gives what each write had returned."""
    with StateManager.open(tmp_path / "jobs.db", clock=FakeClock()) as manager:
        states = [manager.create_job(["a", "b"], job_id="j")]
        states.append(manager.fire("j", "start_map"))
        for key in ("a", "b"):
            states.append(manager.record("j", [ItemEvent(key, "start")]))
            states.append(manager.create_checkpoint("j").state)
            states.append(manager.record("j", [ItemEvent(key, "succeed", {"result": key})]))
        for state in states:
            assert manager.state_at("j", state.seq) == state
        for seq in (0, -1, 99):
            with pytest.raises(ValueError, match="only 1 to"):
                manager.state_at("j", seq)


def test_an_updater_is_run_again_on_a_conflict(manager: StateManager) -> None:
    """It decides on what is, not on what was when it first looked."""
    seen: list[int] = []

    def updater(state: object) -> list[ItemEvent]:
        current = manager.get_state("j")
        seen.append(current.seq)
        if len(seen) == 1:
            manager.fire("j", "set_variables", {"variables": {"by": "another"}})
        return [ItemEvent("pending", "start")]

    after = manager.update_state("j", updater)
    assert len(seen) == 2
    assert after.item("pending")[0] == "running"
    assert after.variables["by"] == "another"

    def never(state: object) -> JobEvent:
        manager.fire("j", "set_variables", {"variables": {"n": 1}})
        return JobEvent("pause")

    with pytest.raises(UpdateConflict, match="3 times"):
        manager.update_state("j", never, tries=3)
    assert manager.get_state("j").phase == "map"


def test_items_keep_their_keys_and_values(tmp_path: Path) -> None:
    """Keys are the user's, the text itself, or the content's digest; never a position."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(
            ["text", Item(key="own", value=[1]), {"b": 1, "a": 2}, 7, "x" * 600], job_id="one"
        )
        manager.create_job([7, {"a": 2, "b": 1}, "text"], job_id="two")
        keys = [list(manager.get_state(job).keys_in("pending")) for job in ("one", "two")]
        assert keys[0][:2] == ["text", "own"]
        assert keys[1] == [keys[0][3], keys[0][2], "text"]
        assert len(keys[0][4]) == 32
        plan = manager.recover_from_checkpoint("one")
        assert [item.value for item in plan.pending_items()][1:4] == [[1], {"b": 1, "a": 2}, 7]
        assert "own" in plan.pending
        assert "none" not in plan.pending
        assert 7 not in plan.pending
        assert plan.pending & {"own", "x"} == {"own"}


def test_many_items_go_through_in_blocks(tmp_path: Path) -> None:
    """Keys and values are found across blocks of inputs."""
    with StateManager.open(tmp_path / "jobs.db", durability="process") as manager:
        count = 5_000
        manager.create_job(({"n": n} for n in range(count)), job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(count)])
        events = [ItemEvent(n, "succeed", {"result": n * n}) for n in reversed(range(count))]
        manager.record("j", events)
        results = list(manager.results("j"))
        assert [result for _, result in results] == [n * n for n in range(count)]
        assert len({key for key, _ in results}) == count
        state = manager.get_state("j")
        assert state.inputs.value(4_321) == {"n": 4321}
        assert state.item(state.inputs.key(4_999))[0] == "done"
        assert manager.verify("j")[0].sound
