"""Somebody who reads slowly: nothing is held between steps, and what is read is of one moment."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import AsyncStateManager, ItemEvent, StateManager
from milepost.errors import JobAbsent, JobReplaced, LogCorrupt
from milepost.state.keeping.retention import RetentionPolicy
from milepost.state.reading.results import Order
from milepost.testing import FakeClock

ITEMS = 1500
ORDERS: tuple[Order, ...] = ("items", "recorded")
LIMIT_BYTES = 8 * 1024 * 1024


def result(ordinal: int) -> str:
    return f"result {ordinal}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with 1,000 results of a commit each, 200 dead letters, and items that still run."""
    path = tmp_path_factory.mktemp("slow") / "jobs.db"
    with StateManager.open(path, durability="process", clock=FakeClock()) as manager:
        keys = [f"k{n}" for n in range(ITEMS)]
        manager.create_job(keys, job_id="job", config={"max_attempts": 1})
        manager.fire("job", "start_map")
        manager.record("job", [ItemEvent(n, "start") for n in range(ITEMS)])
        for n in range(1000):
            manager.record("job", [ItemEvent(n, "succeed", {"result": result(n)})])
        failure = {"cause": "error", "message": "no"}
        dead = range(1000, 1200)
        manager.record("job", [ItemEvent(n, "fail", failure) for n in dead])
        manager.record("job", [ItemEvent(n, "give_up") for n in dead])
        with manager._store.writing() as writer:  # what two repairs might have set aside
            for _ in range(300):
                job = writer.add_job("lost", 1, "digest")
                writer.put_checkpoint(job.number, next(_checkpoints()))
                writer.set_aside(job.number, "checkpoints", job_id="lost", reason="test", at_us=1)
                writer.bury(job, 1, "test")
                writer.erase(job.number, 10, 10)
    return path


def _checkpoints() -> Iterator[Any]:
    from milepost.log.rows import StoredCheckpoint

    yield StoredCheckpoint(seq=1, at_us=1, reason="r", chain=b"", digest=b"", snapshot=b"x" * 99)


@pytest.fixture
def manager(made: Path, tmp_path: Path) -> Iterator[StateManager]:
    (tmp_path / "jobs.db").write_bytes(made.read_bytes())
    clock = FakeClock(1_800_000_000_000_000)
    with StateManager.open(tmp_path / "jobs.db", durability="process", clock=clock) as manager:
        yield manager


