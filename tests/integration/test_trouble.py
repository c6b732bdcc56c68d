"""Bad input and damaged files: a clear error, and nothing is lost."""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import stat
import zipfile
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import Item, ItemEvent, JobAbsent, JobExists, StateManager, TransitionRefused
from milepost.errors import (
    ContextInvalid,
    ItemAbsent,
    ItemKeyDuplicate,
    JobIdInvalid,
    LifecycleChanged,
    LogCorrupt,
    PayloadInvalid,
    StoreAbsent,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreNewer,
    StoreReadOnly,
    StoreUnreadable,
    ValueInvalid,
)
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.stores.make import store_of


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with one job that has a result, a failure and a checkpoint."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path, clock=FakeClock()) as manager:
        manager.create_job({"a": 1, "b": 2, "c": 3}, job_id="job")
        manager.fire("job", "start_map")
        manager.record("job", [ItemEvent("a", "start"), ItemEvent("b", "start")])
        manager.create_checkpoint("job")
        manager.record("job", [ItemEvent("a", "succeed", {"result": "A"})])
        manager.record("job", [ItemEvent("b", "fail", {"cause": "error", "message": "no"})])
    return path


def change(database: Path, sql: str, *values: Any) -> None:
    """Do to the file what no part of Milepost would do."""
    connection = apsw.Connection(str(database))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute(sql, values)
    connection.close()


# The place


