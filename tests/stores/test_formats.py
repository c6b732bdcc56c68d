"""A store of every format that there was is kept, and is opened, read, verified and resumed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import StoreNewer
from milepost.lifecycles import mapreduce, mapreduce_v1, mapreduce_v2
from milepost.state.keeping.salvage import salvage
from milepost.stores.sqlite.migration import APPLICATION_ID
from milepost.stores.sqlite.schema import STEPS, VERSION
from milepost.stores.sqlite.seals import enable
from milepost.testing import FakeClock
from tests.stores.make import EXPECTED, FOLDER, holds, store_of, write

VERSIONS = [step.version for step in STEPS]


def expected(version: int) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))[str(version)]
    return kept


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def copy(version: int, tmp_path: Path) -> Path:
    """A copy of the kept store, to be written to."""
    path = tmp_path / "jobs.db"
    shutil.copyfile(store_of(version), path)
    return path


def schema(path: Path) -> list[tuple[str, str]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql > '' ORDER BY name")
    rows = list(found)
    connection.close()
    return rows


def test_steps_are_numbered_and_every_format_has_a_store() -> None:
    """A new step needs `python -m tests.stores.make`, before the format is released."""
    assert list(range(1, VERSION + 1)) == VERSIONS
    kept = {path.name for path in FOLDER.glob("format-*.sqlite3")}
    assert kept == {store_of(number).name for number in VERSIONS}
    assert set(json.loads(EXPECTED.read_text(encoding="utf-8"))) == set(map(str, VERSIONS))
    assert all(step.absent for step in STEPS[1:]), "a read-only open needs something in its place"


def test_a_kept_store_has_the_tables_of_its_format(version: int, tmp_path: Path) -> None:
    """Or a step was changed after its store was written: make the newest anew, never an older."""
    fresh = tmp_path / "fresh.db"
    connection = apsw.Connection(str(fresh))
    enable(connection)
    for step in STEPS[:version]:
        connection.execute(step.sql)
    connection.close()
    assert schema(store_of(version)) == schema(fresh)


def test_a_store_of_any_format_is_read_as_it_is(version: int, copy: Path) -> None:
    """Opened for reading, an older file gives all that it holds, and no byte of it changes."""
    before = copy.read_bytes()
    with StateManager.open(copy, read_only=True, create=False) as manager:
        assert holds(manager) == expected(version)
        assert all(verification.sound for verification in manager.verify())
        assert manager.check_store() == []
        found = manager.store_format()
        assert (found.version, found.newest) == (version, VERSION)
        assert [step.version for step in found.pending] == VERSIONS[version:]
    assert copy.read_bytes() == before


def test_a_store_of_any_format_is_taken_to_the_newest(version: int, copy: Path) -> None:
    """Opened for writing, it has the newest tables, all that it held, and goes on."""
    with StateManager.open(copy, create=False) as manager:
        assert manager.store_format().pending == ()
        assert holds(manager) == expected(version)
    assert schema(copy) == schema(store_of(VERSION))


def test_a_job_of_any_format_is_resumed(version: int, copy: Path) -> None:
    """What was left behind is recovered and finished, and all of it verifies."""
    clock = FakeClock(1_800_000_000_000_000)
    with StateManager.open(copy, clock=clock) as manager, manager.lease("left", renewed=False):
        plan = manager.recover_from_checkpoint("left")
        assert (len(plan.parts["in_flight"].ordinals), len(plan.parts["done"].ordinals)) == (3, 2)
        state = manager.apply(plan)
        for ordinal in state.items.members("pending", "failed"):
            if state.items.member(ordinal)[0] == "failed":
                manager.record("left", [ItemEvent(ordinal, "retry")])
            manager.record("left", [ItemEvent(ordinal, "start")])
            manager.record("left", [ItemEvent(ordinal, "succeed", {"result": ordinal})])
        manager.fire("left", "finish_map")
        assert manager.fire("left", "finish_reduce", {"result": "all"}).phase == "completed"
        assert len(dict(manager.results("left"))) == 12
        assert all(verification.sound for verification in manager.verify())


def test_a_store_of_any_format_is_salvaged_whole(version: int, copy: Path, tmp_path: Path) -> None:
    """What a format did not have yet is no gap in it."""
    new = tmp_path / "new.db"
    jobs = list(salvage(copy, new))
    assert [(job.whole, job.aside_count) for job in jobs] == [(True, 0)] * 3
    with StateManager.open(new, read_only=True) as manager:
        assert holds(manager) == expected(version)
        assert all(verification.sound for verification in manager.verify())
        assert manager.lease_expires_at("left") is not None


def test_what_is_kept_is_what_the_code_of_today_writes(tmp_path: Path) -> None:
    """The newest file can be made again; a change of what is stored shows here.

    By the lifecycle of its time: a new version of that is no new format.
    """
    with StateManager.open(store_of(VERSION), read_only=True, create=False) as kept:
        created = kept.get_state("whole").created
    versions = (mapreduce.LIFECYCLE, mapreduce_v2.LIFECYCLE, mapreduce_v1.LIFECYCLE)
    of_its_time = next(one for one in versions if one.digest == created.digest)
    assert write(tmp_path / "jobs.db", of_its_time) == expected(VERSION)


def test_a_kept_store_that_was_changed_is_noticed(version: int, copy: Path) -> None:
    """The negative control: verifying these files can fail."""
    connection = apsw.Connection(str(copy))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("UPDATE commits SET at_us = at_us + 1 WHERE job = 2 AND seq = 3")
    connection.close()
    with StateManager.open(copy, read_only=True) as manager:
        assert [v.sound for v in manager.verify()] != [True] * 3


def test_a_store_taken_further_while_it_is_open_is_refused(tmp_path: Path) -> None:
    """A newer version may migrate a file under us: from then on it is not ours to read or write."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job(["a"], job_id="j")
        other = apsw.Connection(str(path))
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
        other.close()
        with pytest.raises(StoreNewer, match="newer milepost"):
            manager.get_state("j")
        with pytest.raises(StoreNewer):
            manager.fire("j", "start_map")


def test_a_file_is_known_by_its_application_id(version: int) -> None:
    """SQLite's own header says whose the file is, at a fixed place."""
    header = store_of(version).read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID
    assert int.from_bytes(header[60:64], "big") == version
