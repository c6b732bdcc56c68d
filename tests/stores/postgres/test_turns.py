"""A lock for each job: who writes for one keeps no other waiting, and whoever wants all waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest

from milepost import ItemEvent, RetentionPolicy, StateManager
from milepost.errors import JobExists, StoreLocked
from milepost.log.rows import StoredKeep
from milepost.stores.postgres.address import address_of
from milepost.stores.postgres.store import PostgresStore
from milepost.stores.protocol import StateStore
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.test_store import of

pytestmark = needs_postgres


@pytest.fixture
def url(postgres: str) -> str:
    return new_url(postgres)


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """A store with the jobs a and b."""
    with StateManager.open(url) as manager:
        for job_id in "ab":
            manager.create_job(["one", "two"], job_id=job_id)
            manager.fire(job_id, "start_map")
    opened = PostgresStore(address_of(url))
    yield opened
    opened.close()


@pytest.fixture
def impatient(url: str) -> Iterator[StateManager]:
    """Somebody else who waits for nothing."""
    with StateManager.open(url, busy_timeout_s=0.001) as manager:
        yield manager


def held_up(act: Callable[[], object]) -> bool:
    """True if others keep it waiting; what else goes wrong is raised."""
    try:
        act()
    except StoreLocked:
        return True
    return False


def writes(store: StateStore, *jobs: str) -> Callable[[], None]:
    def act() -> None:
        with store.writing(*jobs):
            pass

    return act


def test_a_writer_for_one_job_keeps_no_other_waiting(
    store: PostgresStore, impatient: StateManager
) -> None:
    """Neither who makes, leases, records, keeps or deletes, nor who looks."""
    with store.writing("a"):
        impatient.create_job(["one"], job_id="c")
        with impatient.lease("b", renewed=False):
            impatient.record("b", [ItemEvent(0, "start")])
        impatient.create_checkpoint("b")
        impatient.keep("b", for_=None, reason="it is needed")
        impatient.fire("c", "cancel")
        impatient.fork("b", 2, new_job_id="d")
        policy = RetentionPolicy(cancelled=timedelta(0), tombstones=None)
        impatient.collect(impatient.plan_retention(policy))
        assert list(impatient.job_ids()) == ["a", "b", "d"]
        assert impatient.get_state("a").phase == "map"


@pytest.mark.parametrize("jobs", [("a",), ("b", "a"), ()], ids=["one", "both", "all"])
def test_a_writer_keeps_those_of_its_jobs_waiting(
    store: PostgresStore, impatient: StateManager, jobs: tuple[str, ...]
) -> None:
    """Appends, which take no lock of their own, among them; and whoever wants the whole store."""
    others = impatient._store
    with store.writing(*jobs):
        assert held_up(lambda: impatient.record("a", [ItemEvent(0, "start")]))
        assert held_up(lambda: impatient.create_checkpoint("a"))
        assert held_up(writes(others, "a"))
        assert held_up(writes(others, "c", "a"))
        assert held_up(writes(others))
        assert held_up(writes(others, "c")) == (not jobs), "a job of which nobody writes"
    assert not held_up(lambda: impatient.record("a", [ItemEvent(0, "start")]))


def test_a_writer_for_all_waits_for_those_of_one(
    store: PostgresStore, impatient: StateManager
) -> None:
    """And has every job to itself then."""
    with impatient._store.writing("b"):
        waiting = PostgresStore(address_of(store.url), busy_timeout_s=0.001)
        assert held_up(writes(waiting))
        waiting.close()
    with store.writing() as writer:
        b = writer.job("b")
        assert b is not None
        assert held_up(lambda: impatient.record("b", [ItemEvent(0, "start")]))
        writer.put_keep(b.number, StoredKeep(None, "all", 0))


def test_a_job_is_made_once(url: str, store: PostgresStore) -> None:
    """Who comes second waits for the first, whose job nobody sees yet, and then finds it."""
    refused: list[JobExists] = []

    def second() -> None:
        with StateManager.open(url) as manager:
            try:
                manager.create_job(["mine"], job_id="new")
            except JobExists as error:
                refused.append(error)

    thread = threading.Thread(target=second)
    with store.writing("new") as writer:
        job = writer.add_job("new", 1, "0" * 64)
        thread.start()
        wait_for_waiters(url)
        writer.put_keep(job.number, None)
    thread.join()
    assert [error.job_id for error in refused] == ["new"]


def test_jobs_are_locked_in_one_order(url: str, store: PostgresStore) -> None:
    """Writers for the same jobs, named the other way round, take turns."""
    gate = threading.Barrier(2)
    done: list[str] = []

    def act(*jobs: str) -> None:
        opened = PostgresStore(address_of(url))
        for _ in range(20):
            gate.wait()
            with opened.writing(*jobs):
                done.append(jobs[0])
        opened.close()

    threads = [threading.Thread(target=act, args=jobs) for jobs in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["a"] * 20 + ["b"] * 20
    assert store.url


def wait_for_waiters(url: str) -> None:
    """Return once somebody waits for a lock: the server says so."""
    server, _ = of(url)
    ask = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(server, autocommit=True) as connection:
        for _ in range(100_000):
            if connection.execute(ask).fetchone() != (0,):
                return
    raise AssertionError("nobody came to wait")