def test_no_database_at_the_path(tmp_path: Path) -> None:
    """Absent is absent: nothing is made by asking."""
    missing = tmp_path / "none.db"
    with pytest.raises(StoreAbsent, match="no such file"):
        StateManager.open(missing, create=False)
    with pytest.raises(StoreAbsent, match="no such file"):
        StateManager.open(missing, read_only=True)
    with pytest.raises(StoreAbsent, match="folder"):
        StateManager.open(tmp_path / "no" / "folder" / "jobs.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Foreign databases and files that are none are told apart from ours, and not touched."""
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and longer than its header would be" * 20)
    for path in (other, text):
        before = digest(path)
        with pytest.raises(StoreForeign, match="left alone"):
            StateManager.open(path)
        assert digest(path) == before
    with pytest.raises(StoreForeign, match="folder"):
        StateManager.open(tmp_path)


def test_a_newer_format_is_refused(database: Path) -> None:
    """A file that a newer version wrote is not read as if it were ours."""
    change(database, "PRAGMA user_version = 99")
    before = digest(database)
    with pytest.raises(StoreNewer, match="newer milepost"):
        StateManager.open(database)
    assert digest(database) == before


def test_a_format_of_the_future_in_a_row_is_refused(database: Path) -> None:
    """A row that a newer version wrote is newer, not damaged."""
    change(database, "UPDATE commits SET format = 99 WHERE id & 1048575 = 5")
    with StateManager.open(database) as manager, pytest.raises(StoreNewer, match="newer milepost"):
        manager.state_at("job", 5)


def test_an_empty_file_is_absent_to_readers_and_new_to_writers(tmp_path: Path) -> None:
    """Nothing is in it, so nothing can be read, and nothing is lost by beginning in it."""
    path = tmp_path / "empty.db"
    path.touch()
    for read_only in (True, False):
        with pytest.raises(StoreAbsent, match="empty"):
            StateManager.open(path, create=False, read_only=read_only)
    assert path.stat().st_size == 0
    with StateManager.open(path) as manager:
        assert manager.create_job(["a"], job_id="job").phase == "setup"


def test_a_zip_is_left_alone(tmp_path: Path) -> None:
    """A file of another kind is foreign, whatever its name."""
    path = tmp_path / "jobs.db"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("jobs.txt", "text " * 1000)
    before = digest(path)
    with pytest.raises(StoreForeign, match="left alone"):
        StateManager.open(path)
    assert digest(path) == before


def test_a_log_ahead_without_its_database_is_absent(database: Path, tmp_path: Path) -> None:
    """A -wal file alone is no store; reading makes none of it."""
    alone = tmp_path / "alone.db"
    Path(f"{alone}-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4096))
    with pytest.raises(StoreAbsent):
        StateManager.open(alone, create=False)
    assert not alone.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_we_may_not_read_is_unreadable(database: Path) -> None:
    """Not absent, not damaged: the message says what the system says."""
    database.chmod(0)
    with pytest.raises(StoreUnreadable, match="Permission denied"):
        StateManager.open(database)


def test_what_the_system_refuses_is_unreadable(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, for those who may read everything: the refusal is put in."""

    def refuse(*_: object, **__: object) -> None:
        raise apsw.CantOpenError("unable to open database file")

    monkeypatch.setattr("milepost.stores.sqlite.store.apsw.Connection", refuse)
    with pytest.raises(StoreUnreadable, match="cannot be opened: unable to open"):
        StateManager.open(database)


def test_a_header_cut_short_is_no_empty_file(database: Path) -> None:
    """What is left of a store is not overwritten with a new one."""
    for size in (10, 50, 100):
        os.truncate(database, size)
        with pytest.raises((StoreForeign, StoreUnreadable)):
            StateManager.open(database)
        assert database.stat().st_size == size


def test_a_file_that_another_holds_for_itself_is_locked(database: Path) -> None:
    """Found out when it is opened, after the time allowed."""
    other = apsw.Connection(str(database))
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreLocked, match=r"0\.05 s"):
        StateManager.open(database, busy_timeout_s=0.05)
    other.execute("ROLLBACK")
    other.close()
    with StateManager.open(database) as manager:
        assert manager.get_state("job").phase == "map"


def test_an_older_file_gets_its_seals_from_the_first_writer(tmp_path: Path) -> None:
    """Format 1 had none: reading it changes nothing."""
    path = tmp_path / "jobs.db"
    path.write_bytes(store_of(1).read_bytes())
    before = digest(path)
    with StateManager.open(path, read_only=True) as manager:
        jobs = [job.id for job in manager.list_jobs()]
        assert all(verification.sound for verification in manager.verify())
        assert list(manager.quarantine()) == []
    assert digest(path) == before
    with StateManager.open(path) as manager:
        assert [job.id for job in manager.list_jobs()] == jobs
        assert all(verification.sound for verification in manager.verify())
    connection = apsw.Connection(str(path))
    for table in ("jobs", "inputs", "leases", "tips"):
        assert list(connection.execute(f"SELECT count(*) FROM {table} WHERE seal = x''")) == [(0,)]
        assert list(connection.execute(f"SELECT count(*) > 0 FROM {table}")) == [(1,)]
    connection.close()


def test_a_url_that_is_none_is_refused() -> None:
    """What cannot be a place is said to be none."""
    for url in ("postgress://host/db", "sqlite://host/x.db", "sqlite:///", "sqlite:///x?mode=rw"):
        with pytest.raises(StoreError, match="no URL of a store"):
            StateManager.open(url)


def test_urls_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sqlite:///jobs.db is beside us, sqlite:////x is from the root."""
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///relative.db", f"sqlite:///{tmp_path}/absolute.db", "plain.db"):
        with StateManager.open(url) as manager:
            manager.create_job([], job_id="j")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"relative.db", "absolute.db", "plain.db"} <= names


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Nobody else may read what jobs carry."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job(["a"], job_id="j")
        for file in tmp_path.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_store_that_others_keep_busy_says_so(database: Path) -> None:
    """A writer waits its time, then says that it waited; nothing was written."""
    other = apsw.Connection(str(database))  # not sqlite3: two SQLites in a process share no locks
    other.execute("BEGIN IMMEDIATE")
    with StateManager.open(database, busy_timeout_s=0.05) as manager:
        with pytest.raises(StoreLocked, match=r"0\.05 s"):
            manager.fire("job", "pause")
        assert manager.get_state("job").phase == "map"  # readers do not wait
        other.execute("ROLLBACK")
        other.close()
        assert manager.fire("job", "pause").phase == "paused"


def test_a_closed_store_says_so(database: Path) -> None:
    """Using a manager after its end is an error that says what it is."""
    manager = StateManager.open(database)
    manager.close()
    manager.close()
    with pytest.raises(StoreError, match="closed"):
        manager.get_state("job")
    with pytest.raises(StoreError, match="closed"):
        manager.fire("job", "pause")


def test_a_store_that_is_closed_while_a_writer_waits(database: Path) -> None:
    """Whoever waited for a turn then is told, and nobody waits for ever."""
    store = open_store(database)
    waiting = store.writing()
    store.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="closed"):
            waiting.__enter__()
    store.close()


def test_reading_never_writes(database: Path) -> None:
    """A read-only manager changes no byte, and refuses to."""
    before = digest(database)
    with StateManager.open(database, read_only=True) as manager:
        manager.get_state("job")
        manager.get_state_history("job")
        manager.recover_from_checkpoint("job")
        manager.verify()
        list(manager.results("job"))
        with pytest.raises(StoreReadOnly):
            manager.create_checkpoint("job")
        with pytest.raises(StoreReadOnly):
            manager.create_job([])
    assert digest(database) == before


# Damage


@pytest.mark.parametrize("column", ["head", "body", "after", "digest", "body_digest"])
def test_a_corrupt_row_is_named(database: Path, column: str) -> None:
    """What is damaged is named by job and seq; what is before it can still be read."""
    change(database, f"UPDATE commits SET {column} = x'5b5d' WHERE id & 1048575 = 5")
    with StateManager.open(database, read_only=True) as manager:
        (verification,) = manager.verify("job")
        assert [problem.seq for problem in verification.problems][:1] == [5]
        assert manager.state_at("job", 4).progress.running == 2
        if column == "body":
            with pytest.raises(LogCorrupt, match="commit 5"):
                list(manager.results("job"))
        else:
            with pytest.raises(LogCorrupt, match="commit 5"):
                manager.get_state("job")


def test_a_row_that_is_gone_is_noticed(database: Path) -> None:
    """INV-GAPLESS: a hole in the log is not folded over."""
    change(database, "DELETE FROM commits WHERE id & 1048575 = 5")
    with StateManager.open(database) as manager:
        with pytest.raises(LogCorrupt):
            manager.get_state("job")
        assert not manager.verify("job")[0].sound


def test_a_fact_that_is_not_legal_is_noticed(database: Path) -> None:
    """INV-LEGAL: a chain that is sound in itself does not make an illegal step legal."""
    from milepost.log.codec import encode_row
    from milepost.log.facts import Draft, ItemsFired

    store = open_store(database)
    with store.writing() as writer:
        job = writer.job("job")
        assert job is not None
        tip = writer.tip(job.number)
        assert tip is not None
        state = StateManager(store).get_state("job")
        forged = encode_row(
            tip.digest,
            seq=tip.seq + 1,
            fence=tip.fence,
            at_us=tip.at_us,
            drafts=[Draft(ItemsFired("requeue", [0]))],
            tally=state.tally,
            count=1,
        )
        writer.add_row(job.number, forged)
    store.close()
    with StateManager.open(database) as manager:
        with pytest.raises(LogCorrupt, match="not legal"):
            manager.get_state("job")
        assert manager.verify("job")[0].problems[0].invariant == "INV-LEGAL"


def test_a_damaged_checkpoint_is_passed_over_and_reported(database: Path) -> None:
    """Falling back is never silent, and loses nothing."""
    with StateManager.open(database) as manager:
        manager.create_checkpoint("job")
        expected = manager.get_state("job")
    change(database, "UPDATE checkpoints SET snapshot = x'00' WHERE id & 1048575 > 4")
    with StateManager.open(database) as manager:
        plan = manager.recover_from_checkpoint("job")
        assert "does not match its digest" in plan.fallbacks[0]
        assert plan.state == expected
        assert manager.get_checkpoint("job").seq == 3
        assert [p.invariant for p in manager.verify("job")[0].problems] == ["INV-FOLD"]


def test_a_checkpoint_of_another_history_is_not_used(database: Path) -> None:
    """A snapshot whose own bytes are sound but whose place is another is found out."""
    with StateManager.open(database) as manager:
        manager.create_checkpoint("job")
        expected = manager.get_state("job")
    change(database, "UPDATE checkpoints SET id = id + 1 WHERE id & 1048575 > 4")
    with StateManager.open(database) as manager:
        assert manager.get_state("job") == expected
        assert manager.recover_from_checkpoint("job").fallbacks
        assert not manager.verify("job")[0].sound


def test_damaged_inputs_are_named(database: Path) -> None:
    """Items are attested like everything else."""
    change(database, """UPDATE inputs SET "values" = CAST('[1,2,4]' AS BLOB)""")
    with StateManager.open(database) as manager:
        (problem,) = manager.verify("job")[0].problems
        assert "items 0 to 2" in problem.message
    change(database, """UPDATE inputs SET keys = x'ff'""")
    with StateManager.open(database) as manager, pytest.raises(StoreUnreadable, match="0 to 2"):
        list(manager.get_state("job").keys_in("done"))


def test_a_file_cut_short_is_unreadable_not_absent(database: Path) -> None:
    """A damaged file is never taken for a new one."""
    os.truncate(database, database.stat().st_size // 2 // 4096 * 4096)
    with pytest.raises((StoreUnreadable, LogCorrupt)), StateManager.open(database) as manager:
        manager.get_state("job")
        manager.verify("job")
        assert manager.check_store(), "a file cut short is not sound"
        raise StoreUnreadable(url="", problem="the store says so itself")


def test_a_job_of_another_lifecycle_is_refused(database: Path) -> None:
    """A job runs by the lifecycle that it was created under."""
    changed = Lifecycle(
        name="mapreduce",
        version=2,
        digest="0" * 32,
        doc="",
        enums={},
        machines=mapreduce.LIFECYCLE.machines,
    )
    store = open_store(database)
    with pytest.raises(LifecycleChanged, match="version 2"):
        StateManager(store, lifecycle=changed).get_state("job")
    store.close()


# Input


@pytest.mark.parametrize("job_id", ["a/b", "", ".hidden", "a b", "x" * 129, "ü", "a\n", "../up"])
def test_job_ids_are_checked_before_anything_else(database: Path, job_id: str) -> None:
    """An id never becomes a path or SQL unless it matches."""
    with StateManager.open(database) as manager:
        with pytest.raises(JobIdInvalid):
            manager.create_job([], job_id=job_id)
        with pytest.raises(JobIdInvalid):
            manager.get_state(job_id)
        with pytest.raises(JobIdInvalid):
            manager.fire(job_id, "pause")
        assert manager.job_ids() == ["job"]


def test_a_job_that_is_absent_or_there_already(database: Path) -> None:
    """Both are said by name, and the job that is there stays as it is."""
    with StateManager.open(database) as manager:
        with pytest.raises(JobAbsent, match="no job 'other'"):
            manager.get_state("other")
        with pytest.raises(JobAbsent):
            manager.fire("other", "pause")
        before = manager.get_state("job")
        with pytest.raises(JobExists):
            manager.create_job(["x"], job_id="job")
        assert manager.get_state("job") == before


@pytest.mark.parametrize(
    ("items", "error", "says"),
    [
        (["a", {"x": math.nan}], ValueInvalid, r"item 1: \$\.x is nan"),
        ([b"bytes"], ValueInvalid, "item 0: .* of type bytes"),
        ({"a": object()}, ValueInvalid, "item 'a': .* of type object"),
        (["a", "b", "a"], ItemKeyDuplicate, "items 0 and 2 have the same key 'a'"),
        ([{"x": 1}, {"x": 1}], ItemKeyDuplicate, "items 0 and 1"),
        ([Item(key="", value=1)], ValueInvalid, "keys are text"),
        ([Item(key="x" * 513, value=1)], ValueInvalid, "keys are text"),
    ],
)
def test_items_that_cannot_be_stored(
    database: Path, items: Any, error: type[Exception], says: str
) -> None:
    """The item is named, and no part of the job is stored."""
    with StateManager.open(database) as manager:
        with pytest.raises(error, match=says):
            manager.create_job(items, job_id="new")
        assert manager.job_ids() == ["job"]


def test_parameters_are_checked(database: Path) -> None:
    """Unknown, mistyped and refused parameters each say which and why."""
    with StateManager.open(database) as manager:
        for config, says in [
            ({"max_attemps": 3}, "no such parameter"),
            ({"max_attempts": 0}, "does not satisfy"),
            ({"max_dead": "2"}, "not of type int"),
            ({"has_reduce": 1}, "not of type bool"),
        ]:
            with pytest.raises(ContextInvalid, match=says):
                manager.create_job([], job_id="new", config=config)
        assert manager.job_ids() == ["job"]


def test_events_that_do_not_fit_are_refused(database: Path) -> None:
    """Unknown events, fields, items and values change nothing."""
    with StateManager.open(database) as manager:
        before = manager.get_state("job")
        succeed = {"result": 1}
        cases: list[tuple[list[ItemEvent], type[Exception], str]] = [
            ([ItemEvent("c", "begin")], TransitionRefused, "allowed: start"),
            ([ItemEvent("nope", "start")], ItemAbsent, "key 'nope'"),
            ([ItemEvent(3, "start")], ItemAbsent, "ordinal 3"),
            ([ItemEvent(-1, "start")], ItemAbsent, "ordinal -1"),
            ([ItemEvent("c", "start"), ItemEvent("c", "succeed")], PayloadInvalid, "missing"),
            ([ItemEvent("c", "start", {"x": 1})], PayloadInvalid, "no such field 'x'"),
            (
                [ItemEvent("c", "start"), ItemEvent("c", "succeed", {"result": {1, 2}})],
                ValueInvalid,
                "item 'c', field 'result'",
            ),
            (
                [ItemEvent("c", "fail", {"cause": "bad luck", "message": ""})],
                PayloadInvalid,
                "not one of error, timeout, executor_lost",
            ),
            (
                [ItemEvent("c", "succeed", mapreduce.ItemFail(cause="error", message=""))],  # type: ignore[arg-type]  # on purpose
                PayloadInvalid,
                "is a payload of 'fail'",
            ),
            ([ItemEvent("c", "start"), ItemEvent("a", "start")], TransitionRefused, "item 'a'"),
            ([ItemEvent("c", "start"), ItemEvent("c", "start")], TransitionRefused, "item 'c'"),
            ([ItemEvent("c", "succeed", succeed)], TransitionRefused, "item 'c'"),
        ]
        for events, error, says in cases:
            with pytest.raises(error, match=says):
                manager.record("job", events)
            assert manager.get_state("job") == before
        for payload in ({"variables": [1]}, {"variables": {"x": math.inf}}, {}):
            with pytest.raises((PayloadInvalid, ValueInvalid)):
                manager.fire("job", "set_variables", payload)
        assert manager.get_state("job") == before


def test_a_generated_payload_is_as_good_as_a_mapping(database: Path) -> None:
    """Typed payloads go the same way."""
    with StateManager.open(database) as manager:
        failed = mapreduce.ItemFail(cause=mapreduce.Cause.TIMEOUT, message="late")
        manager.record("job", [ItemEvent("c", "start"), ItemEvent("c", "fail", failed)])
        assert manager.failures("job")["c"][0][1:3] == ("timeout", "late")


def test_a_job_without_items_completes_through_its_phases(tmp_path: Path) -> None:
    """Nothing to do is done in order."""
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job([], job_id="empty")
        phases = [
            manager.fire("empty", "start_map").phase,
            manager.fire("empty", "finish_map").phase,
            manager.fire("empty", "finish_reduce", {"result": None}).phase,
        ]
        assert phases == ["map", "reduce", "completed"]
        assert manager.result("empty") is None
        plan = manager.recover_from_checkpoint("empty")
        assert plan.changes_nothing
        assert list(plan.pending_items()) == []


def test_a_variable_that_no_checkpoint_can_hold_is_refused(database: Path) -> None:
    """When it is given, and not when the next checkpoint is due; a result may be of any size."""
    with StateManager.open(database) as manager:
        for refused in (
            lambda: manager.create_job([], variables={"n": {"deep": [2**64]}}),
            lambda: manager.fire("job", "set_variables", {"variables": {"n": -(2**64)}}),
        ):
            with pytest.raises(ValueInvalid, match="beyond the 64 bits"):
                refused()
        manager.fire("job", "set_variables", {"variables": {"n": 2**63}})
        assert manager.create_checkpoint("job").state.variables["n"] == 2**63
