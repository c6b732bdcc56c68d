"""The roles and views of docs/how-to/store-on-a-server.md, made by its own SQL.

That the role for writing may do all that drivers and operators do, tests/integration/cli shows:
every command is called under it.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.errors import StoreReadOnly
from milepost.testing import FakeClock
from milepost.web.app import application
from tests.contract.lifecycles.cases import CASES
from tests.contract.lifecycles.compiling import lifecycle_of
from tests.integration.cli.answers import BUILT_IN, answered, fill
from tests.integration.cli.story import JOB, tell_on_a_server
from tests.postgres import needs_postgres, new_url, run_sql
from tests.server_page import Logins, page_sql, with_roles

pytestmark = needs_postgres

LOOKS = (
    "jobs",
    f"show {JOB}",
    f"history {JOB}",
    f"items {JOB} --state dead",
    f"failures {JOB}",
    f"plan {JOB}",
    f"checkpoint {JOB} --list",
    f"watch {JOB} --until-idle",
    "migrate --sql",
    "gc",
    "verify",
    "conform --definition DEFINITION",
)


@pytest.fixture
def logins(postgres: str) -> Logins:
    """A store that nobody has used yet."""
    return with_roles(new_url(postgres), "none")


def test_a_reader_sees_all_and_changes_nothing(logins: Logins, tmp_path: Any) -> None:
    """Each command answers as it does for a writer; what would change something is refused."""
    clock = FakeClock()
    tell_on_a_server(logins.writer, clock)
    for call in LOOKS:
        by_writer = answered(call, clock, tmp_path, BUILT_IN, logins.writer)
        by_reader = answered(call, clock, tmp_path, BUILT_IN, logins.reader)
        assert by_reader.replace("//reader", "//writer") == by_writer, call
    for call in (f"cancel {JOB} --apply", f"keep {JOB} --for 2d", f"recover {JOB} --apply"):
        refused = CliRunner().invoke(main, [*call.split(), "--db", logins.reader], obj=clock)
        assert refused.exit_code == 2, refused.output
        assert "permission denied" in refused.stderr
    with StateManager.open(logins.reader, read_only=True, clock=clock) as manager:
        pages = TestClient(application(manager, clock=clock), base_url="http://127.0.0.1:8423")
        assert JOB in pages.get("/jobs").text
        assert pages.get(f"/jobs/{JOB}").status_code == 200
    with StateManager.open(logins.reader, clock=clock) as manager, pytest.raises(StoreReadOnly):
        manager.create_job(["a"], job_id="mine")


def test_no_role_changes_a_commit_or_a_table(logins: Logins) -> None:
    """Not even by SQL of their own."""
    with StateManager.open(logins.writer) as manager:
        manager.create_job(["a"], job_id="j")
    schema = logins.writer.partition("&schema=")[2]
    forbidden = {
        "writer": ("UPDATE $commits SET at_us = 1", "DELETE FROM $quarantine", "DROP TABLE $tips"),
        "reader": ("DELETE FROM $tips", "SELECT nextval('$numbers')", "CREATE TABLE $mine ()"),
    }
    for login, statements in forbidden.items():
        server = getattr(logins, login).partition("&schema=")[0]
        with psycopg.connect(server, autocommit=True) as connection:
            for sql in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.replace("$", f"{schema}.").encode())


def test_views_show_what_milepost_shows(postgres: str, logins: Logins) -> None:
    """To somebody who may read them and no table."""
    clock = FakeClock()
    tell_on_a_server(logins.writer, clock)
    schema = logins.writer.partition("&schema=")[2]
    make, ask = page_sql("Views for people", schema)
    run_sql(postgres, make)
    run_sql(postgres, "DROP ROLE IF EXISTS person; CREATE ROLE person LOGIN;")
    run_sql(
        postgres,
        f"GRANT USAGE ON SCHEMA {schema}_views TO person;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema}_views TO person;",
    )
    with StateManager.open(logins.writer, clock=clock) as manager:
        fill(manager, clock)
        _fail_in_every_way(manager)
    shop = next(case for case in CASES if case.name == "shop")
    lifecycle = lifecycle_of(shop.text)
    with StateManager.open(logins.writer, clock=clock, lifecycles=[lifecycle]) as manager:
        manager.create_job(collections=shop.items, job_id="shop", lifecycle="shop")
        as_person = postgres.replace("//postgres:@", "//person:@")
        with psycopg.connect(as_person, autocommit=True) as connection:
            for each in ask.split(";\n"):
                connection.execute(each.encode())

            def seen(view: str) -> list[tuple[Any, ...]]:
                sql = f"SET search_path = {schema}_views; SELECT {view}"
                cursor = connection.execute(sql.encode())
                cursor.nextset()
                return cursor.fetchall()

            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {schema}.jobs".encode())
            jobs = seen("job_id, lifecycle, phase, outcome, seq, fence, holder FROM jobs")
            counts = seen("job_id, collection, state, count FROM items")
            failures = seen("job_id, item, cause, message FROM failures ORDER BY job_id, seq, item")
            compressed = dict(seen("job_id, events FROM compressed"))
        states = [manager.get_state(job_id) for job_id in manager.job_ids()]
        assert sorted(jobs, key=lambda job: str(job[0])) == [
            (
                state.id,
                state.lifecycle.name,
                state.phase,
                state.roles.outcomes.get(state.phase),
                state.seq,
                state.fence,
                state.owner,
            )
            for state in states
        ]
        assert sorted(counts) == sorted(
            (state.id, collection, name, count)
            for state in states
            for collection, ledger in state.ledgers.items()
            for name, count in zip(ledger.machine.states, ledger.counts(), strict=True)
        )
        for state in states:
            if state.id in compressed or state.id == "shop":
                continue
            told = [
                (state.inputs.ordinal(key), str(one.cause), one.message or None)
                for key, found in manager.failures(state.id).items()
                for one in found
            ]
            assert sorted(told, key=str) == sorted(
                (row[1:] for row in failures if row[0] == state.id), key=str
            )
        of_ours = [row[1:] for row in failures if row[0] == "failing"]
        assert of_ours == [(0, "error", "no answer"), (1, "timeout", None), (2, "error", None)]
        assert compressed["failing"] == 2 * 300
        assert len(failures) > len(of_ours)
    run_sql(postgres, f"DROP SCHEMA {schema}_views CASCADE; DROP ROLE person;")


def _fail_in_every_way(manager: StateManager) -> None:
    """A message in clear, one that is compressed, one that SQL has no text for; and very many."""
    manager.create_job([f"{n}" for n in range(303)], job_id="failing")
    manager.fire("failing", "start_map")
    manager.record("failing", [ItemEvent(n, "start") for n in range(3)])
    for n, (cause, message) in enumerate(
        (("error", "no answer"), ("timeout", "x" * 600), ("error", "a\0b"))
    ):
        manager.record("failing", [ItemEvent(n, "fail", {"cause": cause, "message": message})])
    for event, payload in (("start", {}), ("fail", {"cause": "error", "message": "m"})):
        manager.record("failing", [ItemEvent(n, event, payload) for n in range(3, 303)])
