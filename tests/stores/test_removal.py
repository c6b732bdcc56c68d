"""What deleting is in a file: numbers that the schema guards, space given back, older files."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from milepost import StateStore
from milepost.errors import StoreError
from milepost.log.rows import Row, StoredJob
from milepost.state.persistence import open_store
from milepost.stores.sqlite.schema import NUMBERS
from milepost.testing.contracts.stores.rows import filled
from tests.stores.make import store_of


def buried(store: StateStore, job: StoredJob, at_us: int = 50) -> None:
    with store.writing() as writer:
        writer.bury(job, at_us, "completed")


def test_the_schema_refuses_a_number_that_was_used(tmp_path: Path) -> None:
    """Even a program with a defect cannot give a number twice, or run out of them unseen."""
    with_room = open_store(tmp_path / "jobs.db")
    job = filled(with_room, "one")
    buried(with_room, job)
    raw = apsw.Connection(str(tmp_path / "jobs.db"))
    with pytest.raises(apsw.ConstraintError, match="never given to a second job"):
        raw.execute("INSERT INTO jobs VALUES (?, 'x', 1, 'd', x'')", (job.number,))
    raw.execute("INSERT INTO tombstones VALUES (?, 'last', 1, '', 1)", (NUMBERS,))
    raw.close()
    with pytest.raises(StoreError, match="every number for a job is taken"):
        filled(with_room, "two")
    with_room.close()


def test_vacuum_gives_space_back(tmp_path: Path) -> None:
    """Either way that a file can be made; it stays sound."""
    for name, mode in (("full", 0), ("incremental", 2)):
        path = tmp_path / f"{name}.db"
        if mode:
            made = apsw.Connection(str(path))
            made.execute(f"PRAGMA auto_vacuum = {mode}; PRAGMA user_version = 0; VACUUM")
            made.close()
        store = open_store(path)
        with store.writing() as writer:
            job = writer.add_job("one", 1, "digest")
            for seq in range(1, 200):
                head = bytes(5_000)
                row = Row(seq, 0, seq, 1, 1, "jj", head, b"a", b"", b"", b"d")
                writer.add_row(job.number, row)
        buried(store, job)
        with store.writing() as writer:
            assert writer.erase(job.number, 1_000, 10_000_000).done
        given = store.vacuum()
        assert given.how == name
        assert given.after_bytes < given.before_bytes / 5
        assert store.check() == []
        store.close()
        assert path.stat().st_size == given.after_bytes


def test_an_older_file_is_read_without_being_changed(tmp_path: Path) -> None:
    """A file of the format before has no tombstones and no keeps, and reading adds none."""
    path = tmp_path / "jobs.db"
    path.write_bytes(store_of(1).read_bytes())
    before = path.read_bytes()
    old = open_store(path, create=False, read_only=True)
    with old.reading() as reader:
        job = reader.job("left")
        assert job is not None
        assert reader.keep(job.number) is None
        assert reader.tombstone("left") is None
        assert reader.tombstones_left() == []
        assert reader.staged() == list(reader.key_segments(job.number, 0, 9)) == []
    old.close()
    assert path.read_bytes() == before
    filled(open_store(path), "two")  # a writer takes it further
