"""Salvage: of a file in which SQLite finds damage, all that can be had, and what was lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.errors import StoreAbsent, StoreError, StoreForeign
from milepost.log.rows import StoredLease
from milepost.state.keeping.salvage import salvage
from milepost.state.persistence import open_store
from tests.integrity.sample import JOBS, PAGE_BYTES, answers, make


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "jobs.db")


def leaves(database: Path, table: str) -> list[int]:
    """The offsets of the pages that hold the rows of a table, by its tree."""
    content = database.read_bytes()
    connection = apsw.Connection(str(database))
    ((root,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    connection.close()
    found, todo = [], [int(root)]
    while todo:
        at = (todo.pop(0) - 1) * PAGE_BYTES
        page = content[at : at + PAGE_BYTES]
        if page[0] == 13:
            found.append(at)
            continue
        count = int.from_bytes(page[3:5], "big")
        cells = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big") for n in range(count)]
        todo += [int.from_bytes(page[cell : cell + 4], "big") for cell in cells]
        todo.append(int.from_bytes(page[8:12], "big"))
    return found


def overwrite(database: Path, at: int, *, byte: int = 0xFF) -> None:
    content = bytearray(database.read_bytes())
    content[at : at + PAGE_BYTES] = bytes([byte]) * PAGE_BYTES
    database.write_bytes(content)


def stored_leases(path: Path) -> list[StoredLease | None]:
    store = open_store(path)
    with store.reading() as reader:
        leases = [reader.lease(job.number) for job in reader.entries()]
    store.close()
    return leases


def test_a_sound_file_is_copied_whole(database: Path, tmp_path: Path) -> None:
    """Every answer of the copy is that of the file."""
    new = tmp_path / "new.db"
    jobs = list(salvage(database, new))
    assert [(job.job_id, job.whole, job.commits) for job in jobs] == [(j, True, 14) for j in JOBS]
    expected, found = answers(database), answers(new)
    assert {**found, "no such job": ""} == {**expected, "no such job": ""}
    leases = [stored_leases(path) for path in (database, new)]
    assert leases[0] == leases[1]
    assert any(lease is not None and lease.ttl_us for lease in leases[0])


def test_what_is_beside_a_damaged_page_is_copied(database: Path, tmp_path: Path) -> None:
    """Each page of the logs in turn is lost: the other job is whole, and the rest accounted for."""
    whole = database.read_bytes()
    expected = answers(database)
    pages = leaves(database, "commits")
    assert len(pages) > 4
    halves = set()
    for at in pages:
        database.write_bytes(whole)
        overwrite(database, at)
        new = tmp_path / f"new-{at}.db"
        jobs = {job.job_id: job for job in salvage(database, new)}
        with StateManager.open(new, read_only=True) as manager:
            assert manager.check_store() == []
            for job_id, job in jobs.items():
                if job.whole:
                    assert dict(manager.results(job_id)) == dict(expected[f"{job_id} results"])
                    continue
                halves.add(job_id)
                assert job.gaps
                if job.repair is None or job.repair.lost is None:
                    assert job.problem
                    continue
                assert all(one.sound for one in manager.verify(job_id))
                lost = job.repair.lost
                (gap,) = [gap for gap in job.gaps if gap.source == "commits"]
                assert gap.first == lost.first
                had = dict(manager.results(job_id))
                for row in manager.quarantine(job_id):
                    had |= {
                        r.item: r.payload["result"] for r in row.results if r.event == "succeed"
                    }
                assert had.items() <= dict(expected[f"{job_id} results"]).items()
                assert manager.get_state_history(job_id)[-1].kind in ("repaired", "checkpoint")
    assert halves == set(JOBS)


@pytest.mark.parametrize("table", ["jobs", "inputs", "checkpoints", "leases", "tips"])
def test_pages_beside_the_logs(database: Path, tmp_path: Path, table: str) -> None:
    """Entries are had from their index; what is derived is made anew; the rest is said."""
    overwrite(database, leaves(database, table)[-1])
    new = tmp_path / "new.db"
    jobs = {job.job_id: job for job in salvage(database, new)}
    assert set(jobs) == set(JOBS)
    with StateManager.open(new, read_only=True) as manager:
        assert manager.check_store() == []
        for job_id in JOBS:
            assert manager.get_state(job_id).progress.done == 17
            problems = manager.verify(job_id)[0].problems
            assert all(problem.invariant == "inputs" for problem in problems)
            assert bool(problems) <= (table == "inputs")
    if table == "inputs":
        assert not all(job.whole for job in jobs.values())


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    """What is in the part that is left is had, and accounted for."""
    database = tmp_path / "long.db"
    keys = [f"item {n}" for n in range(600)]
    with StateManager.open(database, durability="process") as manager:
        manager.create_job(keys, job_id="long")
        manager.fire("long", "start_map")
        for key in keys:
            events = [ItemEvent(key, "start"), ItemEvent(key, "succeed", {"result": key * 40})]
            manager.record("long", events)
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    os.truncate(database, database.stat().st_size // 2)
    (job,) = [job for job in salvage(database, tmp_path / "new.db") if job.job_id == "long"]
    assert job.repair is not None
    assert job.repair.lost is not None
    assert job.repair.lost.first == job.repair.seq == job.commits + 1
    with StateManager.open(tmp_path / "new.db", read_only=True) as manager:
        assert manager.verify("long")[0].sound
        assert dict(manager.results("long")) == {key: key * 40 for key in keys[: job.commits - 2]}
        assert 10 < job.commits < 560


def test_the_quarantine_goes_along(database: Path, tmp_path: Path) -> None:
    """What was set aside before is not lost by a copy."""
    connection = apsw.Connection(str(database))
    connection.execute("UPDATE leases SET fence = 9 WHERE job = 1")
    connection.close()
    with StateManager.open(database) as manager:
        manager.repair("first", apply=True)
        before = list(manager.quarantine())
    assert before
    assert all(job.whole for job in salvage(database, tmp_path / "new.db"))
    with StateManager.open(tmp_path / "new.db") as manager:
        assert list(manager.quarantine()) == before


def test_places_that_will_not_do(database: Path, tmp_path: Path) -> None:
    """No old file, a new one that is there, one that is no database: nothing is made of them."""
    new = tmp_path / "new.db"
    with pytest.raises(StoreAbsent):
        list(salvage(tmp_path / "none.db", new))
    with pytest.raises(StoreError, match="there already"):
        list(salvage(database, database))
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and longer than its header would be" * 20)
    with pytest.raises(StoreForeign):
        list(salvage(text, new))


def test_the_command(database: Path, tmp_path: Path) -> None:
    """Exit 0 where nothing was lost, 1 where something was, 2 where nothing could be done."""

    def run(*args: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["salvage", *map(str, args)])
        assert "Traceback" not in result.output
        return result.exit_code, result.stdout

    code, text = run(database, tmp_path / "a.db")
    assert (code, "everything was copied" in text) == (0, True)
    overwrite(database, leaves(database, "commits")[2])
    code, text = run(database, tmp_path / "b.db", "--json")
    assert code == 1
    told = json.loads(text)
    assert (told["schema"], told["whole"]) == ("milepost.salvage/1", False)
    code, text = run(database, tmp_path / "c.db")
    assert (code, "what was lost" in text) == (1, True)
    assert run(database, tmp_path / "c.db")[0] == 2
