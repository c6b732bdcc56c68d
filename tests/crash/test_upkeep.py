"""A process that is killed while it compacts or migrates: the store is as before, or a step on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.stores.sqlite.schema import VERSION
from tests.stores.make import holds, store_of

COMPACT = """
import os, signal, sys
from milepost import StateManager
from milepost.log import blocks
from milepost.stores.sqlite.writing import SqliteWriter

blocks.BLOCK_ROWS = 4
put, left = SqliteWriter.put_block, int(sys.argv[2])

def put_or_die(writer, job, block):
    global left
    done = put(writer, job, block)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

SqliteWriter.put_block = put_or_die
StateManager.open(sys.argv[1]).compact("whole")
"""

MIGRATE = """
import os, signal, sys
import apsw
from milepost import StateManager

class Dying(apsw.Connection):
    left = int(sys.argv[2])

    def execute(self, statements, *args, **kwargs):
        done = super().execute(statements, *args, **kwargs)
        if self.in_transaction:
            Dying.left -= 1
            if Dying.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

apsw.Connection = Dying
StateManager.open(sys.argv[1])
"""


def die(code: str, database: Path, at: int) -> int:
    """The exit of a process that runs `code` on `database` and kills itself at its `at`-th step."""
    arguments = [sys.executable, "-c", code, str(database), str(at)]
    return subprocess.run(arguments, check=False, timeout=60).returncode


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    shutil.copyfile(store_of(1), path)
    return path


@pytest.mark.parametrize("at", [1, 2, 5])
def test_killed_within_a_block(database: Path, at: int) -> None:
    """What it had merged before is merged, its last block is not there, nothing is lost."""
    with StateManager.open(database) as manager:
        before = holds(manager)
    assert die(COMPACT, database, at) == -signal.SIGKILL
    with StateManager.open(database) as manager:
        with manager._store.reading() as reader:
            assert len(list(reader.blocks(1))) == at - 1
        assert holds(manager) == before
        assert all(verification.sound for verification in manager.verify())
        assert manager.compact("whole").blocks > 0
        assert holds(manager) == before


def test_killed_within_a_step(database: Path) -> None:
    """The format is the one before, or the newest, wherever it was killed; then it goes on."""
    with StateManager.open(database, read_only=True) as manager:
        before = holds(manager)
        formats = {manager.store_format().version}
    for at in range(1, 60):
        copy = database.with_name(f"{at}.db")
        shutil.copyfile(database, copy)
        killed = die(MIGRATE, copy, at) == -signal.SIGKILL
        with StateManager.open(copy, read_only=True) as manager:
            assert holds(manager) == before
            formats.add(manager.store_format().version)
        with StateManager.open(copy) as manager:
            assert holds(manager) == before
        if not killed:
            break
    else:
        pytest.fail("it never came to its end")
    assert {1, VERSION} <= formats
