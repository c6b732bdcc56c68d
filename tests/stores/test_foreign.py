"""Files that somebody else made or altered: refused at open, unchanged, none of their code run.

Each is built by ordinary statements, by SQLite's own leave to write the schema, or by a byte of the
header. None is one that troubles SQLite itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.errors import JobAbsent, StoreAbsent, StoreError, StoreForeign, StoreNewer
from milepost.state.keeping.salvage import salvage
from milepost.stores.sqlite import seals as sqlite_seals
from milepost.stores.sqlite.schema import SCHEMA_DIGESTS, STEPS, VERSION
from milepost.stores.sqlite.store import SqliteStore
from milepost.stores.sqlite.trust import digest_of_schema
from milepost.testing import FakeClock

CANARY = "milepost_seal('canary')"
QUOTED = CANARY.replace("'", "''")
LONG = "x" * 5000

ORDINARY = {
    "a trigger after an insert": "CREATE TRIGGER t AFTER INSERT ON commits BEGIN"
    " DELETE FROM leases; END",
    "a trigger before a delete": "CREATE TRIGGER t BEFORE DELETE ON jobs BEGIN"
    " SELECT RAISE(IGNORE); END",
    "a trigger on an update": "CREATE TRIGGER t UPDATE OF owner ON leases BEGIN"
    " UPDATE jobs SET job_id = 'x'; END",
    "a trigger on a checkpoint": "CREATE TRIGGER t BEFORE INSERT ON checkpoints BEGIN"
    f" SELECT {CANARY}; END",
    "a view": "CREATE VIEW v AS SELECT * FROM jobs",
    "a view with a trigger": "CREATE VIEW v AS SELECT 1 AS a; CREATE TRIGGER t INSTEAD OF INSERT"
    " ON v BEGIN DELETE FROM jobs; END",
    "a view for a table": f"DROP TABLE tips; CREATE VIEW tips AS SELECT number AS job, 1 AS seq,"
    f" {CANARY} AS digest, x'' AS seal FROM jobs",
    "a view that calls": "ALTER TABLE jobs RENAME TO hidden; CREATE VIEW jobs AS SELECT number,"
    f" job_id, created_at_us, lifecycle, {CANARY} AS seal FROM hidden",
    "a view without an end": "DROP TABLE tips; CREATE VIEW tips AS WITH RECURSIVE n(job) AS"
    " (SELECT 1 UNION ALL SELECT job + 1 FROM n) SELECT job, job AS seq, x'' AS digest,"
    " x'' AS seal FROM n",
    "another table": "CREATE TABLE other (a)",
    "another table of no rowid": "CREATE TABLE other (a PRIMARY KEY) WITHOUT ROWID",
    "a table with a strange name": f'CREATE TABLE "{LONG}\x1b[31m\u202e" (a)',
    "many tables": "".join(f"CREATE TABLE t{n} (a);" for n in range(300)),
    "a table less": "DROP TABLE staged",
    "an index less": "DROP INDEX tombstones_by_id",
    "an index more": "CREATE INDEX more ON commits (at_us)",
    "an index on an expression": f"CREATE INDEX more ON jobs ({CANARY})",
    "an index on a part": f"CREATE INDEX more ON jobs (number) WHERE {CANARY} IS NOT NULL",
    "an index that is unique": "CREATE UNIQUE INDEX more ON leases (owner)",
    "a column more": "ALTER TABLE jobs ADD COLUMN more TEXT",
    "results that are computed": "ALTER TABLE jobs RENAME TO hidden; CREATE TABLE jobs (number"
    f" INTEGER PRIMARY KEY, job_id TEXT AS ({CANARY}), created_at_us, lifecycle, seal);"
    " INSERT INTO jobs VALUES (1, 1, 1, 1)",
    "a column with a default": "ALTER TABLE leases ADD COLUMN more TEXT DEFAULT 'x'",
    "a generated column": f"ALTER TABLE tips ADD COLUMN more BLOB AS ({CANARY})",
    "a column renamed": "ALTER TABLE leases RENAME COLUMN owner TO holder",
    "a table renamed": "ALTER TABLE tips RENAME TO tops",
    "a trigger less": "DROP TRIGGER commits_stay",
    "a trigger of the same name": "DROP TRIGGER commits_stay; CREATE TRIGGER commits_stay BEFORE"
    " UPDATE ON commits BEGIN SELECT 1; END",
    "a full text table": "CREATE VIRTUAL TABLE f USING fts5(a)",
    "a full text table of old": "CREATE VIRTUAL TABLE f USING fts3(a, tokenize=simple)",
    "an R-tree": "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
    "a virtual table of the file itself": "CREATE VIRTUAL TABLE d USING dbstat",
    "counters": "CREATE TABLE other (a INTEGER PRIMARY KEY AUTOINCREMENT)",
    "a format of none": "PRAGMA user_version = 0",
    "a format of before": "PRAGMA user_version = 1",
    "a format below none": "PRAGMA user_version = -5",
    "a format of the future": "PRAGMA user_version = 99",
    "the mark of another program": "PRAGMA application_id = 7",
    "no mark": "PRAGMA application_id = 0",
}
"""What ordinary statements do to a store."""

_TIPS = "name = 'tips'"
WRITTEN = {
    "a comment": f"UPDATE sqlite_schema SET sql = sql || ' -- hello' WHERE {_TIPS}",
    "a check": "UPDATE sqlite_schema SET sql = replace(sql, 'owner         TEXT NOT NULL',"
    f" 'owner         TEXT NOT NULL CHECK ({QUOTED} IS NOT NULL)') WHERE name = 'leases'",
    "a default that calls": "UPDATE sqlite_schema SET sql = replace(sql, 'owner         TEXT',"
    f" 'owner         TEXT DEFAULT ({QUOTED})') WHERE name = 'leases'",
    "another type": "UPDATE sqlite_schema SET sql = replace(sql, 'seq    INTEGER', 'seq    ANY')"
    f" WHERE {_TIPS}",
    "no strictness": f"UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE {_TIPS}",
    "another collation": "UPDATE sqlite_schema SET sql = replace(sql, 'job_id        TEXT',"
    " 'job_id        TEXT COLLATE NOCASE') WHERE name = 'jobs'",
    "a foreign key": "UPDATE sqlite_schema SET sql = replace(sql, 'seq    INTEGER',"
    f" 'seq    INTEGER REFERENCES jobs') WHERE {_TIPS}",
    "a very long text": "UPDATE sqlite_schema SET sql = sql || ' /*' ||"
    f" hex(zeroblob(1000000)) || '*/' WHERE {_TIPS}",
    "no text": f"UPDATE sqlite_schema SET sql = NULL WHERE {_TIPS}",
    "bytes for a text": f"UPDATE sqlite_schema SET sql = CAST(sql AS BLOB) WHERE {_TIPS}",
    "a text that is none": f"UPDATE sqlite_schema SET sql = CAST(x'ff00fe' AS TEXT) WHERE {_TIPS}",
    "no statement": f"UPDATE sqlite_schema SET sql = 'hello' WHERE {_TIPS}",
    "another kind": f"UPDATE sqlite_schema SET type = 'tabel' WHERE {_TIPS}",
    "another name": f"UPDATE sqlite_schema SET name = 'tops', tbl_name = 'tops' WHERE {_TIPS}",
    "a number for a name": f"UPDATE sqlite_schema SET name = 7 WHERE {_TIPS}",
    "the page of another": "UPDATE sqlite_schema SET rootpage ="
    f" (SELECT rootpage FROM sqlite_schema WHERE name = 'staged') WHERE {_TIPS}",
    "no page": f"UPDATE sqlite_schema SET rootpage = 0 WHERE {_TIPS}",
    "a page far away": f"UPDATE sqlite_schema SET rootpage = 99999999 WHERE {_TIPS}",
    "a text for a page": f"UPDATE sqlite_schema SET rootpage = 'two' WHERE {_TIPS}",
    "a row twice": "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema"
    " WHERE name = 'commits_stay'",
    "statistics of another shape": "ANALYZE; UPDATE sqlite_schema SET"
    " sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat,more)' WHERE name = 'sqlite_stat1'",
}
"""What is written into the schema itself."""

BYTES = {
    "a page count without sense": (28, b"\x7f\xff\xff\xff"),
    "a page size without sense": (16, b"\x00\x07"),
    "a schema format of the future": (44, b"\x00\x00\x00\x63"),
    "a version for reading of the future": (19, b"\x09"),
    "another magic": (0, b"QSLite"),
}
"""What a few bytes of the header do."""

KINDS = [*ORDINARY, *WRITTEN, *BYTES, "a mark on an empty file", "the first half", "much too short"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foreign") / "jobs.db"
    with StateManager.open(path, clock=FakeClock()) as manager:
        manager.create_job(["a", "b"], job_id="job")
        manager.fire("job", "start_map")
        with manager.lease("job", "me", renewed=False):
            manager.record("job", [ItemEvent("a", "start")])
        manager.create_checkpoint("job")
    return path


def alter(kind: str, path: Path) -> None:
    if kind in BYTES:
        offset, value = BYTES[kind]
        content = bytearray(path.read_bytes())
        content[offset : offset + len(value)] = value
        path.write_bytes(content)
    elif kind == "the first half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "much too short":
        path.write_bytes(path.read_bytes()[:150])
    else:
        if kind == "a mark on an empty file":
            path.unlink()
        connection = apsw.Connection(str(path))
        connection.create_scalar_function("milepost_seal", lambda *_: b"", deterministic=True)
        if kind in WRITTEN:
            connection.execute("PRAGMA writable_schema = ON")
        connection.execute({**ORDINARY, **WRITTEN}.get(kind, "PRAGMA application_id = 1297108819"))
        connection.close()


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What code of a file calls is written down here."""
    called: list[object] = []
    real = sqlite_seals.seal

    def seal(*columns: object) -> bytes:
        if columns[:1] == ("canary",):
            called.append(columns)
        return real(*columns)

    monkeypatch.setattr(sqlite_seals, "seal", seal)
    return called


