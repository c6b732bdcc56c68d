"""A store under what a role, a pooler or an operator may set: it works as before, or says why."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from milepost import Item, ItemEvent, JobState, StateManager
from milepost.errors import (
    CommitUnknown,
    StoreError,
    StoreReadOnly,
    StoreReplaced,
    StoreUnreadable,
    TransitionRefused,
)
from milepost.executors import run
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.proxy import Proxy

pytestmark = needs_postgres

_LANE = 12
"""So many items each of two threads records, in a commit each."""


@contextmanager
def role(postgres: str, **settings: str) -> Iterator[str]:
    """The URL of a new schema, for a role whose sessions begin with these settings."""
    url = new_url(postgres)
    schema = url.rpartition("=")[2]
    name = sql.Identifier(f"of_{schema}")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(name))
        for setting, value in settings.items():
            words = (name, sql.SQL(setting), sql.Literal(value))  # type: ignore[arg-type]
            connection.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(*words))
        yield url.replace("//postgres:@", f"//of_{schema}@")
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
        )
        connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


@pytest.mark.parametrize(
    "settings",
    [
        {"default_transaction_isolation": "serializable"},
        {"default_transaction_isolation": "repeatable read", "exit_on_error": "on"},
        {"client_encoding": "LATIN1"},
        {"client_encoding": "SQL_ASCII"},
        {
            "array_nulls": "off",
            "bytea_output": "escape",
            "datestyle": "SQL, DMY",
            "row_security": "off",
            "standard_conforming_strings": "off",
            "synchronous_commit": "off",
            "timezone": "Asia/Kathmandu",
        },
    ],
    ids="+".join,
)
def test_what_a_role_is_given_changes_nothing(postgres: str, settings: dict[str, str]) -> None:
    """Two managers record at once, refusals and texts of all the world among it."""
    with role(postgres, **settings) as url, StateManager.open(url) as one:
        one.create_job([f"ключ {n}" for n in range(2 * _LANE + 1)], job_id="j")
        one.fire("j", "start_map")
        one.record("j", [ItemEvent(0, "start")])
        one.record("j", [ItemEvent(0, "succeed", {"result": "日本\\x41'é"})])
        with one.lease("j", "Łukasz 日"), pytest.raises(TransitionRefused):
            one.fire("j", "start_reduce")
        met: list[BaseException] = []

        def record(manager: StateManager, first: int) -> None:
            try:
                for n in range(first, first + _LANE):
                    manager.record("j", [ItemEvent(n, "start")])
            except BaseException as error:  # noqa: BLE001
                met.append(error)

        with StateManager.open(url) as other:
            lanes = [(one, 1), (other, 1 + _LANE)]
            threads = [threading.Thread(target=record, args=lane) for lane in lanes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not met
        assert one.get_state("j").progress.running == 2 * _LANE
        assert dict(one.results("j")) == {"ключ 0": "日本\\x41'é"}
        assert one.verify("j")[0].sound


def test_many_make_one_schema_under_any_isolation(postgres: str) -> None:
    """Whoever waited for the first sees what it made, and is not bound by the role's patience."""
    settings = {"default_transaction_isolation": "serializable", "lock_timeout": "1ms"}
    with role(postgres, **settings) as url:
        opened: list[StateManager] = []
        threads = [
            threading.Thread(target=lambda: opened.append(StateManager.open(url))) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 5
        for manager in opened:
            manager.close()


def test_a_role_that_only_reads_is_told_so(postgres: str) -> None:
    """Nothing of ours lifts what its operator set."""
    with role(postgres, default_transaction_read_only="on") as url:
        with StateManager.open(f"{postgres}&schema={url.rpartition('=')[2]}") as writer:
            writer.create_job(["a"], job_id="j")
        with StateManager.open(url) as manager:
            assert manager.get_state("j").phase == "setup"
            with pytest.raises(StoreReadOnly, match="set to read only"):
                manager.fire("j", "start_map")


def test_a_session_that_the_server_ended_is_not_used_again(postgres: str) -> None:
    """It is noticed before anything is sent, so that nobody has to ask what became of it."""
    url = new_url(postgres)
    name = url.rpartition("=")[2]
    with StateManager.open(f"{url}&application_name={name}") as manager:
        manager.create_job([f"{n}" for n in range(4)], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(0, "start")])
        with psycopg.connect(postgres, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = %s",
                (name,),
            ).fetchall()
        assert ended
        assert set(ended) == {(True,)}
        assert manager.record("j", [ItemEvent(1, "start")]).progress.running == 2
        assert manager.verify("j")[0].sound


