"""What is a PostgreSQL store's own: how it is opened, one round trip a record, lost connections."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from milepost import ItemEvent, StateManager, StateStore
from milepost.cli import main
from milepost.errors import (
    CommitUnknown,
    LeaseHeld,
    StoreAbsent,
    StoreError,
    StoreForeign,
    StoreNewer,
    StoreReadOnly,
)
from milepost.state.persistence import open_store
from milepost.stores.postgres.clock import ServerClock
from milepost.stores.postgres.schema import VERSION
from milepost.stores.postgres.sessions import duration, setting_up
from milepost.stores.postgres.store import PostgresStore
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.proxy import Cut, Proxy

pytestmark = needs_postgres


@pytest.fixture
def url(postgres: str) -> str:
    """An address where nothing is yet."""
    return new_url(postgres)


@pytest.fixture
def proxy(url: str, tmp_path: Path) -> Iterator[Proxy]:
    """A way to the server that can be cut, at the next that is asked of it."""
    opened = Proxy(url, tmp_path)
    yield opened
    opened.close()


def of(url: str) -> tuple[str, str]:
    """The server's URL and the schema."""
    server, _, schema = url.partition("&schema=")
    return server, schema


def begun(manager: StateManager, items: int = 20) -> None:
    manager.create_job([f"{n}" for n in range(items)], job_id="j")
    manager.fire("j", "start_map")


def test_nothing_is_made_unless_it_may_be(url: str) -> None:
    """A schema that is not there is absent; one that was made is opened by anybody."""
    with pytest.raises(StoreAbsent, match="schema"):
        open_store(url, create=False)
    with pytest.raises(StoreAbsent):
        open_store(url, read_only=True)
    open_store(url).close()
    with StateManager.open(url, create=False) as manager:
        assert manager.upkeep.store_format().version == VERSION


def test_a_schema_of_others_is_left_alone(url: str) -> None:
    """Whatever it holds; and one of a later version is not touched either."""
    server, schema = of(url)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        with pytest.raises(StoreForeign, match="not of Milepost"):
            open_store(url)
        connection.execute(f"COMMENT ON SCHEMA {schema} IS 'milepost 99'".encode())
        with pytest.raises(StoreNewer, match="99"):
            open_store(url)
        found = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = %s", (schema,)
        ).fetchone()
    assert found == (0,)


def test_a_schema_that_was_made_for_us_is_taken(url: str) -> None:
    """By somebody who may make one, for a role that may not; it says so in its comment."""
    server, schema = of(url)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS jobs_only")
        connection.execute("CREATE ROLE jobs_only LOGIN")
        connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION jobs_only".encode())
        connection.execute(f"COMMENT ON SCHEMA {schema} IS 'milepost 0'".encode())
    with StateManager.open(url.replace("//postgres:@", "//jobs_only@")) as manager:
        begun(manager)
        assert manager.verify("j")[0].sound
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
        connection.execute("DROP ROLE jobs_only")


def test_a_database_whose_texts_are_bytes_is_refused(postgres: str, url: str) -> None:
    """Ids of jobs are compared by their characters."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bytes_only")
        connection.execute(
            "CREATE DATABASE bytes_only ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
        )
    with pytest.raises(StoreForeign, match="UTF8"):
        open_store(url.replace("/postgres?", "/bytes_only?"))


def test_many_that_open_at_once_make_one_schema(url: str) -> None:
    """The others wait for the first, and find it made."""
    opened: list[StateStore] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    with opened[0].writing() as writer:
        writer.add_job("one", 1, "digest")
    for store in opened:
        with store.reading() as reader:
            assert reader.has_job("one")
        store.close()


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: Path) -> None:
    """Where it was looked for is told, and no secret."""
    with pytest.raises(StoreError, match=r"cannot be reached .*see the URL") as caught:
        open_store(f"postgresql://me:SECRET-1@/db?host={tmp_path}")
    assert "SECRET-1" not in str(caught.value)
    assert "me@" in str(caught.value)


def test_an_address_that_the_driver_does_not_take_is_said(url: str) -> None:
    """A slip in a parameter, a database that is not there."""
    with pytest.raises(StoreError, match=r"keepalive_idle.*see the parameters"):
        open_store(f"{url}&keepalive_idle=3")
    with pytest.raises(StoreError, match=r"nosuch.*see the URL"):
        open_store(url.replace("/postgres?", "/nosuch?"))


def test_one_that_is_read_only_writes_nothing(url: str) -> None:
    """And reads all that is there."""
    with StateManager.open(url) as manager:
        begun(manager)
    with StateManager.open(url, read_only=True) as reader:
        assert reader.get_state("j").phase == "map"
        with pytest.raises(StoreReadOnly):
            reader.fire("j", "cancel")


def test_a_record_is_one_round_trip(proxy: Proxy) -> None:
    """Once the job is known: the statement, its commit and the look that nobody wrote."""
    with StateManager.open(proxy.url) as manager:
        begun(manager)
        for n in range(8):  # what is run often is prepared by the server, once
            manager.record("j", [ItemEvent(n, "start")])
        before = proxy.trips
        for n in range(8, 18):
            manager.record("j", [ItemEvent(n, "start")])
        assert proxy.trips - before == 10


def test_whoever_was_overtaken_looks_again_and_decides_anew(proxy: Proxy, url: str) -> None:
    """The statement refuses what relied on an older end of the log."""
    with StateManager.open(proxy.url) as one, StateManager.open(url) as other:
        begun(one)
        one.record("j", [ItemEvent(0, "start")])
        for n in range(1, 20):
            (other if n % 2 else one).record("j", [ItemEvent(n, "start")])
        assert one.get_state("j") == other.get_state("j")
        assert one.get_state("j").progress.running == 20
        assert one.verify("j")[0].sound


@pytest.mark.parametrize("cut", ["before", "after", "told"])
def test_a_connection_that_is_lost_in_a_commit_is_settled(proxy: Proxy, url: str, cut: Cut) -> None:
    """What took place is said to have, what did not is an error; neither is there twice."""
    with StateManager.open(proxy.url) as manager, StateManager.open(url) as witness:
        begun(manager)
        for n in range(2, 10):  # so that each connection has the statement prepared
            manager.record("j", [ItemEvent(n, "start")])
        proxy.cut = cut
        if cut != "before":
            assert manager.record("j", [ItemEvent(1, "start")]).progress.running == 9
        else:
            with pytest.raises(CommitUnknown, match=r"nothing of it was written|not there now"):
                manager.record("j", [ItemEvent(1, "start")])
            assert witness.get_state("j").progress.running == 8
            manager.record("j", [ItemEvent(1, "start")])
        assert witness.get_state("j").progress.running == 9
        assert witness.get_state("j").seq == 2 + 9
        assert witness.verify("j")[0].sound


def test_leases_go_by_the_time_of_the_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two drivers whose clocks are an hour apart: neither takes the other for dead, or for alive.

    That the machines differ is what their steady times say; the wall clock is not asked.
    """
    with StateManager.open(url) as one:
        begun(one)
        steady_us = [0]
        store = open_store(url)
        assert isinstance(store, PostgresStore)
        heard_us = store.clock.now_us()
        store.clock = ServerClock(store.clock.timeline() or "", lambda: steady_us[0] * 1000)
        store.clock.heard(heard_us)
        monkeypatch.setattr("time.time_ns", lambda: 3_600_000_000_000)
        with StateManager(store) as other, one.lease("j", ttl_s=30.0, renewed=False):
            with pytest.raises(LeaseHeld) as caught, other.lease("j", "other", renewed=False):
                pass
            assert 0 < caught.value.left_s <= 30
            assert abs(one.now_us() - heard_us) < 60_000_000
        assert other.url == one.url


