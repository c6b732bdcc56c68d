"""How changes on a server are noticed: by a poll in any case, and sooner where a notice comes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.stores.postgres.address import Address, address_of
from milepost.stores.postgres.notices import Notices, watching
from tests.postgres import needs_postgres, new_url
from tests.server_page import Logins, page_sql, with_roles
from tests.stores.postgres.proxy import Proxy

LONG_S = 30.0
"""How long a test waits for what comes at once."""


class Rest:
    """The pause between two notices, which ends when the test says so, or the store is closed."""

    def __init__(self) -> None:
        self.over = threading.Semaphore(0)
        self.begun: queue.Queue[float] = queue.Queue()

    def __call__(self, closed: threading.Event, seconds: float) -> None:
        self.begun.put(seconds)
        while not closed.is_set() and not self.over.acquire(timeout=0.01):
            pass


@pytest.fixture
def rest() -> Rest:
    return Rest()


@pytest.fixture
def sent() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def notices(rest: Rest, sent: queue.Queue[str]) -> Iterator[Notices]:
    found = Notices(lambda: sent.put("look"), every_s=7.0, rest=rest)
    yield found
    found.close()


def test_many_commits_are_one_notice(notices: Notices, rest: Rest, sent: queue.Queue[str]) -> None:
    """The first is said at once; those in the pause after it together, when that is over."""
    notices.committed()
    assert rest.begun.get(timeout=LONG_S) == 7.0
    assert sent.qsize() == 1
    for _ in range(100):
        notices.committed()
    assert sent.qsize() == 1
    rest.over.release()
    rest.begun.get(timeout=LONG_S)
    assert sent.qsize() == 2
    rest.over.release()
    notices.committed()
    rest.begun.get(timeout=LONG_S)
    assert sent.qsize() == 3


def test_what_is_due_at_the_end_is_said(
    notices: Notices, rest: Rest, sent: queue.Queue[str]
) -> None:
    """Without the pause; and nothing is where nothing was committed since."""
    notices.committed()
    rest.begun.get(timeout=LONG_S)
    notices.committed()
    notices.close()
    assert sent.qsize() == 2
    notices.close()
    notices.committed()
    assert sent.qsize() == 2
    Notices(lambda: sent.put("never")).close()
    assert sent.qsize() == 2


@pytest.fixture
def logins(postgres: str) -> Logins:
    """A store with a job that is in its map phase."""
    made = with_roles(new_url(postgres), "none")
    with StateManager.open(made.writer) as manager:
        manager.create_job([f"{n}" for n in range(20)], job_id="j")
        manager.fire("j", "start_map")
    return made


def in_thread(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def wait_until_it_listens(server: str, after: object) -> object:
    """When the watcher asked last, once it has and hears the answer: not when it did `after`."""
    sql = (
        "SELECT query_start FROM pg_stat_activity WHERE usename = 'reader' AND state = 'idle'"
        " AND query LIKE %s"
    )
    with psycopg.connect(server, autocommit=True) as connection:
        for _ in range(100_000):
            row = connection.execute(sql, ("SELECT number, seq, digest%",)).fetchone()
            if row is not None and row[0] != after:
                return row[0]
    raise AssertionError("nobody watches")


@needs_postgres
def test_a_notice_wakes_a_watcher(postgres: str, logins: Logins) -> None:
    """One who reads alone; no time passes by its clock, so nothing else would."""
    address = address_of(logins.reader)
    frozen = partial(watching, nap=lambda _: None, clock=lambda: 0.0, poll_s=3600.0)
    with StateManager.open(logins.writer) as manager, frozen(address, "j") as wait:
        began = wait_until_it_listens(postgres, None)
        for n in range(3):
            thread = in_thread(lambda: wait(3600.0))
            began = wait_until_it_listens(postgres, began)
            manager.record("j", [ItemEvent(n, "start")])
            thread.join(LONG_S)
            assert not thread.is_alive()


@needs_postgres
def test_a_program_of_ones_own_hears_as_the_page_says(logins: Logins) -> None:
    """Of a record, which is one statement, and of a lease, which is a transaction."""
    server, _, schema = logins.reader.partition("&schema=")
    (listen,) = page_sql("Watch from elsewhere", schema)
    with (
        psycopg.connect(server, autocommit=True) as connection,
        StateManager.open(logins.writer) as manager,
    ):
        connection.execute(listen.encode())
        with manager.lease("j", renewed=False):
            assert heard(connection) == (schema, "")
        manager.record("j", [ItemEvent(0, "start")])
        assert heard(connection) == (schema, "")


def heard(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[str, str] | None:
    for notice in connection.notifies(timeout=LONG_S, stop_after=1):
        return notice.channel, notice.payload
    return None


@needs_postgres
def test_a_change_without_a_notice_is_found_by_the_poll(logins: Logins) -> None:
    """As behind a pooler, and where the process died that would have sent it."""
    server, _, schema = logins.writer.partition("&schema=")
    looks = [0]

    def clock() -> float:
        looks[0] += 1
        if looks[0] == 5:
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"UPDATE {schema}.tips SET seq = seq + 1".encode())
        return 0.0

    address = address_of(logins.reader)
    with watching(address, "j", nap=lambda _: None, clock=clock, poll_s=0.01) as wait:
        wait(3600.0)
    assert looks[0] == 5


@needs_postgres
def test_where_nothing_changes_the_time_passes(logins: Logins) -> None:
    """And a notice of somebody's changes nothing about it: other jobs, or anybody at all."""
    at_s = [0.0]

    def clock() -> float:
        at_s[0] += 1.0
        return at_s[0]

    server, _, schema = logins.reader.partition("&schema=")
    address = address_of(logins.reader)
    with watching(address, "j", nap=lambda _: None, clock=clock, poll_s=0.01) as wait:
        with StateManager.open(logins.writer) as manager:
            manager.create_job(["a"], job_id="another")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("SELECT pg_notify(%s, 'anything')", (schema,))
        wait(50.0)
    assert at_s[0] > 50.0


