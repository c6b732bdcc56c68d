"""What is done to a store while its medium fails: stories of small steps, each of them one call."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import apsw

from milepost import ItemEvent, JobEvent, Lease, RetentionPolicy, StateManager, Write
from milepost.errors import ItemKeyDuplicate
from milepost.machine import MilepostError
from milepost.state.writing import lease as leases
from milepost.stores.sqlite.store import Durability, SqliteStore
from milepost.testing import FakeClock
from tests.crash.power.judge import COPY, DATABASE, new_clock
from tests.integrity.sample import make
from tests.stores.make import FOLDER as STORES

_STREAMED = 2500


@dataclass
class Life:
    """One process that works with the store in `folder`, through the VFS of that name."""

    folder: Path
    vfs: str | None
    durability: Durability = "full"
    clock: FakeClock = field(default_factory=new_clock)
    held: dict[str, AbstractContextManager[Lease]] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    _manager: StateManager | None = None
    store: SqliteStore | None = None

    @property
    def manager(self) -> StateManager:
        assert self._manager is not None, "it was opened"
        return self._manager

    def open(self) -> None:
        self.store = SqliteStore(
            self.folder / DATABASE, vfs=self.vfs, durability=self.durability, busy_timeout_s=0.2
        )
        self._manager = StateManager(self.store, clock=self.clock)

    def close(self) -> None:
        if self._manager is not None:
            self._manager.close()

    def let_go(self) -> None:
        """Forget the leases of a process that is gone: its contexts end with nobody to write to."""
        for held in self.held.values():
            with suppress(MilepostError, StopIteration):
                held.__exit__(None, None, None)

    def take(self, job_id: str) -> None:
        self.held[job_id] = self.manager.lease(job_id, "worker", renewed=False)
        self.leases[job_id] = self.held[job_id].__enter__()

    def renew(self, job_id: str) -> None:
        assert leases.renew(self.manager._loader, self.leases[job_id], self.manager._observer)

    def give_back(self, job_id: str) -> None:
        self.held[job_id].__exit__(None, None, None)


class Step(NamedTuple):
    """One call; when it has returned, all that it was to do is acknowledged.

    `again` says whether it can be done again after it was refused; `parts`, that it is more than
    one commit, of which some may stay when it is; `moves`, that what is stored then is stored
    elsewhere the next time.
    """

    name: str
    do: Callable[[Life], object]
    again: bool = True
    parts: bool = False
    moves: bool = False


class Story(NamedTuple):
    """Steps, on a folder that `prepare` has laid out before."""

    name: str
    prepare: Callable[[Path], None]
    steps: tuple[Step, ...]


OPEN = Step("open", lambda life: life.open())
CLOSE = Step("close", lambda life: life.close())


def _items(prefix: str, count: int) -> dict[str, object]:
    return {f"{prefix}/{n:03}": {"n": n, "text": "what to do " * (n % 3)} for n in range(count)}


def _start(job_id: str, *ordinals: int) -> Step:
    events = [ItemEvent(n, "start") for n in ordinals]
    return Step(f"start {job_id}", lambda life: life.manager.record(job_id, events))


def _succeed(job_id: str, *ordinals: int) -> Step:
    events = [ItemEvent(n, "succeed", {"result": [n, "found " * 9]}) for n in ordinals]
    return Step(f"record {job_id}", lambda life: life.manager.record(job_id, events))


def _fire(job_id: str, event: str, payload: dict[str, object] | None = None) -> Step:
    return Step(f"{event} {job_id}", lambda life: life.manager.fire(job_id, event, payload))


def _create(job_id: str, count: int) -> Step:
    return Step(
        f"create {job_id}",
        lambda life: life.manager.create_job(_items(job_id, count), job_id=job_id),
    )


def _group(life: Life) -> None:
    """Many callers' writes for two jobs, in one commit of the store."""
    writes = [
        *(Write("j", [ItemEvent(n, "start")]) for n in (6, 7, 8)),
        Write("k", [JobEvent("start_map")]),
        *(Write("k", [ItemEvent(n, "start")]) for n in (0, 1)),
    ]
    for answer in life.manager.write_each(writes):
        if isinstance(answer, Exception):
            raise answer


def _nothing(_: Path) -> None:
    pass


A_JOB = Story(
    "a job",
    _nothing,
    (
        OPEN,
        _create("j", 9),
        _create("k", 2),
        _fire("j", "start_map"),
        Step("lease", lambda life: life.take("j")),
        _start("j", 0),
        _succeed("j", 0),
        Step("later", lambda life: life.clock.advance(1)),
        Step("renew", lambda life: life.renew("j")),
        _start("j", 1, 2, 3),
        _succeed("j", 1, 2),
        Step("checkpoint", lambda life: life.manager.create_checkpoint("j")),
        Step(
            "fail",
            lambda life: life.manager.record(
                "j", [ItemEvent(3, "fail", {"cause": "error", "message": "HTTP 500"})]
            ),
        ),
        Step("group", _group),
        _succeed("j", 6, 7),
        Step("add", lambda life: life.manager.add_items("j", _items("added", 4))),
        Step("give back", lambda life: life.give_back("j"), again=False),
        CLOSE,
        OPEN,
        _succeed("k", 0, 1),
        _fire("k", "finish_map"),
        _fire("k", "finish_reduce", {"result": {"sum": 1}}),
        CLOSE,
    ),
)


