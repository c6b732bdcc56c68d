"""Which file counts where there are several, and what is said of those that do not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from milepost.legacy.prodigy import (
    Code,
    Finding,
    ItemStatus,
    OldJob,
    OldPhase,
    OutcomeKind,
    SourceKind,
    read_home,
)
from tests.integration.legacy.old_homes import (
    MadeItem,
    checkpoint,
    instant,
    job_state,
    reduce_progress,
    seal,
    stamp,
    text_of,
    write_checkpoint,
    write_reduce,
    write_state,
)

PENDING = MadeItem(value="a")
DONE = MadeItem(value="a", status=ItemStatus.DONE)
FAILED = MadeItem(value="a", status=ItemStatus.FAILED)


def only(home: Path) -> OldJob:
    [job] = read_home(home)
    return job


def codes(job: OldJob) -> set[Code]:
    return {finding.code for finding in job.report}


def said(job: OldJob, code: Code) -> Finding:
    [finding] = [finding for finding in job.report if finding.code is code]
    return finding


def test_the_highest_number_counts_as_a_number(tmp_path: Path) -> None:
    for version in (9, 10, 8):
        write_state(tmp_path, job_state([PENDING] * version, version=version))
    assert len(only(tmp_path).items) == 10


def test_a_pointer_that_is_one_behind_is_not_believed(tmp_path: Path) -> None:
    """The crash between the two renames."""
    write_state(tmp_path, job_state([PENDING], version=4))
    write_state(tmp_path, job_state([DONE], version=5), metadata=False)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert "checkpoint-v5.json" in said(job, Code.METADATA_DIFFERS).message


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"job_id": 7}'])
def test_an_older_state_takes_the_place_of_a_damaged_one(tmp_path: Path, damage: str) -> None:
    write_state(tmp_path, job_state([DONE], version=4))
    write_state(tmp_path, job_state([DONE], version=5)).write_text(damage)
    write_state(tmp_path, job_state([DONE], version=6)).write_text(damage)
    job = only(tmp_path)
    assert job.source.endswith("checkpoint-v4.json")
    assert "checkpoint-v6.json" in said(job, Code.FELL_BACK).message
    assert codes(job) & {Code.BYTES_DAMAGED, Code.SHAPE_INVALID}


def test_a_newer_format_is_left_to_newer_readers(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([PENDING], version=4))
    write_state(tmp_path, job_state([DONE], version=5, checkpoint_format_version=2))
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.PENDING
    assert {Code.VERSION_NEWER, Code.FELL_BACK} <= codes(job)


def test_a_temporary_state_counts_only_beyond_the_renamed_ones(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([PENDING], version=4))
    write_state(tmp_path, job_state([DONE], version=4), suffix="tmp")
    assert only(tmp_path).items[0].status is ItemStatus.PENDING
    write_state(tmp_path, job_state([DONE], version=5), suffix="tmp")
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert Code.TEMPORARY_USED in codes(job)


def test_states_of_old_versions_have_fewer_keys(tmp_path: Path) -> None:
    state = job_state([DONE, PENDING])
    optional = {
        "checkpoint_format_version",
        "variables",
        "setup_output",
        "setup_completed",
        "item_retry_counts",
        "parent_worktree",
        "reduce_phase_state",
        "reduce_commands",
    }
    old = {key: value for key, value in state.items() if key not in optional}
    old["config"] = {"continue_on_failure": True, "enable_checkpoints": False}
    old["unheard_of"] = {"in": "later versions"}
    write_state(tmp_path, old)
    job = only(tmp_path)
    assert [item.status for item in job.items] == [ItemStatus.DONE, ItemStatus.PENDING]
    assert (job.phase, job.has_reduce) == (OldPhase.MAP, False)
    assert job.config is not None
    assert (job.config.max_parallel, job.config.input) == (10, "")


@pytest.mark.parametrize(
    "key",
    sorted(
        job_state([]).keys()
        - {
            "checkpoint_format_version",
            "variables",
            "setup_output",
            "setup_completed",
            "item_retry_counts",
            "parent_worktree",
            "reduce_phase_state",
            "reduce_commands",
            "checkpoint_version",
        }
    ),
)
def test_every_other_key_is_required(tmp_path: Path, key: str) -> None:
    state = job_state([DONE])
    path = write_state(tmp_path, state)
    del state[key]
    path.write_text(text_of(state))
    job = only(tmp_path)
    assert key in said(job, Code.SHAPE_INVALID).message


@pytest.mark.parametrize("variant", ["A", "B"])
def test_either_hash_is_good_and_said(tmp_path: Path, variant: Literal["A", "B"]) -> None:
    write_checkpoint(tmp_path, checkpoint([DONE, PENDING], variant=variant))
    message = said(only(tmp_path), Code.HASH_MATCHED).message
    assert f"variant {variant}" in message
    assert "no value or result" in message
    assert ("and pending" in message) == (variant == "B")


def test_a_wrong_hash_falls_back_to_the_checkpoint_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint([DONE, PENDING], at=50, number=1))
    altered = checkpoint([DONE, DONE], at=60, number=2)
    altered["work_item_state"]["completed_items"].pop()
    write_checkpoint(tmp_path, altered)
    job = only(tmp_path)
    assert job.updated_at == instant(50)
    assert {Code.HASH_MISMATCH, Code.FELL_BACK} <= codes(job)


@pytest.mark.parametrize("change", ["total_work_items", "completed_items", "job_id", "phase"])
def test_what_the_hash_covers_cannot_change_unseen(tmp_path: Path, change: str) -> None:
    document = checkpoint([DONE, PENDING])
    value = document["metadata"][change]
    document["metadata"][change] = value + 1 if isinstance(value, int) else f"{value}x"
    write_checkpoint(tmp_path, document)
    assert Code.HASH_MISMATCH in codes(only(tmp_path))


def test_the_time_inside_orders_checkpoints(tmp_path: Path) -> None:
    """Neither the name, which is random, nor the time of the file, which copying changes."""
    new = write_checkpoint(tmp_path, checkpoint([DONE], at=60, number=1))
    old = write_checkpoint(tmp_path, checkpoint([PENDING], at=50, number=2))
    os.utime(new, (0, 0))
    assert only(tmp_path).items[0].status is ItemStatus.DONE
    assert old.exists()


def test_a_checkpoint_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    document = checkpoint([DONE], number=1)
    document["metadata"]["version"] = 2
    write_checkpoint(tmp_path, seal(document, "A"))
    assert Code.VERSION_NEWER in codes(only(tmp_path))


def test_a_temporary_checkpoint_that_is_whole_counts(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint([PENDING], at=50, number=1))
    write_checkpoint(tmp_path, checkpoint([DONE], at=60, number=2), temporary=True)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert Code.TEMPORARY_USED in codes(job)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("agent_state", "agent_assignments"), {"ghost": ["item_0"]}),
        (("metadata", "checkpoint_id"), "cp-other"),
        (("execution_state", "current_phase"), "Setup"),
    ],
)
def test_rules_that_are_broken_are_said(tmp_path: Path, path: tuple[str, str], value: Any) -> None:
    document = checkpoint([DONE, PENDING])
    write_checkpoint(tmp_path, document)
    assert Code.INCONSISTENT not in codes(only(tmp_path))
    target = write_checkpoint(tmp_path, document)
    document[path[0]][path[1]] = value
    target.write_bytes(text_of(document).encode())
    job = only(tmp_path)
    assert Code.INCONSISTENT in codes(job)
    assert job.items[0].status is ItemStatus.DONE


@pytest.mark.parametrize("state_at", [50, 70])
def test_state_or_checkpoint_by_their_own_time(tmp_path: Path, state_at: int) -> None:
    write_state(tmp_path, job_state([FAILED], at=state_at))
    write_checkpoint(tmp_path, checkpoint([FAILED], at=60))
    job = only(tmp_path)
    kind = SourceKind.STATE if state_at > 60 else SourceKind.CHECKPOINT
    assert job.source_kind is kind
    assert [kind.value in f.message for f in job.report if f.code is Code.CHOSEN] == [True, False]
    assert job.leftovers["agent_template"]
    assert job.leftovers["captured_outputs"] == {"list": "a"}


def test_the_newer_one_counts_only_if_it_verifies(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE], at=50))
    document = checkpoint([FAILED], at=60)
    document["metadata"]["integrity_hash"] = "f" * 64
    write_checkpoint(tmp_path, document)
    job = only(tmp_path)
    assert (job.source_kind, job.items[0].status) == (SourceKind.STATE, ItemStatus.DONE)


def test_reduce_progress_by_the_time_inside(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    first = write_reduce(tmp_path, reduce_progress(2, 3, at=90), when="20260301_120130")
    write_reduce(tmp_path, reduce_progress(1, 3, at=80), when="20260301_120120")
    os.utime(first, (0, 0))
    write_reduce(tmp_path, reduce_progress(3, 3), when="20260301_120200").write_text("{")
    job = only(tmp_path)
    reduce = job.reduce
    assert (reduce.next_step, reduce.total_steps, reduce.completed) == (2, 3, False)
    assert [step.output for step in reduce.steps] == ["step 0", "step 1"]
    assert reduce.map_results == ({"n": 1},)
    assert (job.phase, reduce.saved_at) == (OldPhase.REDUCE, instant(90))
    assert Code.FELL_BACK in codes(job)


def test_reduce_progress_alone_is_a_job(tmp_path: Path) -> None:
    write_reduce(tmp_path, reduce_progress(3, 3))
    job = only(tmp_path)
    assert (job.repo, job.items, job.source_kind) == (None, (), SourceKind.REDUCE)
    assert job.reduce.completed


def test_reduce_progress_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    write_reduce(tmp_path, reduce_progress(1, 3, version=2))
    job = only(tmp_path)
    assert not job.reduce.started
    assert Code.VERSION_NEWER in codes(job)


REDUCE = {"started": True, "completed": False, "output": None, "error": None}


@pytest.mark.parametrize(
    ("items", "changes", "phase", "has_reduce"),
    [
        ([PENDING], {"setup_completed": False}, OldPhase.SETUP, True),
        ([], {"setup_completed": False}, OldPhase.SETUP, True),
        ([PENDING], {}, OldPhase.MAP, True),
        ([DONE, PENDING], {"setup_completed": False}, OldPhase.MAP, True),
        ([DONE, FAILED], {}, OldPhase.MAP_FINISHED, True),
        ([DONE], {"reduce_commands": None}, OldPhase.MAP_FINISHED, False),
        ([DONE], {"reduce_phase_state": REDUCE}, OldPhase.REDUCE, True),
        ([DONE], {"reduce_phase_state": REDUCE | {"started": False}}, OldPhase.MAP_FINISHED, True),
        ([DONE], {"is_complete": True}, OldPhase.DONE, True),
        ([PENDING], {"is_complete": True}, OldPhase.DONE, True),
    ],
)
def test_how_far_an_old_state_had_come(
    tmp_path: Path,
    items: list[MadeItem],
    changes: dict[str, Any],
    phase: OldPhase,
    has_reduce: bool,
) -> None:
    write_state(tmp_path, job_state(items, **changes))
    job = only(tmp_path)
    assert (job.phase, job.has_reduce) == (phase, has_reduce)
    completed = job.outcome is not None and job.outcome.kind is OutcomeKind.COMPLETED
    assert completed == (phase is OldPhase.DONE)
    unfinished = phase is OldPhase.DONE and PENDING in items
    assert (Code.INCONSISTENT in codes(job)) == unfinished


@pytest.mark.parametrize(
    ("said_phase", "phase"),
    [
        ("Setup", OldPhase.SETUP),
        ("Map", OldPhase.MAP),
        ("Reduce", OldPhase.REDUCE),
        ("Complete", OldPhase.DONE),
    ],
)
def test_how_far_a_checkpoint_had_come(tmp_path: Path, said_phase: str, phase: OldPhase) -> None:
    write_checkpoint(tmp_path, checkpoint([PENDING], phase=said_phase))
    job = only(tmp_path)
    assert job.phase is phase
    assert job.setup.output == "ready"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123Z", datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456Z", datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456999Z", datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T12:00:00+00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T14:00:00+02:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T06:30:00.5-05:30", datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_instants(tmp_path: Path, written: str, read: datetime) -> None:
    write_state(tmp_path, job_state([DONE], started_at=written))
    assert only(tmp_path).started_at == read


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-13-01T12:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "now",
        "",
        7,
        None,
        "\u0662\u0660\u0662\u0666-03-01T12:00:00Z",
    ],
)
def test_what_is_no_instant(tmp_path: Path, written: Any) -> None:
    write_state(tmp_path, job_state([DONE], started_at=written))
    assert "started_at" in said(only(tmp_path), Code.SHAPE_INVALID).message


@pytest.mark.parametrize(
    "written",
    [{"secs": 1}, [1], [1, 2, 3], {"secs": 1, "nanos": -1}, {"secs": 2**64, "nanos": 0}, 1.5, None],
)
def test_what_is_no_duration(tmp_path: Path, written: Any) -> None:
    state = job_state([DONE])
    state["agent_results"]["item_0"]["duration"] = written
    write_state(tmp_path, state)
    assert "duration" in said(only(tmp_path), Code.SHAPE_INVALID).message


def test_the_times_of_a_job(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE], started_at=stamp(1), at=40))
    job = only(tmp_path)
    assert (job.started_at, job.updated_at) == (
        instant(1),
        instant(40),
    )
