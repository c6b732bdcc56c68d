"""Imported jobs are taken up and completed here, those too that the old tool could not resume."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from milepost import Item, ItemEvent, StateManager
from milepost.executors import run
from milepost.legacy.prodigy import ItemStatus
from milepost.legacy.telling.storable import MAX_VALUE_BYTES
from milepost.testing import FakeClock
from tests.integration.legacy.old_homes import (
    JOB,
    MadeItem,
    checkpoint,
    job_events,
    job_state,
    letter,
    write,
    write_checkpoint,
    write_events,
    write_letter,
    write_lock,
    write_state,
)
from tests.integration.legacy.test_import import AFTER_US, brought, opened

FULL = [MadeItem(value={"n": n}, status=status, attempts=2) for n, status in enumerate(ItemStatus)]


def completed(manager: StateManager, *, job_id: str = JOB, phase: str = "completed") -> list[Any]:
    """Run the job to its end; the values that were worked on, which are those that had to be."""
    worked: list[Any] = []

    def work(item: Item) -> Any:
        worked.append(item.value)
        return {"output": "new"}

    def reduce(results: Any) -> Any:
        return sorted(result["output"] for _, result in results)

    with ThreadPoolExecutor(1) as pool:
        outcome = run(manager, job_id, work, reduce, executor=pool, clock=lambda: 0.0)
    assert outcome.phase == phase
    assert manager.verify(job_id)[0].sound
    return worked


def homes() -> dict[str, Callable[[Path], None]]:
    def state(root: Path) -> None:
        write_state(root, job_state(FULL))

    def newer(root: Path) -> None:
        write_checkpoint(root, checkpoint(FULL))

    def all_of_it(root: Path) -> None:
        write_state(root, job_state(FULL, at=50))
        write_checkpoint(root, checkpoint(FULL))
        write_events(root, job_events(FULL))
        write_letter(root, letter("item_4", FULL[4]))

    return {"state": state, "checkpoint": newer, "all": all_of_it}


@pytest.mark.parametrize("kind", homes())
def test_a_job_in_the_middle_of_map_is_completed(tmp_path: Path, kind: str) -> None:
    """What was done is not done again; what was in flight, failed or waiting is."""
    homes()[kind](tmp_path)
    with opened() as manager:
        _, before = brought(manager, tmp_path)
        settled = {*before.keys_in("done", "dead")}
        plan = manager.recover_from_checkpoint(JOB)
        assert {*plan.in_flight} == {*before.keys_in("running")}
        worked = completed(manager)
        expected = [{"n": n} for n in range(len(FULL)) if f"item_{n}" not in settled]
        assert sorted(value["n"] for value in worked) == [value["n"] for value in expected]
        assert manager.result(JOB) == ["fine"] + ["new"] * len(worked)


def test_a_home_of_events_alone_has_results_and_nothing_to_work_on(tmp_path: Path) -> None:
    """No value is known, so no work is made up: a function is never called with what is no item."""
    write_events(tmp_path, job_events(FULL))
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert list(state.keys_in("done")) == ["item_2"]
        with ThreadPoolExecutor(1) as pool:
            outcome = run(manager, JOB, refuse, lambda r: len(list(r)), executor=pool)
        assert (outcome.phase, manager.result(JOB)) == ("completed", 1)


def refuse(item: Item) -> object:
    raise AssertionError(f"{item} is no work")


def test_dead_letters_alone_can_be_worked_on_again(tmp_path: Path) -> None:
    """The commonest home of all: requeue the letters, and run."""
    write_letter(tmp_path, letter("item_3", FULL[4]))
    write_letter(tmp_path, letter("item-9", MadeItem(value="refused"), agent="validation-9"))
    with opened() as manager:
        brought(manager, tmp_path)
        keys = list(manager.get_state(JOB).keys_in("dead"))
        assert keys == ["item_3", "item-9"]
        manager.record(JOB, [ItemEvent(key, "requeue") for key in keys])
        assert completed(manager) == [{"n": 4}, "refused"]


# The defects of the old tool, by what it did


def test_defect_a_failed_item_was_counted_twice_and_the_job_refused_as_corrupt(
    tmp_path: Path,
) -> None:
    """`completed_agents` has failed items too; every item attempted and one failed is no damage."""
    items = [
        MadeItem(value=0, status=ItemStatus.DONE),
        MadeItem(value=1, status=ItemStatus.FAILED),
    ]
    document = job_state(items)
    assert len(document["completed_agents"]) + len(document["failed_agents"]) > len(items)
    write_state(tmp_path, document)
    with opened() as manager:
        done, _ = brought(manager, tmp_path)
        assert done.whole
        assert completed(manager) == [1]


@pytest.mark.parametrize("values", [["a", "b", "a"], [1, 1, 2], [None, [], {}], [{"x": 1}] * 3])
def test_defect_items_without_an_id_of_their_own_vanished(
    tmp_path: Path, values: list[Any]
) -> None:
    """Plain texts and numbers, and the same value twice, are items as any other."""
    write_state(tmp_path, job_state([MadeItem(value=value) for value in values]))
    with opened() as manager:
        brought(manager, tmp_path)
        assert completed(manager) == values


def test_defect_resuming_looked_in_another_directory(tmp_path: Path) -> None:
    """States lie in `mapreduce/jobs`, dead letters at four depths: all are found."""
    write_state(tmp_path, job_state(FULL[:4]))
    for depth in ("normal", "shallow", "middle", "resume"):
        item = MadeItem(value={"n": depth}, status=ItemStatus.DEAD)
        write_letter(tmp_path, letter(f"x_{depth}", item), depth=depth)
    assert not (tmp_path / "state" / "shop" / "jobs").exists()
    with opened() as manager:
        _, state = brought(manager, tmp_path)
        assert len(state.keys_in("dead")) == 4
        assert len(completed(manager, phase="completed")) == 3


def test_defect_values_were_made_up_and_the_history_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work is the old values and not `item_0`; failed is not pending; a home may begin with `~`;
    and the history is there after the process that wrote it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_state(tmp_path / ".prodigy", job_state(FULL))
    store = tmp_path / "jobs.db"
    with StateManager.open(store, clock=FakeClock(AFTER_US), legacy="~/.prodigy") as manager:
        state = manager.get_state(JOB)
        assert list(state.failed_items) == ["item_3", "item_4"]
        assert list(state.keys_in("pending")) == ["item_0", "item_1"]
    with StateManager.open(store, read_only=True) as manager:
        events = [told.event for told in manager.get_state_history(JOB)]
        assert events.count("fail") >= 2
    with StateManager.open(store, clock=FakeClock(AFTER_US)) as manager:
        assert all(value in [item.value for item in FULL] for value in completed(manager))


def test_defect_restarting_from_map_dropped_failed_items(tmp_path: Path) -> None:
    """Going back to the beginning of map has every item again, the failed ones among them."""
    write_state(tmp_path, job_state(FULL))
    with opened() as manager:
        brought(manager, tmp_path)
        began = next(e.seq for e in manager.get_state_history(JOB) if e.event == "start_map")
        manager.apply(manager.plan_rewind(JOB, began))
        assert [value["n"] for value in completed(manager)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("variant", ["A", "B", None])
def test_defect_one_of_two_hashes_was_refused(tmp_path: Path, variant: Any) -> None:
    """A checkpoint that either part of the old tool saved is taken, one without a hash as well."""
    write_checkpoint(tmp_path, checkpoint(FULL, variant=variant))
    with opened() as manager:
        done, _ = brought(manager, tmp_path)
        assert done.whole
        assert len(completed(manager)) == 3


def test_defect_a_wrong_hash_was_only_a_warning(tmp_path: Path) -> None:
    """It is a loss, and the state before it is used."""
    damaged = checkpoint(FULL)
    damaged["metadata"]["integrity_hash"] = "0" * 64
    write_checkpoint(tmp_path, damaged)
    write_state(tmp_path, job_state(FULL, at=40))
    with opened() as manager:
        done, _ = brought(manager, tmp_path)
        assert not done.whole
        assert any(line.code == "hash-mismatch" for line in done.report)
        assert done.source.endswith("checkpoint-v1.json")
        assert completed(manager)


def test_defect_a_retry_forgot_how_often_it_had_been_tried(tmp_path: Path) -> None:
    """The count goes on from what it was, so that the dead letter queue is reached in the end."""
    items = [MadeItem(value=1, status=ItemStatus.FAILED, attempts=4)]
    write_state(tmp_path, job_state(items))

    def fail(item: Item) -> object:
        raise ValueError("again")

    with opened() as manager:
        brought(manager, tmp_path)
        with ThreadPoolExecutor(1) as pool:
            outcome = run(manager, JOB, fail, lambda r: len(list(r)), executor=pool)
        assert outcome.failure_count == 1
        where, context = outcome.state.item("item_0")
        assert (where, context["attempts"], context["max_attempts"]) == ("dead", 5, 5)
        assert len(manager.failures(JOB)["item_0"]) == 5


def test_defect_a_torn_lock_blocked_for_ever(tmp_path: Path) -> None:
    write_state(tmp_path, job_state(FULL))
    write_lock(tmp_path)
    with opened() as manager:
        brought(manager, tmp_path)
        assert completed(manager)


# Homes that are not as they should be


def test_malformed_homes_give_what_can_be_had(tmp_path: Path) -> None:
    """Of each job what can be read; the report says what is missing; whole ones are whole."""
    root = tmp_path / "home"
    jobs = root / "state" / "shop" / "mapreduce" / "jobs"

    def job(name: str, **more: Any) -> Path:
        return write_state(root, job_state(FULL, job_id=name, **more), job_id=name)

    whole = job("whole")
    truncated = job("truncated")
    write(truncated, truncated.read_bytes()[:-900])
    newer = job("newer", checkpoint_format_version=9)
    fallback = job("fallback")
    write(fallback.with_name("checkpoint-v2.json"), fallback.read_bytes()[:200])
    (job("no-metadata").parent / "metadata.json").unlink()
    hashed = checkpoint(FULL, job_id="hashed")
    hashed["metadata"]["integrity_hash"] = "f" * 64
    write_checkpoint(root, hashed, job_id="hashed")
    doubled = checkpoint(FULL, job_id="doubled")
    work = doubled["work_item_state"]
    work["pending_items"].append(work["completed_items"][0]["work_item"])
    write_checkpoint(root, doubled, job_id="doubled")
    outside = tmp_path / "outside"
    write(outside / "checkpoint-v1.json", whole.read_bytes())
    (jobs / "linked").symlink_to(outside)
    large = job("large")
    with large.open("r+b") as stream:
        stream.truncate(300 * 1024 * 1024)  # a sparse file: nothing of it is read
    strange = jobs.parent.parent.parent / b"\xff\xfe".decode("utf-8", "surrogateescape")
    strange.mkdir()
    assert newer.exists()
    with opened() as manager:
        done = manager.import_jobs(root)
        outcomes = {job.old_id: job.outcome for job in done.jobs}
        codes = {job.old_id: {line.code for line in job.report} for job in done.jobs}
        failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
        assert failed == {"truncated", "newer", "hashed", "large"}
        assert {name for name, outcome in outcomes.items() if outcome == "imported"} == {
            *("whole", "fallback", "no-metadata", "doubled"),
        }
        assert not done.whole
        assert {"link-not-followed", "name-not-utf8"} <= {line.code for line in done.report}
        for name, code in {
            "truncated": "bytes-damaged",
            "newer": "version-newer",
            "hashed": "hash-mismatch",
            "large": "file-too-large",
            "fallback": "fell-back",
            "no-metadata": "metadata-absent",
            "doubled": "item-duplicate",
        }.items():
            assert code in codes[name], name
        for name, outcome in outcomes.items():
            if outcome == "imported":
                assert manager.verify(name)[0].sound
                assert completed(manager, job_id=name)
        for one in done.jobs:
            if one.outcome == "failed":
                assert one.progress is None
                assert "nothing of the old job can be read" in str(one.error)


def test_values_that_cannot_be_stored_are_said_and_left_out(tmp_path: Path) -> None:
    """What is too large spoils its item, and a number too great its variable; no other."""
    values = ["x" * (MAX_VALUE_BYTES + 1), 2**70, 7]
    items = [MadeItem(value=value, status=ItemStatus.FAILED) for value in values]
    document = job_state(items, variables={"good": 1, "great": 2**70})
    write_state(tmp_path, document)
    with opened() as manager:
        done, state = brought(manager, tmp_path)
        assert not done.whole
        spoiled = [line.message for line in done.report if line.code == "value-not-stored"]
        assert len(spoiled) == 2
        assert (state.variables["good"], "great" in state.variables) == (1, False)
        assert state.item("item_0")[0] == "skipped"
        assert completed(manager) == [2**70, 7]


def test_large_items_are_stored_in_blocks_of_their_own(tmp_path: Path) -> None:
    """However many there are of them: what one block cannot hold, the next does."""
    large = [MadeItem(value=sign * (MAX_VALUE_BYTES - 9)) for sign in "abcde"]
    write_state(tmp_path, job_state(large, job_id="large"), job_id="large")
    write_state(tmp_path, job_state(FULL))
    with opened() as manager:
        outcomes = {one.old_id: one for one in manager.import_jobs(tmp_path).jobs}
        assert (outcomes["large"].outcome, outcomes[JOB].outcome) == ("imported", "imported")
        inputs = manager.get_state("large").inputs
        assert [inputs.value(n)[0] for n in range(5)] == list("abcde")