def held_back(path: Path) -> bool:
    """True if somebody in the middle of a transaction keeps the log from being begun anew."""
    connection = apsw.Connection(str(path))
    try:
        connection.execute("INSERT INTO retention VALUES (NULL, NULL, '', 0)")
        (busy,) = [row[0] for row in connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")]
        return bool(busy)
    finally:
        connection.close()


STREAMS: dict[str, Callable[[StateManager], Iterator[Any]]] = {
    "results": lambda manager: manager.results("job"),
    "results as recorded": lambda manager: manager.results("job", order="recorded"),
    "results of some": lambda manager: manager.results("job", ordinals=range(0, 1000, 2)),
    "dead letters": lambda manager: manager.dead_letters("job"),
    "quarantine": lambda manager: manager.quarantine(),
    "items": lambda manager: manager.get_state("job").inputs.entries(),
}


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_is_held_between_steps(manager: StateManager, tmp_path: Path, name: str) -> None:
    """Wherever the caller stops, the log can be begun anew; what follows is what it would be."""
    whole = list(STREAMS[name](manager))
    stream = STREAMS[name](manager)
    found = []
    for number, entry in enumerate(stream):
        found.append(entry)
        if number in (0, 70, 199):
            assert not held_back(tmp_path / "jobs.db")
    assert found == whole
    assert len(found) >= 200


def test_a_transaction_that_is_held_is_seen(manager: StateManager, tmp_path: Path) -> None:
    """The negative control of `held_back`."""
    with manager._store.reading() as reader:
        assert reader.job("job") is not None
        assert held_back(tmp_path / "jobs.db")
    assert not held_back(tmp_path / "jobs.db")


def test_coroutines_hold_nothing_either(manager: StateManager, tmp_path: Path) -> None:
    """The streams of AsyncStateManager are those of the manager."""

    async def read() -> int:
        count = 0
        shared = AsyncStateManager(manager)
        async for _ in shared.results("job"):
            count += 1
            if count in (1, 300, 600):
                assert not held_back(tmp_path / "jobs.db")
        async for _ in shared.dead_letters("job"):
            count += 1
            if count == 1001:
                assert not held_back(tmp_path / "jobs.db")
        return count

    assert asyncio.run(read()) == 1200


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_of_one_moment(manager: StateManager, order: Order) -> None:
    """What is recorded, rewound and compacted meanwhile changes nothing of what is given."""
    stream = manager.results("job", order=order)
    found = [next(stream) for _ in range(10)]
    manager.record("job", [ItemEvent(1300, "succeed", {"result": "later"})])
    other = StateManager.open(manager.url, durability="process", clock=FakeClock())
    found += [next(stream) for _ in range(70)]
    other.apply(other.plan_rewind("job", 50, reason="test"))
    assert other.get_state("job").progress.done == 47
    found += [next(stream) for _ in range(10)]
    other.fire("job", "cancel")
    assert other.compact("job").blocks > 0
    found += list(stream)
    assert found == [(f"k{n}", result(n)) for n in range(1000)]
    other.close()


@pytest.mark.parametrize("order", ORDERS)
def test_a_job_that_is_deleted_meanwhile(manager: StateManager, order: Order) -> None:
    """It is absent, or another has its id: never the results of that one."""
    first, second = manager.results("job", order=order), manager.results("job", order=order)
    assert next(first) == next(second) == ("k0", result(0))
    manager.fire("job", "cancel")
    clock: Any = manager._clock
    clock.advance(1000)
    policy = RetentionPolicy(cancelled=timedelta(seconds=1))
    assert manager.collect(manager.plan_retention(policy))
    with pytest.raises(JobAbsent) as gone:
        list(first)
    assert not isinstance(gone.value, JobReplaced)
    manager.create_job(["other"], job_id="job")
    with pytest.raises(JobReplaced, match="what is being read"):
        list(second)


def test_a_log_that_is_repaired_meanwhile(manager: StateManager) -> None:
    """Where its end was set aside, what was read before it is no state of it any more."""
    stream = manager.results("job")
    next(stream)
    with manager._store.writing() as writer:
        job = writer.job("job")
        assert job is not None
        writer.set_aside(job.number, "commits", job_id="job", reason="test", at_us=1, first=500)
    with pytest.raises(LogCorrupt, match="while it was read"):
        list(stream)
    with StateManager.open(manager.url, durability="process") as other:
        assert len(list(other.results("job"))) == 496


def test_what_could_be_read_is_given_before_an_error(manager: StateManager) -> None:
    """Reading ahead loses nothing that was read."""
    with manager._store.writing() as writer:
        connection = writer._connection
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        connection.execute("UPDATE commits SET body = x'00' WHERE id & 1048575 = 103")
    stream = manager.results("job")
    given = []
    with pytest.raises(LogCorrupt, match="commit 103"):
        given.extend(stream)
    assert given == [(f"k{n}", result(n)) for n in range(99)]


def test_the_log_is_bounded_and_cut(manager: StateManager, tmp_path: Path) -> None:
    """A reader that dawdles costs nothing; after one in a transaction the file is cut again."""
    wal = tmp_path / "jobs.db-wal"

    def write(first: int, last: int) -> int:
        for ordinal in range(first, last):
            large = {"result": os.urandom(60_000).hex()}
            manager.record("job", [ItemEvent(ordinal, "succeed", large)])
        return wal.stat().st_size

    stream = manager.results("job")
    next(stream)
    assert write(1200, 1320) < LIMIT_BYTES
    with manager._store.reading() as reader:
        assert reader.job("job") is not None
        assert write(1320, 1460) > LIMIT_BYTES  # the control
    assert write(1460, 1500) <= LIMIT_BYTES
    assert next(stream) == ("k1", result(1))


def test_little_is_read_ahead_of_what_is_large(tmp_path: Path) -> None:
    """A mebibyte at once, whatever the number of results."""
    with StateManager.open(tmp_path / "jobs.db", durability="process") as manager:
        manager.create_job([f"k{n}" for n in range(40)], job_id="job")
        manager.fire("job", "start_map")
        manager.record("job", [ItemEvent(n, "start") for n in range(40)])
        for n in range(40):
            large = os.urandom(300_000).hex()
            manager.record("job", [ItemEvent(n, "succeed", {"result": large})])
        del large
        for order in ORDERS:
            gc.collect()
            tracemalloc.start()
            try:
                assert sum(len(found) for _, found in manager.results("job", order=order)) > 2e7
                assert tracemalloc.get_traced_memory()[1] < 9e6
            finally:
                tracemalloc.stop()
