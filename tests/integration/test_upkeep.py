"""The operator's object: safe without `apply`, the same by its older names, awaited as well."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import AsyncStateManager, AsyncUpkeep, JobImport, StateManager, Upkeep
from milepost.testing import FakeClock
from tests.integration.legacy.old_homes import JOB, MadeItem, job_state, write_state

CHANGING: dict[str, Callable[..., Any]] = {
    "compact": lambda upkeep, **how: upkeep.compact("long", **how),
    "repair": lambda upkeep, **how: upkeep.repair("damaged", **how),
    "strays": lambda upkeep, **how: upkeep.strays(**how),
    "import_jobs": lambda upkeep, **how: upkeep.import_jobs("old", **how),
    "move": lambda upkeep, **how: upkeep.move("other.db", job_id="long", **how),
}
"""The methods that change stored rows, each with something to do in the store below."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job with many small commits, a damaged one, one without its entry, and an old home."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path, clock=FakeClock(), durability="process") as manager:
        for job_id, rounds in (("stray", 2), ("damaged", 8), ("long", 40)):
            manager.create_job(["a"], job_id=job_id)
            for _ in range(rounds):
                manager.fire(job_id, "pause")
                manager.fire(job_id, "resume")
        manager.fire("long", "cancel")
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
    damaged, stray = (
        connection.execute("SELECT number FROM jobs WHERE job_id = ?", (job_id,)).get
        for job_id in ("damaged", "stray")
    )
    connection.execute("UPDATE commits SET head = x'5b5d' WHERE job = ? AND seq = 9", (damaged,))
    connection.execute("DELETE FROM jobs WHERE number = ?", (stray,))
    connection.close()
    monkeypatch.chdir(tmp_path)
    write_state(tmp_path / "old", job_state([MadeItem(value=1)]))
    return path


def rows(path: Path) -> dict[str, list[Any]]:
    """All that the file holds."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    wanted = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    tables = [name for (name,) in connection.execute(wanted)]
    return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


@pytest.mark.parametrize("name", CHANGING)
def test_without_apply_nothing_changes(name: str, store: Path) -> None:
    """The answer is what there is to do; with `apply` it is done, and there is less to do."""
    ask = CHANGING[name]
    before = rows(store)
    with StateManager.open(store, clock=FakeClock()) as manager:
        planned = ask(manager.upkeep)
        assert rows(store) == before
        assert ask(manager.upkeep, apply=False) == planned
        done = ask(manager.upkeep, apply=True)
        assert rows(store) != before
        assert ask(manager.upkeep) != planned
    assert done or planned


def test_every_method_that_can_be_tried_is_tried() -> None:
    """And none has another word for it, or does it unasked."""
    methods = dict(inspect.getmembers(Upkeep, inspect.isfunction))
    taking = {
        name: inspect.signature(method).parameters["apply"].default
        for name, method in methods.items()
        if "apply" in inspect.signature(method).parameters
    }
    # A log that was taken in is refused the second time: tests of log files try it.
    assert taking == dict.fromkeys([*CHANGING, "import_log"], False)
    assert not any("dry_run" in inspect.signature(method).parameters for method in methods.values())


OLDER: dict[str, tuple[Callable[[StateManager], Any], Callable[[StateManager], Any]]] = {
    "stored_ids": (lambda m: m.stored_ids(), lambda m: m.upkeep.stored_ids()),
    "check_store": (lambda m: m.check_store(), lambda m: m.upkeep.check_store()),
    "store_format": (lambda m: m.store_format(), lambda m: m.upkeep.store_format()),
    "back_up": (lambda m: m.back_up("1.db"), lambda m: m.upkeep.back_up("2.db")),
    "vacuum": (lambda m: m.vacuum().how, lambda m: m.upkeep.vacuum().how),
    "compact": (
        lambda m: m.compact("long", dry_run=True),
        lambda m: m.upkeep.compact("long"),
    ),
    "repair": (lambda m: m.repair("damaged"), lambda m: m.upkeep.repair("damaged")),
    "list_strays": (lambda m: m.list_strays(), lambda m: m.upkeep.strays()),
    "quarantine": (
        lambda m: (m.set_strays_aside(), list(m.quarantine()))[1],
        lambda m: list(m.upkeep.quarantine()),
    ),
    "import_jobs": (
        lambda m: m.import_jobs("old", dry_run=True),
        lambda m: m.upkeep.import_jobs("old"),
    ),
}


@pytest.mark.parametrize("name", OLDER)
def test_an_older_name_gives_the_same(name: str, store: Path) -> None:
    old, new = OLDER[name]
    with StateManager.open(store, clock=FakeClock()) as manager:
        answer = old(manager)
        assert answer == new(manager)
        assert answer or name == "back_up"


def test_older_names_keep_their_defaults(store: Path) -> None:
    """`compact` and `import_jobs` do it unless they are told not to, as they always did."""
    with StateManager.open(store, clock=FakeClock()) as manager:
        assert manager.compact("long").rows > 0
        assert manager.upkeep.compact("long").rows == 0
        [done] = manager.import_jobs("old").jobs
        assert isinstance(done, JobImport)
        assert JOB in manager.job_ids()
        assert manager.repair("damaged").applied is False


def test_it_is_awaited_too(store: Path) -> None:
    async def run() -> None:
        async with await AsyncStateManager.open(store, clock=FakeClock()) as manager:
            upkeep = manager.upkeep
            assert isinstance(upkeep, AsyncUpkeep)
            planned = await upkeep.compact("long")
            done = await upkeep.compact("long", apply=True)
            assert (planned.rows, planned.dry_run, done.dry_run) == (done.rows, True, False)
            strays = await upkeep.strays(apply=True)
            assert strays
            assert len([row async for row in upkeep.quarantine()]) > 0
            assert await upkeep.strays() == []

    asyncio.run(run())
