"""Taking a store to the newest format: once, whole or not at all, however many do it at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import StateManager
from milepost.errors import StoreNewer
from milepost.stores.sqlite.migration import format_of, migrate, stored_version
from milepost.stores.sqlite.schema import STEPS, VERSION, Step
from milepost.stores.sqlite.seals import enable
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine
from tests.stores.make import holds, store_of

AFTER = Step(VERSION + 1, "one more", "CREATE TABLE one_more (x ANY) STRICT;")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A store of the first format."""
    path = tmp_path / "jobs.db"
    shutil.copyfile(store_of(1), path)
    return path


def tables(connection: apsw.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def test_two_connections_that_both_saw_the_older_format(first: Path) -> None:
    """The one that comes second finds the steps taken, and takes none."""
    one, two = (apsw.Connection(str(first)) for _ in range(2))
    for each in (one, two):
        enable(each)
    ran: list[str] = []

    def overtake(_cursor: apsw.Cursor, sql: str, _bindings: Any) -> bool:
        if sql == "BEGIN IMMEDIATE" and sql not in ran:
            migrate(two, "u")
        ran.append(sql.strip())
        return True

    assert stored_version(one, "u") == 1
    one.exec_trace = overtake
    migrate(one, "u")
    one.exec_trace = None
    assert [sql for sql in ran if sql.startswith(("CREATE", "PRAGMA user_version ="))] == []
    assert stored_version(one, "u") == stored_version(two, "u") == VERSION
    one.close()
    two.close()


def test_alone_it_does_run_the_steps(first: Path) -> None:
    """The negative control of the one before: the trace sees statements where there are some."""
    connection = apsw.Connection(str(first))
    enable(connection)
    ran: list[str] = []
    connection.exec_trace = lambda _cursor, sql, _bindings: not ran.append(sql.strip())
    migrate(connection, "u")
    connection.exec_trace = None
    assert any("CREATE TABLE blocks" in sql for sql in ran)
    connection.close()


def test_a_step_that_fails_leaves_the_format_before_it(first: Path) -> None:
    """Each step is a transaction of its own: those before it stay, nothing of it does."""
    broken = Step(AFTER.version, "broken", AFTER.sql + "INSERT INTO nowhere VALUES (1);")
    connection = apsw.Connection(str(first))
    enable(connection)
    with pytest.raises(apsw.SQLError, match="nowhere"):
        migrate(connection, "u", (*STEPS, broken))
    assert stored_version(connection, "u") == VERSION
    assert "blocks" in tables(connection)
    assert "one_more" not in tables(connection)
    assert not connection.in_transaction
    migrate(connection, "u", (*STEPS, AFTER))
    assert "one_more" in tables(connection)
    with pytest.raises(StoreNewer):
        format_of(connection, "u")
    connection.close()


def test_processes_that_open_at_once_migrate_it_once(first: Path) -> None:
    """Eight real processes, let go together, each take it to the newest and read all of it."""
    code = (
        "import sys; from milepost import StateManager; print('ready', flush=True);"
        "sys.stdin.readline(); manager = StateManager.open(sys.argv[1]);"
        "print(manager.store_format().version, len(manager.job_ids()));"
        "assert all(v.sound for v in manager.verify()); manager.close()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        told, wrong = child.communicate(timeout=60)
        assert (told, wrong) == (f"{VERSION} 3\n", "")


def test_processes_that_create_at_once_make_one_store(tmp_path: Path) -> None:
    """Eight real processes on a path where there is nothing: none is turned away."""
    path = tmp_path / "new.db"
    code = (
        "import sys; from milepost import StateManager; print('ready', flush=True);"
        "sys.stdin.readline(); manager = StateManager.open(sys.argv[1]);"
        "manager.create_job(['a'], job_id='job-' + sys.argv[2]); manager.close()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60)[1] for child in children] == [""] * 8
    with StateManager.open(path, read_only=True) as manager:
        assert manager.job_ids() == [f"job-{number}" for number in range(8)]


def test_a_reader_of_the_older_format_sees_the_file_taken_further(first: Path) -> None:
    """A store that is open for reading follows: what stood in for a table never hides it."""
    with StateManager.open(first, read_only=True) as reader:
        before = holds(reader)
        assert reader.store_format().version == 1
        with StateManager.open(first) as writer:
            writer.create_job(["x"], job_id="new")
            assert reader.store_format().version == VERSION
            assert holds(reader) == {**before, "new": holds(writer)["new"]}


def test_the_command_shows_the_steps_and_takes_them_when_told(first: Path) -> None:
    """Without --apply no byte changes; --sql shows what would run; JSON has the same."""
    milepost = CommandLine(store=first, clock=FakeClock())
    before = first.read_bytes()
    shown = milepost("migrate", "--sql").stdout
    assert "CREATE TABLE blocks" in shown
    assert f"has format 1, the newest is {VERSION}" in shown
    assert "CREATE" not in milepost("migrate").stdout
    answer = milepost.json("migrate", "--sql")
    assert (answer["format"], answer["newest"], answer["applied"]) == (1, VERSION, False)
    assert [step["sql"] for step in answer["steps"]] == [step.sql for step in STEPS[1:]]
    assert first.read_bytes() == before
    taken = milepost.json("migrate", "--apply")
    assert (taken["format"], taken["applied"]) == (VERSION, True)
    assert taken["steps"][0]["sql"] is None
    assert "nothing to do" in milepost("migrate", "--apply").stdout
