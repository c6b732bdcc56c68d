"""A flipped bit anywhere in the file: an error that says so, or the very answers of before."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from milepost import JobAbsent, StateManager
from milepost.errors import MilepostError, StoreAbsent
from milepost.state.manager.upkeep import Upkeep
from milepost.state.reading.loading import JobLog
from milepost.stores.sqlite import reading as sqlite_reading
from tests.integrity.sample import JOBS, PAGE_BYTES, answers, make

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
STRIDE = 1 if SOAK else 53
"""Every byte under `make soak`; otherwise one in so many, which is prime to the size of a page."""

DENIALS = (JobAbsent, StoreAbsent)
"""Errors that deny what is there: as wrong as a wrong answer."""


MEMORY = Path("/dev/shm")  # noqa: S108  a folder that is no disk, where there is one


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as folder:
        yield make(Path(folder) / "jobs.db")


def flip(database: Path, offset: int, bit: int) -> None:
    """Change one bit, behind everybody's back, with nothing of SQLite's beside the file."""
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    with database.open("r+b") as file:
        file.seek(offset)
        (before,) = file.read(1)
        file.seek(offset)
        file.write(bytes([before ^ 1 << bit]))


def lies(told: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """The questions that were answered otherwise than before, and not by an error.

    A list of checkpoints may lack some, if `verify` says that not all is well: nothing but that
    list depends on them. So may a list of jobs that says that it does.
    """
    found = []
    for name, answer in told.items():
        expected = truth.get(name)
        if name == "sound" or answer == expected:
            continue
        if name == "no such job":
            if not isinstance(answer, MilepostError):
                found.append(name)
        elif isinstance(answer, MilepostError):
            if isinstance(answer, DENIALS):
                found.append(name)
        elif name.startswith("readable ") and isinstance(answer, tuple):
            some, whole = answer
            if whole or not all(one in expected[0] for one in some):
                found.append(name)
        elif name.endswith(" checkpoints"):
            if told["sound"] is True or not all(one in expected for one in answer):
                found.append(name)
        else:
            found.append(name)
    return found


def sweep(database: Path, flips: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, list[str]]]:
    """The flips that made an answer wrong: where, which bit, and what was asked."""
    truth = answers(database)
    assert truth["sound"] is True
    assert not lies(truth, truth)
    whole = database.read_bytes()
    for offset, bit in flips:
        flip(database, offset, bit)
        lied = lies(answers(database), truth)
        flip(database, offset, bit)
        if lied:
            yield offset, bit, lied
    assert database.read_bytes() == whole


def one_a_byte(database: Path, stride: int) -> list[tuple[int, int]]:
    """One bit of each byte, or of one in `stride`."""
    offsets = range(0, database.stat().st_size, stride)
    return [(offset, (offset * 5 + offset // 7) % 8) for offset in offsets]


def row_counts(database: Path) -> list[tuple[int, int]]:
    """Every bit of the byte in which a page says how many rows it has."""
    offsets = range(4, database.stat().st_size, PAGE_BYTES)
    return [(offset, bit) for offset in offsets for bit in range(8)]


def first_row(database: Path) -> list[tuple[int, int]]:
    """Every bit of what says how the first commit of the first job is stored.

    That stands before the time of the commit, whose eight bytes stand in other tables, too.
    """
    with StateManager.open(database, read_only=True) as manager:
        begun = manager.get_state_history(JOBS[0])[0].at
    end = database.read_bytes().rindex(round(begun.timestamp() * 1_000_000).to_bytes(8, "big"))
    return [(end - before, bit) for before in range(12, 21) for bit in range(8)]


def test_no_flipped_bit_makes_an_answer_wrong(database: Path) -> None:
    """What cannot be vouched for is not given out, wherever in the file the damage is."""
    assert database.stat().st_size > 20 * PAGE_BYTES
    assert list(sweep(database, one_a_byte(database, STRIDE))) == []
    assert list(sweep(database, row_counts(database))) == []
    assert list(sweep(database, first_row(database))) == []


@pytest.mark.parametrize("check", ["seals", "the end of the log", "the chain"])
def test_the_sweep_finds_what_an_unchecked_reader_believes(
    database: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """The negative control: without one of the checks, wrong answers are given, and found."""
    if check == "seals":
        monkeypatch.setattr(
            sqlite_reading.SqliteReader, "_sealed", lambda self, what, columns: columns[:-1]
        )
        monkeypatch.setattr(Upkeep, "check_store", lambda self: [])
    elif check == "the end of the log":
        monkeypatch.setattr(JobLog, "check_end", lambda self, *args: None)
    else:
        monkeypatch.setattr("milepost.state.reading.loading.decode_commit", _believing)
        monkeypatch.setattr("milepost.state.reading.results.decode_commit", _believing)
    flips = one_a_byte(database, 3)
    random.Random(0).shuffle(flips)  # noqa: S311  so that one is met early
    assert next(sweep(database, flips), None)


def _believing(row: Any, *, previous: bytes, url: str, job_id: str) -> Any:
    """A loader that does not look at digests."""
    from milepost.log.codec import decode_facts
    from milepost.log.facts import Commit

    facts = decode_facts(row, url=url, job_id=job_id)
    return Commit(seq=row.seq, fence=row.fence, at_us=row.at_us, facts=facts, digest=row.digest)


def test_a_page_that_loses_its_last_rows_is_no_shorter_log(database: Path) -> None:
    """Rows that a page does not list any more look like a log that ends earlier: it is said."""
    import apsw

    connection = apsw.Connection(str(database))
    connection.execute("DELETE FROM commits WHERE id = (SELECT max(id) FROM commits)")
    connection.close()
    with StateManager.open(database) as manager:
        for ask in (manager.get_state, manager.get_state_history, manager.recover_from_checkpoint):
            with pytest.raises(MilepostError, match="was noted as the newest"):
                ask("second")
        with pytest.raises(MilepostError, match="not where it was sealed"):
            manager.list_jobs()
        with pytest.raises(MilepostError, match="was noted as the newest"):
            manager.fire("second", "pause", operator=True)
        assert manager.get_state("first").progress.done == 17


def test_a_writer_appends_nothing_to_what_it_cannot_vouch_for(database: Path) -> None:
    """A write on a damaged log is an error or what it would have been; it is never lost."""
    whole = database.read_bytes()
    with StateManager.open(database) as manager:
        after = manager.fire("first", "pause", operator=True)
        expected = (after.seq, after.phase, after.progress, after.fence)
    for offset in range(0, len(whole), 211 if SOAK else 1511):
        database.write_bytes(whole)
        flip(database, offset, offset % 8)
        try:
            with StateManager.open(database, create=False) as manager:
                after = manager.fire("first", "pause", operator=True)
                again = StateManager.open(database, read_only=True)
                with again:
                    assert again.get_state("first") == after
        except MilepostError as error:
            assert not isinstance(error, DENIALS)
        else:
            assert (after.seq, after.phase, after.progress, after.fence) == expected