def test_behind_a_pooler_nothing_is_prepared_and_a_lost_commit_may_appear(
    postgres: str, tmp_path: Path
) -> None:
    """It makes the numbers of processes up, and may give each transaction another."""
    proxy = Proxy(new_url(postgres), tmp_path, pooler=True)
    try:
        with StateManager.open(proxy.url) as manager:
            manager.create_job([f"{n}" for n in range(10)], job_id="j")
            manager.fire("j", "start_map")
            for n in range(2, 10):
                manager.record("j", [ItemEvent(n, "start")])
            assert not proxy.prepared
            proxy.cut = "before"
            with pytest.raises(CommitUnknown) as caught:
                manager.record("j", [ItemEvent(1, "start")])
            assert caught.value.may_appear
            assert manager.record("j", [ItemEvent(1, "start")]).progress.running == 9
    finally:
        proxy.close()


def test_a_run_whose_server_was_set_back_says_so_and_the_next_goes_on(postgres: str) -> None:
    """By a restore, or by a standby that had less: it had waited for ever for what it had ended."""
    url = new_url(postgres)
    schema = sql.Identifier(url.rpartition("=")[2])
    back = sql.SQL(
        "LOCK TABLE {0}.tips IN EXCLUSIVE MODE; DELETE FROM {0}.commits WHERE seq > {1};"
        " UPDATE {0}.tips SET (seq, digest) ="
        " (SELECT seq, digest FROM {0}.commits ORDER BY seq DESC LIMIT 1)"
    )
    begun: list[int] = []
    called: list[str] = []

    def set_back_once(state: JobState) -> None:
        """To the first commit at which an item was under way, once two more were made."""
        if not begun and state.progress.running:
            begun.append(state.seq)
        if len(begun) == 1 and state.seq >= begun[0] + 2:
            with psycopg.connect(postgres) as connection:
                connection.execute(back.format(schema, sql.Literal(begun[0])))
            begun.append(state.seq)

    def called_with(item: Item) -> int:
        called.append(item.key)
        return int(item.key)

    with StateManager.open(url) as manager:
        manager.create_job([f"{n}" for n in range(90)], job_id="j")
        one = partial(ThreadPoolExecutor, 1)
        with pytest.raises(StoreReplaced, match=r"at commit \d+, and was at \d+"):
            run(manager, "j", called_with, executor=one, on_progress=set_back_once)
        assert run(manager, "j", called_with, executor=one).state.progress.done == 90
        assert dict(manager.results("j")) == {f"{n}": n for n in range(90)}
        assert manager.verify("j")[0].sound
    assert len(called) > 90, "what was lost with its commits was done again"


class Ending:
    """Whoever runs the `nth` statement from now on finds that its connection is gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nth = 0
        execute = psycopg.Connection.execute

        def executed(connection: psycopg.Connection, *asked: Any, **how: Any) -> Any:
            self.nth -= 1
            if self.nth == 0:
                with socket.socket(fileno=os.dup(connection.fileno())) as shared:
                    shared.shutdown(socket.SHUT_RDWR)
            return execute(connection, *asked, **how)

        monkeypatch.setattr(psycopg.Connection, "execute", executed)


def test_a_connection_that_is_lost_is_no_damage(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it goes in a look at all that is stored: the look fails, and calls nothing damaged.

    Where it goes as what a mover brought is looked at, that stays, and the next mover goes on.
    """
    ending = Ending(monkeypatch)
    with (
        StateManager.open(new_url(postgres)) as manager,
        StateManager.open(new_url(postgres)) as target,
    ):
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "start_map")
        manager.create_checkpoint("j")
        looks: list[Callable[[], bool]] = [
            lambda: manager.verify("j")[0].sound,
            lambda: not manager.upkeep.check_store(),
            lambda: not manager.upkeep.repair("j").steps,
            lambda: manager.upkeep.move(target.url, job_id="j", apply=True).whole,
        ]
        for look in looks:
            for nth in count(1, 4):
                ending.nth = nth
                try:
                    assert look()
                except StoreError as error:
                    assert not isinstance(error, StoreUnreadable)
                if ending.nth > 0:
                    break
        ending.nth = 0
        assert target.verify("j")[0].sound