FORKING = """
import os, sys
from milepost import ItemEvent, StateManager
from milepost.errors import StoreForked

with StateManager.open(sys.argv[1]) as manager:
    manager.record("j", [ItemEvent(0, "start")])
    if os.fork() == 0:
        try:
            manager.get_state("j")
        except StoreForked:
            sys.exit(7)  # as a program ends: all that is registered for that is done
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
    for n in range(1, 5):
        manager.record("j", [ItemEvent(n, "start")])
    print(manager.get_state("j").progress.running)
"""


def test_a_child_of_a_fork_ends_without_ending_its_parents_sessions(url: str) -> None:
    """It is refused, and when it exits it says nothing on connections that are not its own."""
    with StateManager.open(url) as manager:
        begun(manager)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_the_time_of_a_server_never_falls() -> None:
    """Whatever its answers say."""
    steady_us = [5]
    clock = ServerClock("server", lambda: steady_us[0] * 1000)
    clock.heard(1_000)
    assert (clock.now_us(), clock.monotonic_us()) == (1_000, 1_000)
    steady_us[0] += 10
    assert clock.now_us() == 1_010
    clock.heard(900)
    assert clock.now_us() == 1_010
    steady_us[0] += 200
    assert clock.now_us() == 1_100
    assert clock.timeline() == "server"


def test_one_thread_that_records_keeps_to_one_session(url: str) -> None:
    """However many there are: the one that came back last goes first."""
    with StateManager.open(url) as manager:
        begun(manager)
        with manager._store.reading(), manager._store.reading():
            manager.get_state("j")  # so that there are three
        for item in range(20):
            manager.record("j", [ItemEvent(item, "start")])
        server, schema = of(url)
        with psycopg.connect(server, autocommit=True) as connection:
            sessions = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s",
                (f"SELECT {schema}.append_one%",),
            ).fetchone()
        assert sessions == (1,)


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.05, 1.5, 30, 60, 5_400, 86_400, 1e9])
def test_a_time_to_wait_is_told_as_the_server_shows_it(postgres: str, seconds: float) -> None:
    """So that an append finds its session as it would set it."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        setting_up("", "off", duration(seconds), ours=True)(connection)
        found = connection.execute("SHOW lock_timeout").fetchone()
    assert found == (duration(seconds),)


def test_a_vacuum_on_a_server_needs_no_room(url: str) -> None:
    """Only a file is written anew."""
    StateManager.open(url).close()
    told = CliRunner().invoke(main, ["gc", "--apply", "--vacuum", "--db", url])
    assert (told.exit_code, "room for it twice" in told.output) == (0, False)


def test_a_warning_of_the_server_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """As of a commit whose wait for a standby was ended; what is no warning is not."""
    server, schema = of(url)
    with StateManager.open(url) as manager, psycopg.connect(server, autocommit=True) as connection:
        begun(manager)
        connection.execute(
            f"CREATE FUNCTION {schema}.warns() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE WARNING 'mind the gap'; RAISE NOTICE 'never mind'; RETURN NEW; END $$;"
            f" CREATE TRIGGER warns AFTER INSERT ON {schema}.commits"
            f" FOR EACH ROW EXECUTE FUNCTION {schema}.warns()".encode()
        )
        caplog.clear()
        manager.record("j", [ItemEvent(0, "start")])
    said = [record.getMessage() for record in caplog.records if record.name == "milepost.store"]
    assert [text.partition(": PostgreSQL: ")[2] for text in said] == ["mind the gap"]
