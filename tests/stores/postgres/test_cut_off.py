"""A holder that is cut off from its server stops within its ttl, and says why."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from psycopg_pool import ConnectionPool, PoolTimeout

from milepost import Item, StateManager
from milepost.errors import StoreError
from milepost.executors import run
from milepost.state.persistence import open_store
from milepost.stores.postgres.address import address_of
from milepost.stores.postgres.lending import UNREACHED_S, Lending
from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.sessions import ONCE_S
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.proxy import Proxy

GONE = psycopg.OperationalError("connection refused")
FULL = psycopg.OperationalError("FATAL:  sorry, too many clients already")
TTL_S = float(inspect.signature(StateManager.lease).parameters["ttl_s"].default)
STOPS_S = TTL_S * 2 / 3
"""How soon a holder stops after the cut: its lease may have been renewed a third of it before."""


class FakePool:
    """A pool of which nothing comes but what is put in `free`; `waits` is what it was asked for."""

    timeout = 30.0

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.looked = 0
        self.free: list[Connection] = []

    def getconn(self, timeout: float | None = None) -> Connection:
        if self.free:
            return self.free.pop()
        self.waits.append(self.timeout if timeout is None else timeout)
        raise PoolTimeout

    def check(self) -> None:
        self.looked += 1


class Lent:
    """What a user of a pool has."""


def lending(pool: FakePool, *answers: psycopg.Error | None) -> Lending:
    """One whose attempts to connect end so, each in its turn."""
    told: Iterator[psycopg.Error | None] = iter(answers)
    return Lending(cast("ConnectionPool[Connection]", pool), 4, lambda: next(told))


def test_all_that_are_in_use_are_waited_for() -> None:
    """As long as the pool waits; that the server is there is found out on the way."""
    pool = FakePool()
    with pytest.raises(PoolTimeout):
        lending(pool, None).take()
    assert sum(pool.waits) == pool.timeout
    assert pool.looked == 1, "it may have rested after attempts that failed"


def test_a_server_that_cannot_be_reached_is_waited_for_once_and_briefly() -> None:
    """Until it can be reached again, which is asked at once."""
    pool = FakePool()
    lends = lending(pool, GONE, GONE, None)
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError, match="refused"):
            lends.take()
        assert pool.waits == [UNREACHED_S]
    pool.free.append(cast("Connection", Lent()))
    lends.take()
    assert pool.waits == [UNREACHED_S]


def test_a_server_that_is_full_is_waited_for_while_something_may_come_back() -> None:
    """Where this process has no connection of its own, nothing would."""
    pool = FakePool()
    lends = lending(pool, FULL, FULL)
    with pytest.raises(psycopg.OperationalError, match="too many"):
        lends.take()
    assert pool.waits == [UNREACHED_S]
    pool, mine = FakePool(), cast("Connection", Lent())
    pool.free.append(mine)
    lends = lending(pool, FULL)
    assert lends.take() is mine
    with pytest.raises(PoolTimeout):
        lends.take()
    assert sum(pool.waits) == pool.timeout


def test_what_is_waited_for_is_less_than_a_lease_is_good_for() -> None:
    """A peer that answers nothing; ending the process that had it, settling, giving back."""
    told = dict(parse_qsl(urlsplit(address_of("postgresql://host/jobs").conninfo).query))
    idle, between, count = (
        int(told[f"keepalives_{name}"]) for name in ("idle", "interval", "count")
    )
    silent_s = max(idle + between * count, int(told["tcp_user_timeout"]) / 1000)
    assert silent_s + ONCE_S + UNREACHED_S + ONCE_S + ONCE_S <= STOPS_S


@needs_postgres
def test_a_run_that_is_cut_off_stops_within_its_ttl(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had waited for a connection twice, once more to give the lease back, 30 s each."""
    proxy = Proxy(new_url(postgres), tmp_path)
    waits: list[float] = []
    cut: list[str] = []
    getconn = ConnectionPool.getconn

    def asked(pool: ConnectionPool[Any], timeout: float | None = None) -> Any:
        if not cut:
            return getconn(pool, timeout)
        waits.append(pool.timeout if timeout is None else timeout)
        return getconn(pool, 0.01)

    def cuts(item: Item) -> None:
        if not cut:
            cut.append(item.key)
            proxy.close()

    monkeypatch.setattr(ConnectionPool, "getconn", asked)
    with StateManager.open(proxy.url) as manager:
        manager.create_job([f"{n}" for n in range(9)], job_id="j")
        with pytest.raises(StoreError, match=r"cannot be reached|connection was lost"):
            run(manager, "j", cuts, executor=partial(ThreadPoolExecutor, 1))
    assert 0 < sum(waits) <= STOPS_S


@contextmanager
def role_without_room(postgres: str, name: str) -> Iterator[str]:
    """A role to which the server gives no connection, as where `max_connections` are in use."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0".encode())
        try:
            yield postgres.replace("//postgres:@", f"//{name}@")
        finally:
            connection.execute(f"DROP ROLE {name}".encode())


@needs_postgres
def test_a_server_that_has_no_connection_free_says_so(postgres: str) -> None:
    """It had read as if the URL were wrong."""
    with (
        role_without_room(postgres, "no_room") as url,
        pytest.raises(StoreError, match=r"no connection free .*fewer processes.*pooler"),
    ):
        open_store(new_url(url))
