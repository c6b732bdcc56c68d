"""The write-ahead log: what SQLite passes over there is no error to it, but verify says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import MilepostError

FRAME_BYTES = 24 + 4096
HEADER_BYTES = 32


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A store as a killed process leaves it: its newest commits are in the -wal file alone."""
    alive, left = tmp_path / "alive.db", tmp_path / "left.db"
    with StateManager.open(alive) as manager:
        manager.create_job(["a", "b", "c", "d"], job_id="job")
        manager.fire("job", "start_map")
        for key in ("a", "b", "c", "d"):
            manager.record("job", [ItemEvent(key, "start")])
        for suffix in ("", "-wal"):
            shutil.copy(f"{alive}{suffix}", f"{left}{suffix}")
    return left


def look(store: Path) -> tuple[int, list[str]]:
    with StateManager.open(store, read_only=True) as manager:
        return manager.get_state("job").seq, manager.check_store()


def test_a_log_that_was_left_behind_is_sound(left: Path) -> None:
    """As it is after every crash."""
    assert look(left) == (6, [])


def test_a_flipped_bit_takes_commits_back_and_verify_says_how_many(left: Path) -> None:
    """The state is one that was; but what came after it was acknowledged."""
    wal = Path(f"{left}-wal")
    content = bytearray(wal.read_bytes())
    frames = (len(content) - HEADER_BYTES) // FRAME_BYTES
    seen = set()
    for frame in range(frames):
        damaged = bytearray(content)
        damaged[HEADER_BYTES + frame * FRAME_BYTES + 600] ^= 1
        wal.write_bytes(damaged)
        Path(f"{left}-shm").unlink(missing_ok=True)
        try:
            seq, problems = look(left)
        except MilepostError:  # no tables yet, or no job: that is said
            continue
        seen.add(seq)
        assert seq < 6
        if seq < 5:
            assert "passed over" in problems[0]
    assert {3, 4, 5} <= seen


def test_a_commit_that_a_crash_cut_short_is_no_problem(left: Path) -> None:
    """The newest commit was never acknowledged: nothing was lost."""
    wal = Path(f"{left}-wal")
    content = wal.read_bytes()
    wal.write_bytes(content[: -FRAME_BYTES // 2])
    Path(f"{left}-shm").unlink(missing_ok=True)
    assert look(left) == (5, [])


def test_nor_is_one_over_what_an_earlier_crash_cut_short(left: Path) -> None:
    """Of the newest commit its last header alone was written; before it is the earlier one's."""
    wal = Path(f"{left}-wal")
    content = bytearray(wal.read_bytes())
    sizes = [
        int.from_bytes(content[at + 4 : at + 8], "big")
        for at in range(HEADER_BYTES, len(content), FRAME_BYTES)
    ]
    ends = [number for number, size in enumerate(sizes) if size]
    for end in ends[-2:]:
        content[HEADER_BYTES + end * FRAME_BYTES + 600] ^= 1
    wal.write_bytes(content)
    Path(f"{left}-shm").unlink(missing_ok=True)
    assert look(left) == (4, [])
