"""What attempts say without ending an item: notes of work begun outside, and waits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from milepost import ItemEvent, RoleAbsent, StateManager
from milepost.lifecycles import mapreduce_v2

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
AT_US = int(AT.timestamp()) * 1_000_000


def begun(manager: StateManager, *keys: str) -> None:
    manager.create_job(list(keys), job_id="j", config={"max_dead": len(keys)})
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(key, "start") for key in keys])


def test_the_newest_note_outlives_attempts_and_the_process(tmp_path: Path) -> None:
    """Whether the attempt was handed back, failed or died with its executor."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        begun(manager, "a", "b", "c")
        for note in ("first", {"batch": [1, 2]}):
            manager.record("j", [ItemEvent("a", "note", {"note": note})])
        manager.record(
            "j",
            [
                ItemEvent("b", "note", {"note": None}),
                ItemEvent("a", "release"),
                ItemEvent("b", "fail", {"cause": "error", "message": "no"}),
                ItemEvent("b", "retry"),
            ],
        )
    with StateManager.open(tmp_path / "jobs.db") as manager:
        assert manager.notes("j") == {"a": {"batch": [1, 2]}, "b": None}
        assert manager.notes("j", ["b", "c"]) == {"b": None}
        assert manager.notes("j", [0]) == {"a": {"batch": [1, 2]}}


def test_another_life_of_an_item_has_no_note() -> None:
    """After a requeue, and when it is done again; a note that is left then is the only one."""
    manager = StateManager.open("memory:")
    begun(manager, "dead", "done")
    manager.record("j", [ItemEvent(key, "note", {"note": key}) for key in ("dead", "done")])
    manager.record(
        "j",
        [
            ItemEvent("dead", "fail", {"cause": "error", "message": "no", "permanent": True}),
            ItemEvent("dead", "give_up"),
            ItemEvent("done", "succeed", {"result": 1}),
        ],
    )
    assert manager.notes("j") == {"dead": "dead", "done": "done"}
    manager.record("j", [ItemEvent("dead", "requeue"), ItemEvent("done", "redo")])
    assert manager.notes("j") == {}
    manager.record("j", [ItemEvent("dead", "start"), ItemEvent("dead", "note", {"note": 2})])
    assert manager.notes("j") == {"dead": 2}


def test_what_was_noted_after_a_moment_is_not_there_when_the_job_goes_back_to_it() -> None:
    """A rewind undoes it."""
    manager = StateManager.open("memory:")
    begun(manager, "a")
    manager.record("j", [ItemEvent("a", "note", {"note": "kept"})])
    seq = manager.get_state("j").seq
    manager.record("j", [ItemEvent("a", "note", {"note": "undone"})])
    assert manager.notes("j") == {"a": "undone"}
    manager.apply(manager.plan_rewind("j", seq))
    assert manager.notes("j") == {"a": "kept"}


def test_an_item_that_was_put_off_waits_until_it_begins() -> None:
    """By the newest word of it, whoever reads it."""
    manager = StateManager.open("memory:")
    begun(manager, "a", "b")
    assert manager.deferred("j") == {}
    manager.record("j", [ItemEvent("b", "defer", {"until": AT_US - 1})])
    manager.record("j", [ItemEvent("b", "start")])
    assert manager.deferred("j") == {}
    manager.record(
        "j",
        [
            ItemEvent("a", "defer", {"until": AT_US, "everyone": True, "message": "busy"}),
            ItemEvent("b", "defer", {"until": AT_US}),
        ],
    )
    told = {key: found[:2] for key, found in manager.deferred("j").items()}
    assert told == {"a": (AT, True), "b": (AT, False)}
    assert manager.get_state("j").item("a")[1]["attempts"] == 0
    manager.record("j", [ItemEvent("a", "skip")])
    assert set(manager.deferred("j")) == {"b"}


def test_a_lifecycle_that_takes_no_notes_says_so() -> None:
    """And one in which nothing is put off has nothing that waits."""
    manager = StateManager.open("memory:", lifecycle=mapreduce_v2.LIFECYCLE)
    manager.create_job(["a"], job_id="j")
    with pytest.raises(RoleAbsent, match="note"):
        manager.notes("j")
    assert manager.deferred("j") == {}