def _worked(folder: Path) -> None:
    with StateManager.open(folder / DATABASE, clock=new_clock()) as manager:
        work(manager)


def work(manager: StateManager) -> None:
    """A job of many small commits, one that is finished, and one to be deleted, in any store."""
    manager.create_job(_items("w", 8), job_id="w", config={"max_attempts": 1})
    manager.fire("w", "start_map")
    for n in range(4):
        manager.record("w", [ItemEvent(n, "start")])
        manager.record("w", [ItemEvent(n, "succeed", {"result": "r" * 100 * n})])
    manager.create_checkpoint("w")
    manager.record("w", [ItemEvent(4, "start")])
    manager.record("w", [ItemEvent(4, "fail", {"cause": "error", "message": "no"})])
    manager.create_job(_items("old", 60), job_id="old")
    manager.fire("old", "start_map")
    manager.record("old", [ItemEvent(n, "start") for n in range(60)])
    manager.record("old", [ItemEvent(n, "succeed", {"result": "o" * 150}) for n in range(60)])
    manager.fire("old", "cancel")


def _collect(life: Life) -> None:
    plan = life.manager.plan_retention(RetentionPolicy())
    life.manager.collect(plan, batch_rows=3, rest=lambda: None)
    assert life.manager.job_ids() == ["f", "w"]


def _rewind(life: Life) -> None:
    life.manager.apply(life.manager.plan_rewind("w", 6))


UPKEEP = Story(
    "upkeep",
    _worked,
    (
        OPEN,
        Step("compact", lambda life: life.manager.compact("w"), parts=True),
        Step("requeue", lambda life: life.manager.requeue("w")),
        Step("fork", lambda life: life.manager.fork("w", seq=8, new_job_id="f")),
        Step("rewind", _rewind),
        _start("f", 5),
        Step("keep", lambda life: life.manager.keep("f", for_=timedelta(days=400))),
        Step("much later", lambda life: life.clock.advance(90 * 86400)),
        Step("collect", _collect, parts=True),
        Step("vacuum", lambda life: life.manager.vacuum()),
        _start("w", 5),
        CLOSE,
    ),
)


def _broken_off(life: Life) -> None:
    """A long list that turns out to have a key twice: what was staged of it is taken away."""
    keys = [f"twice/{n}" for n in range(_STREAMED)]
    try:
        life.manager.create_job([*keys, keys[0]], job_id="t")
    except ItemKeyDuplicate:
        return
    raise AssertionError("it was refused")


STREAMED = Story(
    "streamed",
    _nothing,
    (
        OPEN,
        Step(
            "create s",
            lambda life: life.manager.create_job(
                (f"item {n}" for n in range(_STREAMED)), job_id="s"
            ),
            moves=True,
        ),
        Step("broken off", _broken_off, moves=True),
        Step(
            "add s",
            lambda life: life.manager.add_items("s", (f"more {n}" for n in range(_STREAMED))),
            moves=True,
        ),
        _fire("s", "start_map"),
        _start("s", *range(2000)),
        CLOSE,
    ),
)


def _damaged(folder: Path) -> None:
    """A store whose newest lease is lost and whose log breaks off in the middle of a job."""
    make(folder / DATABASE)
    connection = apsw.Connection(str(folder / DATABASE))
    triggers = list(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type='trigger'"))
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("UPDATE commits SET head = x'5b5d' WHERE job = 1 AND seq = 6")
    connection.execute("DELETE FROM leases WHERE job = 2")
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


REPAIR = Story(
    "repair",
    _damaged,
    (
        OPEN,
        Step("repair first", lambda life: life.manager.repair("first", apply=True)),
        Step("repair second", lambda life: life.manager.repair("second", apply=True)),
        _start("first", 30),
        CLOSE,
    ),
)

BACKUP = Story(
    "backup",
    _worked,
    (
        OPEN,
        Step("back up", lambda life: life.manager.back_up(life.folder / COPY)),
        _start("w", 5),
        CLOSE,
    ),
)


def _kept(file: Path) -> Story:
    """The store of an old format, opened, worked with, and written anew as a whole."""
    return Story(
        f"migrate {file.stem}",
        lambda folder: shutil.copyfile(file, folder / DATABASE) and None,
        (
            OPEN,
            _fire("waiting", "start_map"),
            Step("vacuum", lambda life: life.manager.vacuum()),
            _start("waiting", 0),
            CLOSE,
        ),
    )


def taken_up(files: Mapping[str, bytes]) -> Story:
    """What a cut has left, opened and worked with: a second cut may come then."""

    def prepare(folder: Path) -> None:
        for name, data in files.items():
            (folder / name).write_bytes(data)

    return Story(
        "taken up", prepare, (OPEN, _create("again", 2), _fire("again", "start_map"), CLOSE)
    )


STORIES: tuple[Story, ...] = (
    A_JOB,
    UPKEEP,
    STREAMED,
    REPAIR,
    BACKUP,
    *(_kept(file) for file in sorted(STORES.glob("format-*.sqlite3"))),
)
