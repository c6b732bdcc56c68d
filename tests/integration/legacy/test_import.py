"""Homes made at random, imported: the fold equals what was read, times are kept, nothing twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ImportConflict, ItemEvent, JobAbsent, JobImport, JobState, StateManager
from milepost.errors import StoreAbsent
from milepost.legacy.prodigy import (
    AttemptOutcome,
    ItemStatus,
    OldItem,
    OldJob,
    OldPhase,
    read_home,
)
from milepost.testing import FakeClock
from tests.integration.legacy.old_homes import (
    JOB,
    T0,
    MadeItem,
    checkpoint,
    event,
    instant,
    job_events,
    job_state,
    letter,
    reduce_progress,
    stamp,
    write_checkpoint,
    write_events,
    write_letter,
    write_reduce,
    write_state,
)
from tests.integration.legacy.test_round_trip import items_of_any_status

random = settings(max_examples=30 * int(os.environ.get("MILEPOST_SOAK", "1")), deadline=None)
AFTER_US = int((T0.timestamp() + 86_400) * 1_000_000)
HERE = {
    ItemStatus.PENDING: "pending",
    ItemStatus.IN_FLIGHT: "running",
    ItemStatus.DONE: "done",
    ItemStatus.FAILED: "failed",
    ItemStatus.DEAD: "dead",
}


def opened(**more: Any) -> StateManager:
    return StateManager.open("memory:", clock=FakeClock(AFTER_US), **more)


@contextmanager
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def fingerprint_of(root: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of every file of a tree."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def only(root: Path) -> OldJob:
    [job] = read_home(root)
    return job


def brought(manager: StateManager, root: Path, **more: Any) -> tuple[JobImport, JobState]:
    [done] = manager.import_jobs(root, **more).jobs
    assert done.error is None, done.error
    return done, manager.get_state(done.job_id)


def attempts_of(item: OldItem) -> int:
    """The attempts that an item has here: those that are told, and one that must have been."""
    closing = {
        ItemStatus.PENDING: None,
        ItemStatus.IN_FLIGHT: {AttemptOutcome.UNFINISHED},
        ItemStatus.DONE: {AttemptOutcome.SUCCEEDED, AttemptOutcome.UNFINISHED},
        ItemStatus.FAILED: set(AttemptOutcome) - {AttemptOutcome.SUCCEEDED},
        ItemStatus.DEAD: set(AttemptOutcome) - {AttemptOutcome.SUCCEEDED},
    }[item.status]
    told = closing is None or any(attempt.outcome in closing for attempt in item.history)
    return max(item.attempts, len(item.history) + (not told))


def assert_same(manager: StateManager, old: OldJob, state: JobState) -> None:
    """The job stands here as its old files tell, item by item."""
    results = dict(manager.results(state.id))
    failures = manager.failures(state.id)
    for item in old.items:
        status, context = state.item(item.old_id)
        assert status == HERE[item.status], item
        assert context["attempts"] == attempts_of(item), item
        assert state.inputs.value(state.inputs.ordinal(item.old_id)) == item.value
        if item.status is ItemStatus.DONE:
            assert item.result is not None
            given = results[item.old_id]
            assert given["output"] == item.result.output
            assert given.get("output_known", True) == item.result.complete
            assert given["commits"] == list(item.result.commits)
        said = [failure.message for failure in failures.get(item.old_id, [])]
        for attempt in item.history:
            if attempt.outcome in {AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT}:
                assert any(attempt.message in message for message in said), (attempt, said)
    assert state.progress.total == len(old.items)
    for name, value in old.setup.variables.items():
        assert state.variables[name] == value
    assert all(one.sound for one in manager.verify(state.id))
    assert [taken.reason for taken in manager.list_checkpoints(state.id)] == ["imported"]


@random
@given(items=items_of_any_status, sources=st.sets(st.sampled_from("scl"), min_size=1))
def test_a_job_in_any_formats(items: list[MadeItem], sources: set[str]) -> None:
    """The fold is what the old job says, and doing it again changes nothing, here or there."""
    with home() as root:
        if "s" in sources:
            write_state(root, job_state(items, at=50))
        if "c" in sources:
            write_checkpoint(root, checkpoint(items))
        if "l" in sources and sources != {"l"}:
            write_events(root, job_events(items))
        dead = {n: item for n, item in enumerate(items) if item.status is ItemStatus.DEAD}
        for n, item in dead.items():
            write_letter(root, letter(f"item_{n}", item))
        if not dead and sources == {"l"}:
            return
        before = fingerprint_of(root)
        old = only(root)
        with opened() as manager:
            done, state = brought(manager, root)
            assert done.outcome == "imported"
            assert (done.phase, done.progress) == (state.phase, state.progress)
            assert state.phase == "setup" if old.phase is OldPhase.SETUP else "map"
            assert_same(manager, old, state)
            began_at = old.started_at or old.updated_at
            assert began_at is not None
            assert state.created_at <= began_at  # by the length of an attempt whose end is known
            if "s" in sources or sources == {"c", "l"}:  # the beginning of the job is told
                assert state.created_at == began_at
            assert state.updated_at == old.updated_at
            again, after = brought(manager, root)
            assert (again.outcome, after) == ("already-imported", state)
            assert manager.job_ids() == [JOB]
        assert fingerprint_of(root) == before


@random
@given(items=items_of_any_status)
def test_a_log_of_events_alone(items: list[MadeItem]) -> None:
    """It knows no values: what is not done or dead cannot be worked on, and is left out."""
    with home() as root:
        write_events(root, job_events(items))
        old = only(root)
        with opened() as manager:
            done, state = brought(manager, root)
            for item in old.items:
                settled = item.status in {ItemStatus.DONE, ItemStatus.DEAD}
                expected = HERE[item.status] if settled else "skipped"
                assert state.item(item.old_id)[0] == expected
            assert manager.verify(JOB)[0].sound
            left = [line for line in done.report if line.code == "items-skipped"]
            assert bool(left) == bool(state.keys_in("skipped"))
            assert done.whole == (not old.items and old.total_items == 0)


def history(manager: StateManager, job_id: str = JOB) -> list[tuple[datetime, str, list[str]]]:
    return [(e.at, e.event, list(e.items)) for e in manager.get_state_history(job_id)]


def test_times_are_kept(tmp_path: Path) -> None:
    """Each event has its old time to the microsecond; without one, that of what came before it."""
    items = [
        MadeItem(value=1, status=ItemStatus.DONE),
        MadeItem(value=2, status=ItemStatus.FAILED, attempts=2),
    ]
    write_state(tmp_path, job_state(items, at=16))
    write_events(tmp_path, job_events(items))
    with opened() as manager:
        brought(manager, tmp_path)
        assert history(manager) == [
            (instant(0), "created", []),
            (instant(0), "imported", []),
            (instant(0), "start_map", []),
            (instant(1), "start", ["item_0"]),
            (instant(2), "succeed", ["item_0"]),
            (instant(3), "start", ["item_1"]),
            (instant(4), "fail", ["item_1"]),
            (instant(4), "retry", ["item_1"]),
            (instant(5), "start", ["item_1"]),
            (instant(6), "fail", ["item_1"]),
            (instant(16), "checkpoint", []),
        ]


def test_what_has_no_time_is_a_few_commits(tmp_path: Path) -> None:
    """Ten thousand items of which the outcome alone is known are no ten thousand commits."""
    items = [MadeItem(value=n, status=ItemStatus.DONE) for n in range(10_000)]
    write_state(tmp_path, job_state(items))
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert state.progress.done == 10_000
        assert state.seq < 20
        assert {at for at, _, _ in history(manager)} == {instant(0), instant(60)}


@pytest.mark.parametrize(
    ("tag", "fields", "event_name", "phase"),
    [
        ("job_failed", {"error": "no disk", "partial_results": []}, "fail", "failed"),
        ("job_paused", {"checkpoint_version": 1}, "pause", "paused"),
    ],
)
def test_a_job_that_had_stopped(
    tmp_path: Path, tag: str, fields: Any, event_name: str, phase: str
) -> None:
    """It stands stopped here, with its words and time; if it failed, nothing is in flight."""
    items = [MadeItem(value=n, status=s) for n, s in enumerate(ItemStatus)]
    write_checkpoint(tmp_path, checkpoint(items))
    events = [*job_events(items), event(tag, 70, 900, job_id=JOB, **fields)]
    write_events(tmp_path, events)
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert (state.phase, state.updated_at) == (phase, instant(70))
        last = manager.get_state_history(JOB)[-2]
        assert (last.event, last.at) == (event_name, instant(70))
        if phase == "failed":
            assert last.payload == {"cause": "error", "message": "no disk"}
            handed_back = 1
            assert state.item("item_1")[0] == "pending"
        else:
            handed_back = 0
            assert state.item("item_1")[0] == "running"
        begun = only(tmp_path).items[1].attempts
        assert state.item("item_1")[1]["attempts"] == begun - handed_back
        after = manager.apply(manager.recover_from_checkpoint(JOB))
        assert after.phase == "map"
        assert after.item("item_1")[0] == "pending"


def finished(items: list[MadeItem], **changes: Any) -> Any:
    reduced = {
        "started": True,
        "completed": True,
        "executed_commands": [],
        "output": "42",
        "error": None,
        "started_at": stamp(70, 6),
        "completed_at": stamp(80, 6),
    }
    return job_state(items, at=75, is_complete=True, reduce_phase_state=reduced, **changes)


def test_a_job_that_was_done(tmp_path: Path) -> None:
    """Items without an outcome are left out, failed ones dead; the result of reduce is here."""
    items = [MadeItem(value=n, status=s) for n, s in enumerate(ItemStatus)]
    write_state(tmp_path, finished(items))
    write_reduce(tmp_path, reduce_progress(2, 2, at=75))
    with opened() as manager:
        done, state = brought(manager, tmp_path)
        assert (state.phase, state.finished) == ("completed", True)
        assert manager.result(JOB)["output"] == "42"
        assert [step["output"] for step in manager.result(JOB)["steps"]] == ["step 0", "step 1"]
        assert list(state.keys_in("skipped")) == ["item_0", "item_1"]
        assert list(state.keys_in("dead")) == ["item_3", "item_4"]
        assert any(line.code == "items-settled" for line in done.report)
        at = {e.event: e.at for e in manager.get_state_history(JOB)}
        assert at["finish_map"] == instant(70)
        assert at["set_variables"] == instant(75)
        assert at["finish_reduce"] == instant(80)
        assert manager.verify(JOB)[0].sound


def test_a_job_without_a_reduce_phase(tmp_path: Path) -> None:
    items = [MadeItem(value=1, status=ItemStatus.DONE)]
    write_state(tmp_path, job_state(items, is_complete=True, reduce_commands=None))
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert (state.phase, state.context["has_reduce"]) == ("completed", False)


def test_a_job_in_reduce(tmp_path: Path) -> None:
    """Its steps are variables; the phase is reduce, and a failed item is dead by then."""
    items = [
        MadeItem(value=1, status=ItemStatus.DONE),
        MadeItem(value=2, status=ItemStatus.FAILED),
    ]
    write_state(tmp_path, job_state(items))
    write_reduce(tmp_path, reduce_progress(1, 3))
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert (state.phase, state.item("item_1")[0]) == ("reduce", "dead")
        [step] = state.variables["prodigy.reduce_steps"]
        assert (step["output"], step["success"], step["duration_s"]) == ("step 0", True, 0.25)
        assert state.variables["prodigy.reduce_next_step"] == 1
        assert state.variables["prodigy.reduce_total_steps"] == 3
        assert manager.fire(JOB, "finish_reduce", {"result": 1}).phase == "completed"


def test_a_job_in_reduce_with_items_to_do_stays_in_map(tmp_path: Path) -> None:
    """Nothing is left out of a job that had not ended."""
    items = [MadeItem(value=1, status=ItemStatus.DONE), MadeItem(value=2)]
    write_state(tmp_path, job_state(items))
    write_reduce(tmp_path, reduce_progress(1, 3))
    with opened() as manager:
        done, state = brought(manager, tmp_path)
        assert (state.phase, state.item("item_1")[0]) == ("map", "pending")
        assert state.variables["prodigy.reduce_steps"]
        assert any(line.code == "phase-held-back" for line in done.report)


def test_a_job_in_setup(tmp_path: Path) -> None:
    state = job_state([MadeItem(value=1)], setup_completed=False)
    write_state(tmp_path, state)
    with opened() as manager:
        _, here = brought(manager, tmp_path)
        assert (here.phase, here.progress.pending) == ("setup", 1)
        assert here.variables["region"] == "north"


def test_environment_variables_are_never_stored(tmp_path: Path) -> None:
    """Not those of the job, not those of its steps at any depth; their names are reported."""
    document = checkpoint([MadeItem(value=1)])
    document["variable_state"]["environment_variables"] = {"TOKEN": "s3cret"}
    write_checkpoint(tmp_path, document)
    step = {"shell": "x", "env": {"KEY": "s3cret"}, "on_failure": {"env": {"DEEP": "s3cret"}}}
    write_state(tmp_path, job_state([MadeItem(value=1)], at=50, agent_template=[step]))
    store = tmp_path / "jobs.db"
    with StateManager.open(store, clock=FakeClock(AFTER_US)) as manager:
        done, state = brought(manager, tmp_path)
        assert "s3cret" not in repr(state.variables)
        assert state.variables["prodigy.agent_template"][0]["env"] == {"KEY": None}
        [line] = [line for line in done.report if line.code == "environment-left-out"]
        assert all(name in line.message for name in ("TOKEN", "KEY", "DEEP"))
    assert b"s3cret" not in store.read_bytes()


@pytest.mark.parametrize("attempts", [3, 99, 100, 250])
def test_many_attempts(tmp_path: Path, attempts: int) -> None:
    """Those known as a number are attempts here; an item to be retried has one left."""
    write_state(
        tmp_path,
        job_state([MadeItem(value=1, status=ItemStatus.FAILED, attempts=attempts)]),
    )
    with opened() as manager:
        done, state = brought(manager, tmp_path)
        kept = min(attempts, 99)
        where, context = state.item("item_0")
        assert where == "failed"
        assert (context["attempts"], context["max_attempts"]) == (kept, kept + 1)
        dropped = any(line.code == "attempts-dropped" for line in done.report)
        assert dropped == (attempts > 99)
        [failures] = manager.failures(JOB).values()
        assert len(failures) == kept
        assert failures[-1].message.startswith("boom")
        assert all("kept nothing else" in failure.message for failure in failures[:-1])
        after = manager.apply(manager.recover_from_checkpoint(JOB))
        assert after.item("item_0")[0] == "pending"


def test_causes(tmp_path: Path) -> None:
    """Old kinds of errors become causes; their own words stay in the message."""
    kinds = {"item_0": "Timeout", "item_1": {"CommandFailed": {"exit_code": 7}}}
    kinds["item_2"] = "WorktreeError"
    for item_id, kind in kinds.items():
        made = letter(item_id, MadeItem(value=item_id))
        made["failure_history"][0]["error_type"] = kind
        write_letter(tmp_path, made)
    with opened() as manager:
        brought(manager, tmp_path)
        found = {key: failures[0] for key, failures in manager.failures(JOB).items()}
        causes = {key: failure.cause for key, failure in found.items()}
        assert causes == {"item_0": "timeout", "item_1": "error", "item_2": "executor_lost"}
        assert found["item_1"].message.startswith('CommandFailed {"exit_code":7}: boom')
        assert found["item_2"].message.startswith("WorktreeError: boom")


def test_times_outside_what_a_log_can_hold(tmp_path: Path) -> None:
    """Before 1970 is 1970, what is yet to come is now; it is said."""
    write_state(
        tmp_path,
        job_state(
            [MadeItem(value=1)],
            started_at="1903-01-01T00:00:00Z",
            updated_at="2999-01-01T00:00:00Z",
        ),
    )
    with opened() as manager:
        done, state = brought(manager, tmp_path)
        assert (state.created_at_us, state.updated_at_us) == (0, AFTER_US)
        assert any(line.code == "times-clamped" for line in done.report)


@pytest.mark.parametrize("old_id", ["mapreduce 1/2", "-x", "é" * 40, "x" * 200])
def test_an_id_that_is_none_here(tmp_path: Path, old_id: str) -> None:
    """It gets a legal one that says where it is from, always the same."""
    name = old_id.replace("/", "_")
    write_state(tmp_path, job_state([MadeItem(value=1)], job_id=name), job_id=name)
    with opened() as manager:
        done, _ = brought(manager, tmp_path)
        assert done.old_id == name
        assert done.job_id.startswith("shop.") or name == old_id
        assert any(line.code == "job-renamed" for line in done.report)
        assert brought(manager, tmp_path, job_id=name)[0].outcome == "already-imported"
        assert brought(manager, tmp_path, job_id=done.job_id)[0].outcome == "already-imported"


def test_an_id_of_two_repos(tmp_path: Path) -> None:
    """Each is a job of its own; one that was here before the other came is not imported twice."""
    write_state(tmp_path, job_state([MadeItem(value=1)]), repo="shop")
    with opened() as manager:
        assert brought(manager, tmp_path)[0].job_id == JOB
        write_state(tmp_path, job_state([MadeItem(value=2)]), repo="farm")
        done = manager.import_jobs(tmp_path)
        assert {(d.repo, d.job_id, d.outcome) for d in done.jobs} == {
            ("farm", f"farm.{JOB}", "imported"),
            ("shop", JOB, "already-imported"),
        }
        assert manager.job_ids() == [f"farm.{JOB}", JOB]
    with opened(legacy=tmp_path) as manager:
        with pytest.raises(JobAbsent, match=rf"'farm.{JOB}' or 'shop.{JOB}'"):
            manager.get_state(JOB)
        assert manager.get_state(f"farm.{JOB}").inputs.value(0) == 2


def test_each_job_is_told_of_as_soon_as_it_is_here(tmp_path: Path) -> None:
    """With how many there are; what becomes of the rest does not matter to it."""
    for repo in ("farm", "mill", "shop"):
        write_state(tmp_path, job_state([MadeItem(value=1)]), repo=repo)
    told: list[tuple[JobImport, int]] = []
    with opened() as manager:

        def on_job(job: JobImport, total: int) -> None:
            told.append((job, total))
            assert job.job_id in manager.job_ids()
            if job.repo == "mill":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            manager.import_jobs(tmp_path, on_job=on_job)
        assert [(job.repo, job.outcome, total) for job, total in told] == [
            ("farm", "imported", 3),
            ("mill", "imported", 3),
        ]
        done = manager.import_jobs(tmp_path)
        assert [job.outcome for job in done.jobs] == [*["already-imported"] * 2, "imported"]


def test_old_files_that_changed_are_a_conflict(tmp_path: Path) -> None:
    """The job here is left as it is, whether or not it has moved on; a lock changes nothing."""
    write_state(tmp_path, job_state([MadeItem(value=1)]))
    with opened() as manager:
        _, before = brought(manager, tmp_path)
        write_state(tmp_path, job_state([MadeItem(value=1)], version=2, at=70))
        done = manager.import_jobs(tmp_path)
        assert (done.jobs[0].outcome, done.whole) == ("conflict", False)
        assert isinstance(done.jobs[0].error, ImportConflict)
        assert "changed since" in str(done.jobs[0].error)
        assert manager.get_state(JOB) == before


def test_an_id_that_is_taken(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([MadeItem(value=1)]))
    with opened() as manager:
        mine = manager.create_job(["a"], job_id=JOB)
        [done] = manager.import_jobs(tmp_path).jobs
        assert done.outcome == "conflict"
        assert "another job" in str(done.error)
        assert manager.get_state(JOB) == mine


def test_what_has_gone_to_another_store_is_not_imported_again(tmp_path: Path) -> None:
    """It is driven there; here it would be a second job of the same id."""
    write_state(tmp_path, job_state([MadeItem(value=1)]))
    with opened() as manager:
        brought(manager, tmp_path)
        assert manager.upkeep.move(tmp_path / "other.db", apply=True).whole
        [done] = manager.import_jobs(tmp_path).jobs
        assert (done.outcome, manager.job_ids()) == ("conflict", [])
        assert "was moved to" in str(done.error)


def test_importing_again_after_work_went_on_changes_nothing(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([MadeItem(value=1)]))
    with opened() as manager:
        brought(manager, tmp_path)
        moved = manager.record(JOB, [ItemEvent("item_0", "start")])
        assert brought(manager, tmp_path)[0].outcome == "already-imported"
        assert manager.get_state(JOB) == moved


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """Not in the store, which may be open for reading alone, and not in the home."""
    write_state(tmp_path / "home", job_state([MadeItem(value=1)]))
    store = tmp_path / "jobs.db"
    StateManager.open(store).close()
    before = fingerprint_of(tmp_path)
    with StateManager.open(store, read_only=True, clock=FakeClock(AFTER_US)) as manager:
        [done] = manager.import_jobs(tmp_path / "home", dry_run=True).jobs
        assert (done.outcome, done.phase) == ("would-import", "map")
        assert manager.job_ids() == []
    after = fingerprint_of(tmp_path)
    assert after.keys() - before.keys() <= {
        f"{store}-wal",
        f"{store}-shm",
    }  # every reader makes them
    assert {path: after[path] for path in before} == before


def test_no_such_job_or_repo(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([MadeItem(value=1)]))
    with opened() as manager:
        with pytest.raises(JobAbsent):
            manager.import_jobs(tmp_path, job_id="other")
        with pytest.raises(StoreAbsent, match="no job of a repo 'other'"):
            manager.import_jobs(tmp_path, repo="other")


@pytest.mark.parametrize("status", ItemStatus)
def test_the_control_a_difference_is_seen(tmp_path: Path, status: ItemStatus) -> None:
    """One item that stands otherwise, or one value, and the comparison above fails."""
    write_checkpoint(tmp_path, checkpoint([MadeItem(value=1, status=status), MadeItem(value=2)]))
    old = only(tmp_path)
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert_same(manager, old, state)
        other = ItemStatus.DEAD if status is not ItemStatus.DEAD else ItemStatus.FAILED
        for changed in (replace(old.items[0], status=other), replace(old.items[0], value=3)):
            with pytest.raises(AssertionError):
                assert_same(manager, replace(old, items=(changed, old.items[1])), state)
