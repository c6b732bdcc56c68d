"""Two processes record, and a thread of each opens, reads and closes the file by another SQLite."""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost import MilepostError, StateManager
from tests.stores.peeking import JOB, key_of

ROOT = Path(__file__).parents[2]
SOAK = bool(os.environ.get("MILEPOST_SOAK"))
SECONDS = 60 if SOAK else 1
ITEMS = 4_000 * SECONDS
TRUNCATING = """
import sqlite3, sys, time
while True:
    connection = sqlite3.connect(sys.argv[1], timeout=0)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        pass
    connection.close()
    time.sleep(0.005)
"""


def told(
    db: Path, guard: str, peek: str, *, others: str = "", seconds: int = SECONDS
) -> list[list[str]]:
    """What two such processes say, line by line, each in words; `died` for one that raised."""
    with StateManager.open(db) as manager:
        manager.create_job((key_of(p, n) for p in range(2) for n in range(ITEMS)), job_id=JOB)
        manager.fire(JOB, "start_map")
    beside = [subprocess.Popen([sys.executable, "-c", others, str(db)])] if others else []
    running = [
        subprocess.Popen(
            [
                sys.executable,
                *("-m", "tests.stores.peeking"),
                *map(str, (db, process, seconds, guard, peek)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    lines: list[list[str]] = []
    for one in running:
        out, err = one.communicate(timeout=seconds + 60)
        lines += [line.split() for line in out.splitlines()]
        if err:
            print(err)
            lines.append(["died"])
    for one in beside:
        one.kill()
        one.wait()
    return lines


def lost(db: Path, lines: list[list[str]]) -> list[str]:
    """What was acknowledged and is not there, and what is wrong with the file."""
    done = [words[1] for words in lines if words[0] == "done"]
    try:
        with StateManager.open(db) as manager:
            found = set(dict(manager.results(JOB)))
            problems = [*manager.check_store()]
            problems += [p.message for v in manager.verify() for p in v.problems]
    except MilepostError as error:
        return [str(error)]
    connection = sqlite3.connect(db)
    integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    connection.close()
    problems += [] if integrity == ["ok"] else integrity
    return [*problems, *(key for key in done if key not in found)]


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """The file is sound, and errors are ours."""
    db = tmp_path / "jobs.db"
    lines = told(db, "guarded", "read")
    done = [words for words in lines if words[0] == "done"]
    errors = [" ".join(words[1:]) for words in lines if words[0] == "error"]
    print(f"{SECONDS} s: {len(done)} acknowledged, errors {errors}")
    assert lost(db, lines) == []
    assert ["died"] not in lines
    assert errors == []
    assert len(done) > 20


CHECKPOINTS = pytest.mark.parametrize(
    ("peek", "others"),
    [("read", TRUNCATING), ("truncate", "")],
    ids=["of another process", "in the process"],
)


def trials(db: Path, guard: str, peek: str, others: str, *, most: int) -> Iterator[bool]:
    """Whether each trial of a second ended with a sound file that holds what was acknowledged."""
    for number in range(most):
        place = db.with_name(f"{number}.db")
        lines = told(place, guard, peek, others=others, seconds=1)
        yield ["died"] not in lines and lost(place, lines) == []


@CHECKPOINTS
def test_checkpoints_of_another_library_are_mostly_survived(
    tmp_path: Path, peek: str, others: str
) -> None:
    """What is not promised, since locks cannot keep it out: one trial in fifteen is not sound."""
    assert any(trials(tmp_path / "jobs.db", "guarded", peek, others, most=5))


@pytest.mark.parametrize(
    ("peek", "others"),
    [("read", ""), ("read", TRUNCATING), ("truncate", "")],
    ids=["a look", "checkpoints of another process", "checkpoints in the process"],
)
def test_without_the_guard_they_are_not(tmp_path: Path, peek: str, others: str) -> None:
    """The negative control, of the look above too."""
    assert not all(trials(tmp_path / "jobs.db", "unguarded", peek, others, most=5))


def test_a_log_whose_header_is_not_there_has_no_commits(tmp_path: Path) -> None:
    """As it is where another SQLite cut the log to nothing, and a writer went on behind that."""
    db = tmp_path / "jobs.db"
    with StateManager.open(db) as manager:
        manager.create_job(["a"], job_id=JOB)
    frame = struct.pack(">6I", 1, 1, 0, 0, 0, 0)  # of page 1, a commit, of a time that is 0
    db.with_name("jobs.db-wal").write_bytes(bytes(32) + 20 * frame)
    with StateManager.open(db, read_only=True) as manager:
        assert [*manager.check_store()] == []
        assert all(verdict.sound for verdict in manager.verify())
