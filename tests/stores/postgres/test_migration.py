"""`milepost migrate --sql` of a server: a script that any client runs, and it makes what we do."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from milepost import StateManager
from milepost.cli import main
from milepost.errors import StoreReadOnly
from milepost.state.persistence import open_store
from milepost.stores.postgres.schema import VERSION
from tests.postgres import needs_postgres, new_url, run_sql, tool

pytestmark = needs_postgres


@pytest.fixture
def url(postgres: str) -> str:
    """An address where nothing is yet."""
    return new_url(postgres)


def of(url: str) -> tuple[str, str]:
    """The server's URL and the schema."""
    server, _, schema = url.partition("&schema=")
    return server, schema


def migrate(url: str, *args: str) -> Result:
    return CliRunner().invoke(main, ["migrate", "--sql", *args, "--db", url])


def script(url: str, *args: str) -> str:
    result = migrate(url, *args)
    assert result.exit_code == 0, result.output
    return result.stdout


def dumped(url: str) -> list[str]:
    """What pg_dump says of the schema, under a name that all have: tables, functions, comments."""
    server, schema = of(url)
    told = subprocess.run(
        [tool("pg_dump"), "--schema-only", "--no-owner", f"--schema={schema}", server],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    lines = told.replace(schema, "THE_SCHEMA").splitlines()
    return [line for line in lines if not line.startswith("\\")]  # \restrict and a random word


def test_what_is_printed_makes_what_we_make(postgres: str, url: str) -> None:
    """Run by psql, by psycopg, and for a schema that was made for us: the catalogs are the same."""
    open_store(url).close()
    made = dumped(url)
    assert len([line for line in made if line.startswith("CREATE TABLE")]) >= 10
    by_psql, by_psycopg, for_us = (new_url(postgres) for _ in range(3))
    run_sql(postgres, script(by_psql))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(script(by_psycopg, "--new").encode())
        connection.execute(f"CREATE SCHEMA {of(for_us)[1]}".encode())
        connection.execute(f"COMMENT ON SCHEMA {of(for_us)[1]} IS 'milepost 0'".encode())
        connection.execute(script(for_us).encode())
    for each in (by_psql, by_psycopg, for_us):
        assert dumped(each) == made
        assert "nothing to do" in script(each)
        run_sql(postgres, script(each))  # a comment, and no statement
        with StateManager.open(each, create=False) as manager:
            manager.create_job(["a"], job_id="j")
            assert manager.verify("j")[0].sound


def test_a_script_changes_nothing_the_second_time(postgres: str, url: str) -> None:
    """It is one transaction; and whoever opens the store meanwhile finds all of it, or makes it."""
    server, schema = of(url)
    printed = script(url)
    came: list[str] = []

    def run() -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            try:
                connection.execute(printed.encode())
            except psycopg.Error as error:
                came.append(type(error).__name__)
            else:
                came.append("made")

    threads = [threading.Thread(target=run) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: open_store(url).close()))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(came) <= {"made", "DuplicateSchema"}
    assert came.count("made") <= 1
    assert dumped(url) == _made_by_us(postgres)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"COMMENT ON SCHEMA {schema} IS 'milepost 0'".encode())
        stale = script(url)
        connection.execute(f"COMMENT ON SCHEMA {schema} IS 'milepost {VERSION}'".encode())
        with pytest.raises(psycopg.errors.RaiseException, match="has not format 0: print"):
            connection.execute(stale.encode())
        connection.execute("ROLLBACK")
    assert dumped(url) == _made_by_us(postgres)


def _made_by_us(postgres: str) -> list[str]:
    url = new_url(postgres)
    open_store(url).close()
    return dumped(url)


def test_a_role_that_may_not_make_it_is_told_who_may(postgres: str, url: str) -> None:
    """And the server is as it was."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS may_not")
        connection.execute("CREATE ROLE may_not LOGIN")
        with pytest.raises(StoreReadOnly, match="migrate --sql"):
            open_store(url.replace("//postgres:@", "//may_not@"))
        connection.execute("DROP ROLE may_not")
    assert "CREATE SCHEMA" in script(url)


def test_a_new_schema_is_printed_without_a_server(tmp_path: Path) -> None:
    """By the schema's name alone; with a question to the server, one that is not there is said."""
    nowhere = f"postgresql://me:hush-hush@/db?host={tmp_path}&schema=plans"
    printed = script(nowhere, "--new")
    assert "CREATE SCHEMA plans;" in printed
    assert "hush-hush" not in printed
    answer = migrate(nowhere, "--new", "--json")
    assert answer.exit_code == 0
    refused = migrate(nowhere)
    assert refused.exit_code == 2
    assert "cannot be reached" in refused.stderr
    assert "--new goes with" in migrate(nowhere, "--new", "--apply").stderr
    assert "for a store on a server" in migrate("jobs.db", "--new").stderr