@needs_postgres
def test_a_watcher_outlives_its_connection(logins: Logins, tmp_path: Path) -> None:
    """The time passes while the server cannot be asked, and then it is asked again."""
    proxy = Proxy(logins.reader, tmp_path)
    naps: list[float] = []
    try:
        address = address_of(proxy.url)
        with watching(address, "j", nap=naps.append, clock=lambda: 0.0, poll_s=0.01) as wait:
            proxy.cut = "before"
            wait(5.0)
            assert naps[-1] == 5.0
            with StateManager.open(logins.writer) as manager:
                manager.record("j", [ItemEvent(1, "start")])
            wait(5.0)
            assert naps[-1] < 1.0
    finally:
        proxy.close()
    nowhere = Address("", f"postgresql:///?host={tmp_path}", "none")
    with watching(nowhere, "j", nap=naps.append, clock=lambda: 0.0) as wait:
        wait(6.0)
    assert naps[-1] == 6.0


@needs_postgres
@pytest.mark.parametrize("pooler", [True, False])
def test_nobody_listens_behind_a_pooler(logins: Logins, tmp_path: Path, *, pooler: bool) -> None:
    """PgBouncer would have its connection to the server listen on, and warn of each notice."""
    proxy = Proxy(logins.reader, tmp_path, pooler=pooler)
    try:
        with watching(address_of(proxy.url), "j", nap=lambda _: None, poll_s=0.01) as wait:
            with StateManager.open(logins.writer) as manager:
                manager.record("j", [ItemEvent(1, "start")])
            for _ in range(10):
                wait(0.001)
    finally:
        proxy.close()
    assert proxy.listening is not pooler
    assert not proxy.prepared or not pooler


@needs_postgres
@pytest.mark.parametrize("command", ["watch", "history --follow"])
def test_commands_that_watch_hear_of_the_end(postgres: str, logins: Logins, command: str) -> None:
    """Long before they would look again by themselves."""
    ended: list[Result] = []
    name, *options = command.split()
    args = [name, "j", *options, "--interval", "3600", "--db", logins.reader]
    thread = in_thread(lambda: ended.append(CliRunner().invoke(main, args)))
    wait_until_it_listens(postgres, None)
    with StateManager.open(logins.writer) as manager:
        manager.fire("j", "cancel")
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert ended[0].exit_code == 0
    assert "cancel" in ended[0].stdout