OPENERS: dict[str, Callable[[Path], Any]] = {
    "to write": StateManager.open,
    "to read": lambda path: StateManager.open(path, read_only=True).job_ids(),
    "to find": lambda path: SqliteStore(path, create=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_file(sound: Path, tmp_path: Path, canary: list[object], kind: str) -> None:
    """A typed error on every way in; short, printable, with what to do; not a byte is changed."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    alter(kind, path)
    before = sha256(path.read_bytes()).digest()
    for opener in OPENERS.values():
        with pytest.raises(StoreError) as refused:
            opener(path)
        told = str(refused.value)
        assert len(told) < 1000
        assert told.isprintable()
        if kind not in (*BYTES, "the first half", "much too short", "a format of the future"):
            assert isinstance(refused.value, StoreForeign) or "damaged" in told
    told = CliRunner().invoke(main, ["verify", "--db", str(path)])
    assert told.exit_code == 2
    assert "Traceback" not in told.output
    try:
        list(salvage(path, tmp_path / "saved.db", clock=FakeClock()))
    except StoreError:
        assert kind in BYTES or kind in KINDS[-3:] or kind in WRITTEN
    assert sha256(path.read_bytes()).digest() == before
    assert canary == []


def test_the_first_difference_is_named(sound: Path, tmp_path: Path) -> None:
    """What was found, and what to do about it."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    alter("a table with a strange name", path)
    with pytest.raises(StoreForeign) as refused:
        StateManager.open(path)
    told = refused.value.problem
    assert re.search(r"its schema is not that of format \d+: table x+… is not as we make it", told)
    assert "milepost salvage" in told
    alter("a format of the future", path)
    with pytest.raises(StoreNewer):
        StateManager.open(path)


def test_what_is_salvaged_of_an_altered_file_is_ours(
    sound: Path, tmp_path: Path, canary: list[object]
) -> None:
    """The jobs, in a file that is ours to the letter; of what was added, nothing."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    for kind in ("a trigger after an insert", "another table", "an index on an expression"):
        alter(kind, path)
    (saved,) = list(salvage(path, tmp_path / "saved.db", clock=FakeClock()))
    assert saved.whole
    with StateManager.open(tmp_path / "saved.db", clock=FakeClock()) as manager:
        assert manager.verify("job")[0].sound
        assert manager.get_state("job").progress.running == 1
    assert canary == []


def test_what_analyze_adds_is_borne(sound: Path, tmp_path: Path) -> None:
    """SQLite's own statistics are no code, and no harm."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    connection = apsw.Connection(str(path))
    connection.execute("ANALYZE")
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    assert {"sqlite_stat1", "sqlite_stat4"} <= names
    connection.close()
    with StateManager.open(path, clock=FakeClock()) as manager:
        manager.fire("job", "pause")
        assert manager.check_store() == []


def test_every_format_is_known_by_its_digest(tmp_path: Path) -> None:
    """What the steps make has the digest that is written down: nothing is made anew at an open."""
    for version in range(1, VERSION + 1):
        connection = apsw.Connection(str(tmp_path / f"{version}.db"))
        sqlite_seals.enable(connection)
        for step in STEPS[:version]:
            connection.execute(step.sql)
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
        assert digest_of_schema(rows) == SCHEMA_DIGESTS[version]
        connection.close()


def test_a_reader_that_comes_later_looks_again(sound: Path, tmp_path: Path) -> None:
    """A file that is altered while it is open is not believed by the next connection."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    with StateManager.open(path) as manager:
        other = apsw.Connection(str(path))  # not sqlite3: two SQLites in a process share no locks
        other.execute("CREATE VIEW v AS SELECT 1")
        other.close()
        with pytest.raises(StoreForeign, match="view v"):
            manager.get_state("job")


ROWS = {
    "a job of no time": f"UPDATE jobs SET created_at_us = {2**62}",
    "a job of a time long ago": f"UPDATE jobs SET created_at_us = {-(2**62)}",
    "a job of a number too large": f"UPDATE jobs SET number = {2**62}",
    "a job of the largest number": f"UPDATE jobs SET number = {2**63 - 1}",
    "a job below all": f"UPDATE jobs SET number = {-(2**62)}",
    "commits of no time": f"UPDATE commits SET at_us = {2**62}",
    "a tombstone of no time": f"INSERT INTO tombstones VALUES (5, 'gone', {2**62}, 'r', 1)",
    "a tombstone of no number": f"INSERT INTO tombstones VALUES ({2**62}, 'gone', 1, 'r', 0)",
    "a keep of no time": f"INSERT INTO retention VALUES (1, 1, 'r', {2**62})",
    "a keep of no length": f"INSERT INTO retention VALUES (1, {-(2**62)}, 'r', 1)",
    "a quarantine of no time": f"INSERT INTO quarantine VALUES (1, {2**62}, 'j', 't', 1, 'r', '')",
    "a quarantine of no JSON": "INSERT INTO quarantine VALUES (1, 1, 'j', 't', 1, 'r', 'not')",
    "inputs staged for nobody": f"INSERT INTO staged VALUES ({2**62}, {2**62}, 't', {-(2**62)})",
}
"""Rows that SQLite takes and we never write, under the seals that they would have."""


def looked(manager: StateManager) -> int:
    """Look at everything; how often the store is said to be what cannot be read."""
    refused = 0
    looks: list[Callable[[], object]] = [
        manager.list_jobs,
        manager.stuck_jobs,
        manager.verify,
        manager.check_store,
        manager.list_strays,
        manager.plan_retention,
        lambda: list(manager.quarantine()),
        lambda: manager.get_state("job"),
        lambda: manager.get_state("gone"),
        lambda: manager.get_state_history("job"),
        lambda: list(manager.results("job")),
        lambda: manager.kept("job"),
        lambda: manager.sizes("job"),
        lambda: manager.recover_from_checkpoint("job"),
        lambda: manager.collect(manager.plan_retention()),
        lambda: manager.create_job(["a"], job_id="new"),
    ]
    for look in looks:
        try:
            look()
        except StoreError:
            refused += 1
        except JobAbsent as error:
            assert error.job_id == "gone"
    return refused


@pytest.mark.parametrize("kind", ROWS)
def test_rows_that_we_never_write(sound: Path, tmp_path: Path, kind: str) -> None:
    """An error of ours, whoever wrote the row and sealed it: never one of Python's."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    sqlite_seals.enable(connection)
    connection.execute(ROWS[kind])
    connection.execute(
        "UPDATE jobs SET seal = milepost_seal(number, job_id, created_at_us, lifecycle);"
        "UPDATE tips SET seal = (SELECT milepost_seal(tips.job, tips.seq, fence, at_us, after,"
        " digest) FROM commits WHERE job = tips.job AND seq = tips.seq)"
    )
    connection.close()
    with StateManager.open(path, clock=FakeClock()) as manager:
        assert (looked(manager) > 0) == (kind != "inputs staged for nobody")


def test_a_sound_file_is_opened(sound: Path, tmp_path: Path) -> None:
    """The negative control; and an empty file is none."""
    path = tmp_path / "jobs.db"
    path.write_bytes(sound.read_bytes())
    for opener in OPENERS.values():
        opener(path)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreAbsent):
        StateManager.open(tmp_path / "empty.db", create=False)
    with StateManager.open(path, clock=FakeClock()) as manager:
        assert looked(manager) == 0
    assert len(KINDS) >= 60
