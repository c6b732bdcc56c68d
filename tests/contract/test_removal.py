"""What every store promises about deleting: tombstones, numbers, erasing in bounded steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from milepost import StateStore
from milepost.errors import StoreError
from milepost.log.rows import (
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredJob,
    StoredKeep,
    StoredLease,
    StoredSizes,
    Tombstone,
)
from milepost.state.persistence import open_store
from milepost.stores.sqlite.schema import NUMBERS
from tests.postgres import needs_postgres, new_url
from tests.stores.make import store_of


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=needs_postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Every store that there is."""
    if request.param == "postgres":
        opened = open_store(new_url(request.getfixturevalue("postgres")))
    else:
        opened = open_store("memory:" if request.param == "memory" else tmp_path / "jobs.db")
    yield opened
    opened.close()


def filled(store: StateStore, job_id: str, rows: int = 3) -> StoredJob:
    """A job with rows of ten bytes in each of its tables."""
    with store.writing() as writer:
        job = writer.add_job(job_id, 1, "digest")
        for seq in range(1, rows + 1):
            writer.add_row(
                job.number, Row(seq, 0, seq, 1, 1, "jj", b"h" * 4, b"a", b"b" * 5, b"", b"d")
            )
            writer.put_checkpoint(
                job.number, StoredCheckpoint(seq, 1, f"r{seq}", b"c", b"d", b"s" * 10)
            )
        block = InputBlock(0, 1, "jj", b"k" * 5, b"v" * 5, b"d")
        writer.add_inputs(job.number, [block], [KeySegment(0, 1, b"h" * 8, b"o" * 2, b"d")])
        writer.stage(Staged(job.number, 1, 1, job_id, 1))
        writer.put_lease(job.number, StoredLease("me", 1, 9))
        writer.put_keep(job.number, StoredKeep(7, "why", 3))
    return job


def erased(store: StateStore, number: int, rows: int = 100, size_bytes: int = 10_000) -> list[int]:
    """How many rows each step of an erasure took, until it was done."""
    steps = []
    while True:
        with store.writing() as writer:
            part = writer.erase(number, rows, size_bytes)
        steps.append(part.rows)
        if part.done:
            return steps


def buried(store: StateStore, job: StoredJob, at_us: int = 50) -> None:
    with store.writing() as writer:
        writer.bury(job, at_us, "completed")


def test_a_buried_job_is_not_found_and_its_id_is_free(store: StateStore) -> None:
    """The entry, the lease and the keep are gone at once; a tombstone says what was there."""
    job = filled(store, "one")
    buried(store, job)
    with store.reading() as reader:
        assert reader.job("one") is None
        assert reader.job_ids("") == []
        assert list(reader.tips()) == []
        assert reader.lease(job.number) is None or store.url == "memory:"
        assert reader.tombstone("one") == Tombstone(job.number, "one", 50, "completed", False)
        assert reader.tombstone("two") is None
        assert [t.job_id for t in reader.tombstones_left()] == ["one"]
    again = filled(store, "one")
    assert again.number > job.number
    with store.reading() as reader:
        assert [row.seq for row in reader.rows(again.number)] == [1, 2, 3]
        assert reader.keep(again.number) == StoredKeep(7, "why", 3)


def test_a_number_is_never_given_twice(store: StateStore) -> None:
    """Not after the newest job is deleted, and not after tombstones are forgotten."""
    seen = []
    for _ in range(4):
        job = filled(store, "one")
        seen.append(job.number)
        buried(store, job)
        erased(store, job.number)
        with store.writing() as writer:
            writer.forget_tombstones(1_000, 100)
    assert seen == sorted(set(seen))
    with store.reading() as reader:
        newest = reader.tombstone("one")
        assert newest is not None
        assert newest.number == seen[-1]


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


@pytest.mark.parametrize(
    ("rows", "size_bytes", "steps"),
    [(100, 10_000, [9]), (3, 10_000, [3, 3, 3, 0]), (100, 25, [3, 3, 3]), (1, 1, [1] * 9 + [0])],
)
def test_erasing_is_bounded_in_rows_and_bytes(
    store: StateStore, rows: int, size_bytes: int, steps: list[int]
) -> None:
    """Each step takes so many rows, or the first that make up so many bytes, of that job alone."""
    job, other = filled(store, "one"), filled(store, "two")
    buried(store, job)
    assert erased(store, job.number, rows, size_bytes) == steps
    with store.reading() as reader:
        assert reader.sizes(job.number).total_bytes == 0
        assert reader.tombstones_left() == []
        assert [row.seq for row in reader.rows(other.number)] == [1, 2, 3]
        assert len(list(reader.checkpoints(other.number))) == 3
        assert len(list(reader.inputs(other.number))) == 1
        assert list(reader.key_segments(job.number, 0, 9)) == []
        assert len(list(reader.key_segments(other.number, 0, 9))) == 1
        assert [staged.number for staged in reader.staged()] == [other.number]
    assert erased(store, job.number) == [0]  # doing it again is fine


def test_a_job_that_has_an_entry_is_never_erased(store: StateStore) -> None:
    """Bury first: the guard is in the store too."""
    job = filled(store, "one")
    with pytest.raises(ValueError, match="bury it first"), store.writing() as writer:
        writer.erase(job.number, 100, 100)
    with store.reading() as reader:
        assert len(list(reader.rows(job.number))) == 3


def test_tombstones_are_forgotten_but_for_the_newest_and_the_unfinished(store: StateStore) -> None:
    """What is forgotten has nothing left of it, and never is the highest number."""
    jobs = [filled(store, name) for name in ("one", "two", "three", "four")]
    for job in jobs:
        buried(store, job)
    for job in (jobs[0], jobs[1], jobs[3]):
        erased(store, job.number)
    with store.writing() as writer:
        assert writer.forget_tombstones(50, 100) == 0  # none is from before
        assert writer.forget_tombstones(51, 1) == 1
        assert writer.forget_tombstones(51, 100) == 1
    with store.reading() as reader:
        left = [reader.tombstone(name) is not None for name in ("one", "two", "three", "four")]
        assert left == [False, False, True, True]


def test_keeps_are_replaced_and_dropped(store: StateStore) -> None:
    """One a job, with or without an end."""
    job = filled(store, "one")
    with store.writing() as writer:
        writer.put_keep(job.number, StoredKeep(None, "for ever", 4))
    with store.reading() as reader:
        assert reader.keep(job.number) == StoredKeep(None, "for ever", 4)
    with store.writing() as writer:
        writer.put_keep(job.number, None)
    with store.reading() as reader:
        assert reader.keep(job.number) is None


def test_sizes_are_of_what_is_stored(store: StateStore) -> None:
    """Rows and bytes, by what they are for; checkpoints one by one."""
    job = filled(store, "one")
    with store.reading() as reader:
        assert reader.sizes(job.number) == StoredSizes(1, 10, 1, 10, 3, 15, 15, 3, 30)
        assert reader.sizes(job.number).total_bytes == 80
        assert reader.checkpoint_sizes(job.number) == [
            StoredCheckpointSize(seq, f"r{seq}", 10) for seq in (3, 2, 1)
        ]
    with store.writing() as writer:
        writer.remove_checkpoint(job.number, 2)
        writer.remove_checkpoint(job.number, 99)
    with store.reading() as reader:
        assert [one.seq for one in reader.checkpoint_sizes(job.number)] == [3, 1]


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
        erased(store, job.number)
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


def test_a_number_that_was_reserved_is_that_of_the_job_whatever_was_deleted_meanwhile(
    store: StateStore,
) -> None:
    """What is staged keeps a number; one that was given never comes again."""
    with store.writing() as writer:
        number = writer.reserve()
        writer.stage(Staged(number, 0, 1, "token", 1))
    job = filled(store, "meanwhile")
    assert job.number > number
    buried(store, job)
    erased(store, job.number)
    with store.writing() as writer:
        assert writer.reserve() > job.number
        assert writer.add_job("slow", 1, "digest", number).number == number
        assert writer.unstage("token") == 1
        assert writer.add_job("next", 1, "digest").number > job.number
