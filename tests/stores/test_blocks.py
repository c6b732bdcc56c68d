"""A log reads the same whatever of it is in blocks, and compaction can end at any point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, StateManager
from milepost.errors import LogCorrupt, StoreError
from milepost.log import blocks
from milepost.log.compression import zstd
from milepost.log.rows import Block, Row
from milepost.state.persistence import open_store
from milepost.stores.sqlite.store import SqliteStore
from milepost.testing import FakeClock

JOB = "j"
ITEMS = 12


def small_blocks(patch: pytest.MonkeyPatch, rows: int = 3, loose_bytes: int = 4_000) -> None:
    patch.setattr(blocks, "BLOCK_ROWS", rows)
    patch.setattr(blocks, "LOOSE_BYTES", loose_bytes)


def observed(manager: StateManager) -> dict[str, Any]:
    """All that can be read of the job, at every commit of it."""
    state = manager.get_state(JOB)
    with manager._store.reading() as reader:
        job = reader.job(JOB)
        assert job is not None
        rows = {
            bodies: [blocks.loosened(row) for row in reader.rows(job.number, bodies=bodies)]
            for bodies in (True, False)
        }
        assert reader.tip(job.number) == next(reader.rows(job.number, state.seq - 1))
        for after in range(state.seq + 1):
            for upto in range(after, state.seq + 1):
                part = [blocks.loosened(row) for row in reader.rows(job.number, after, upto)]
                assert [row.seq for row in part] == list(range(after + 1, upto + 1))
                assert [row.digest for row in part] == [r.digest for r in rows[True][after:upto]]
    events = manager.get_state_history(JOB)
    (verification,) = manager.verify(JOB)
    assert verification.sound, verification.problems
    return {
        "rows": rows[True],
        "heads": [msgspec.structs.replace(row, body=b"") for row in rows[True]],
        "state": state,
        "states": [manager.state_at(JOB, seq) for seq in range(1, state.seq + 1)],
        "events": [(e.seq, e.at, e.event, e.payload, list(e.items)) for e in events],
        "results": dict(manager.results(JOB)),
        "failures": manager.failures(JOB),
        "commits": verification.commits,
        "jobs": manager.list_jobs(),
    }


def start(store: Any) -> StateManager:
    manager = StateManager(store, clock=FakeClock())
    manager.create_job([f"{n}" for n in range(ITEMS)], job_id=JOB, config={"max_attempts": 9})
    manager.fire(JOB, "start_map")
    return manager


def act(manager: StateManager, kind: str, item: int, size: int) -> None:
    """One commit of the kind that is wanted, or of one that is legal for the item now."""
    state = manager.get_state(JOB).items.member(item)[0]
    text = "".join(chr(97 + (n * n + item) % 26) for n in range(size))
    if kind == "variables":
        manager.fire(JOB, "set_variables", {"variables": {"v": text[:300]}})
    elif kind == "checkpoint":
        manager.create_checkpoint(JOB)
    elif state == "pending":
        manager.record(JOB, [ItemEvent(item, "start")])
    elif state == "running" and kind == "succeed":
        manager.record(JOB, [ItemEvent(item, "succeed", {"result": text})])
    elif state == "running":
        failed = {"cause": "error", "message": text}
        manager.record(JOB, [ItemEvent(item, "fail", failed), ItemEvent(item, "retry")])


actions = st.tuples(
    st.sampled_from(["succeed", "fail", "variables", "checkpoint", "compact"]),
    st.integers(0, ITEMS - 1),
    st.sampled_from([0, 5, 700, 3_000, 9_000]),
)


@given(done=st.lists(actions, max_size=14), rows=st.integers(1, 5), finish=st.booleans())
@settings(deadline=None, max_examples=40)
def test_any_log_reads_the_same_wherever_it_was_compacted(
    tmp_path_factory: pytest.TempPathFactory,
    done: list[tuple[str, int, int]],
    rows: int,
    *,
    finish: bool,
) -> None:
    """Against the same history in memory, where nothing is ever merged."""
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, rows)
        path = tmp_path_factory.mktemp("log") / "jobs.db"
        tight, plain = start(SqliteStore(path)), start(open_store("memory:"))
        for kind, item, size in done:
            if kind == "compact":
                tight.compact(JOB)
            else:
                act(tight, kind, item, size)
                act(plain, kind, item, size)
        if finish:
            for manager in (tight, plain):
                manager.fire(JOB, "cancel")
            assert tight.compact(JOB).dry_run is False
        expected = observed(plain)
        assert observed(tight) == expected
        assert tight.compact(JOB, dry_run=True).rows == 0 or not finish
        fresh = StateManager(SqliteStore(path), clock=FakeClock())
        assert observed(fresh) == expected
        for manager in (tight, plain, fresh):
            manager.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def manager(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateManager]:
    """A finished job of twenty-odd commits, all of them loose; blocks are of five rows."""
    small_blocks(monkeypatch, rows=5)
    opened = start(SqliteStore(path))
    for number in range(ITEMS):
        act(opened, "succeed", number, 40)
        act(opened, "succeed", number, 40)
    opened.fire(JOB, "cancel")
    yield opened
    opened.close()


def ranges(manager: StateManager) -> list[tuple[int, int]]:
    with manager._store.reading() as reader:
        return list(reader.blocks(1))


def test_the_newest_row_stays_and_the_job_goes_on(manager: StateManager) -> None:
    """Appending needs the row before (INV-GAPLESS), whose place is not in a block."""
    before = observed(manager)
    done = manager.compact(JOB)
    assert (done.commits, done.rows, done.blocks) == (27, 25, 5)
    assert done.bytes_after < done.bytes_before
    assert ranges(manager) == [(1, 5), (6, 10), (11, 15), (16, 20), (21, 25)]
    assert observed(manager) == before
    manager.create_checkpoint(JOB)
    assert manager.get_state(JOB).seq == 28
    assert manager.verify(JOB)[0].sound
    assert manager.compact(JOB).rows == 0  # two small rows are no smaller as a block


def test_a_dry_run_says_what_would_be_and_changes_nothing(
    manager: StateManager, path: Path
) -> None:
    """It can be had from a store that is open for reading."""
    with StateManager.open(path, read_only=True) as reader:
        planned = reader.compact(JOB, dry_run=True)
    assert ranges(manager) == []
    done = manager.compact(JOB)
    assert (planned.rows, planned.bytes_after) == (done.rows, done.bytes_after)
    assert (planned.dry_run, done.dry_run) == (True, False)


def test_a_job_under_way_keeps_what_does_not_fill_a_block(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So compacting it again and again does not leave small blocks."""
    small_blocks(monkeypatch, rows=5)
    manager = start(SqliteStore(path))
    for number in range(ITEMS):
        act(manager, "succeed", number, 40)
        manager.compact(JOB)
    assert ranges(manager) == [(1, 5), (6, 10)]
    manager.close()


def test_a_reader_sees_one_moment_across_a_compaction(manager: StateManager) -> None:
    """What began before goes on as before; what begins after gives the same."""
    with manager._store.reading() as reader:
        first = list(reader.rows(1, 0, 3, bodies=True))
        manager.compact(JOB)
        assert [row.seq for row in reader.rows(1, 3)] == list(range(4, 28))
        assert list(reader.blocks(1)) == []
        assert list(reader.rows(1, 0, 3, bodies=True)) == first
    with manager._store.reading() as reader:
        assert [blocks.loosened(r) for r in reader.rows(1, 0, 3, bodies=True)] == [
            blocks.loosened(row) for row in first
        ]


def test_results_are_streamed_across_a_compaction(manager: StateManager) -> None:
    """A generator that is half way through a moment keeps to it."""
    expected = dict(manager.results(JOB))
    results = manager.results(JOB)
    got = [next(results)]
    manager.compact(JOB)
    got += results
    assert dict(got) == expected


class StopError(Exception):
    """Put in where a compaction is to end."""


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("within", [False, True], ids=["between blocks", "within a commit"])
def test_a_compaction_that_is_cut_short_is_taken_up_again(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch, after: int, *, within: bool
) -> None:
    """Each block is a commit: it is there whole, or its rows are."""
    from milepost.stores.sqlite.writing import SqliteWriter

    before = observed(manager)
    put = SqliteWriter.put_block
    made: list[Block] = []

    def stopping(writer: SqliteWriter, job: int, block: Block) -> bool:
        if not within and len(made) == after:
            raise StopError
        answer = put(writer, job, block)
        if len(made) == after:
            raise StopError
        made.append(block)
        return answer

    monkeypatch.setattr(SqliteWriter, "put_block", stopping)
    with pytest.raises(StopError):
        manager.compact(JOB)
    monkeypatch.undo()
    small_blocks(monkeypatch, rows=5)
    assert len(ranges(manager)) == after
    assert observed(manager) == before
    manager.compact(JOB)
    assert observed(manager) == before


def test_of_two_compactions_at_once_each_block_is_made_by_one(
    manager: StateManager, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds the rows gone, leaves them, and goes on with the next."""
    from milepost.state.keeping import compaction

    before = observed(manager)
    other = StateManager(SqliteStore(path), clock=FakeClock())
    put = compaction._put
    overtaken: list[int] = []

    def overtake(loader: Any, job: Any, block: Block) -> bool:
        monkeypatch.setattr(compaction, "_put", put)
        overtaken.append(other.compact(JOB).rows)
        return put(loader, job, block)

    monkeypatch.setattr(compaction, "_put", overtake)
    assert manager.compact(JOB).rows == 0
    assert overtaken == [25]
    assert observed(manager) == before
    other.close()


def test_a_store_refuses_to_merge_the_newest_row(manager: StateManager) -> None:
    """And rows that are not as they were, or not there."""
    store = manager._store
    with store.reading() as reader:
        rows = [blocks.loosened(row) for row in reader.rows(1, 24, bodies=True)]
    with pytest.raises(StoreError, match="INV-GAPLESS"), store.writing() as writer:
        writer.put_block(1, blocks.encode_block(rows))
    changed = msgspec.structs.replace(rows[1], digest=b"another")
    with store.writing() as writer:
        assert not writer.put_block(1, blocks.encode_block([rows[0], changed]))
        assert not writer.put_block(2, blocks.encode_block(rows[:2]))
        assert writer.put_block(1, blocks.encode_block(rows[:2]))
        assert not writer.put_block(1, blocks.encode_block(rows[:2]))


# Damage


def spoil(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("column", ["head", "body", "at_us", "body_digest", "digest"])
def test_a_row_that_does_not_verify_is_never_merged(
    manager: StateManager, path: Path, column: str
) -> None:
    """It is named, and it and what follows stay as they are, for whoever looks into it."""
    seq = 8
    value = "at_us + 1" if column == "at_us" else "x'5b5d'"
    with manager._store.reading() as reader:
        (row,) = reader.rows(1, seq - 1, seq, bodies=True)
        if not row.body:
            seq += 1
    spoil(path, f"UPDATE commits SET {column} = {value} WHERE seq = {seq}")
    with StateManager.open(path) as fresh:
        known = manager.get_state(JOB)
        fresh._appender.remember(known)
        with pytest.raises(LogCorrupt) as refused:
            fresh.compact(JOB)
        assert refused.value.seq == seq
        assert ranges(fresh) == [(1, 5)]
        assert fresh.verify(JOB)[0].problems[0].seq == seq


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("heads = x'00'", "does not decompress"),
        ("heads = substr(heads, 1, length(heads) - 1)", "cut short"),
        ("heads = CAST(heads || x'00' AS BLOB)", "other bytes"),
        ("heads = bodies", "does not decode"),
        ("last = last - 1", "has 5 rows and not 4"),
    ],
)
def test_a_damaged_block_is_named(
    manager: StateManager, path: Path, damage: str, problem: str
) -> None:
    """By the commits that are in it; what is before it can still be read."""
    manager.compact(JOB)
    spoil(path, f"UPDATE blocks SET {damage} WHERE id & 255 = 6", "DELETE FROM checkpoints")
    with StateManager.open(path, read_only=True) as fresh:
        with pytest.raises(LogCorrupt, match=problem) as found:
            fresh.get_state(JOB)
        assert (found.value.job_id, found.value.seq) == (JOB, 6)
        assert "block of commits 6 to" in str(found.value)
        assert fresh.state_at(JOB, 5).seq == 5
        assert not fresh.verify(JOB)[0].sound


def test_damaged_bodies_leave_the_state_readable(manager: StateManager, path: Path) -> None:
    """A resume decodes no result, and so meets no damage in one."""
    expected = manager.get_state(JOB)
    manager.compact(JOB)
    spoil(path, "UPDATE blocks SET bodies = x'00'")
    with StateManager.open(path, read_only=True) as fresh:
        assert fresh.get_state(JOB) == expected
        with pytest.raises(LogCorrupt, match="block of commits 1 to 5"):
            list(fresh.results(JOB))
        assert not fresh.verify(JOB)[0].sound


def test_a_block_of_other_rows_is_found_by_the_chain(manager: StateManager, path: Path) -> None:
    """What is sound as a block must still be the rows that the log goes on from."""
    manager.compact(JOB)
    with manager._store.reading() as reader:
        rows = [blocks.loosened(row) for row in reader.rows(1, 5, 10, bodies=True)]
    forged = blocks.encode_block(
        [msgspec.structs.replace(row, at_us=row.at_us + 1) for row in rows]
    )
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE blocks SET heads = ? WHERE id & 255 = 6", (forged.heads,))
    connection.close()
    with StateManager.open(path, read_only=True) as fresh:
        assert fresh.verify(JOB)[0].problems[0].seq == 6


def test_a_block_is_bounded() -> None:
    """A few bytes that would become gigabytes are refused before they do."""
    bomb = zstd.compress(bytes(64 * 1024 * 1024 + 1))
    with pytest.raises(ValueError, match="more than"):
        blocks.decode_heads(bomb, 1, 2)


@given(
    rows=st.lists(
        st.builds(
            Row,
            seq=st.just(0),
            fence=st.integers(0, 2**60),
            at_us=st.integers(0, 2**60),
            count=st.integers(0, 2**40),
            format=st.integers(0, 99),
            codec=st.sampled_from(["jj", "j?"]),
            head=st.binary(max_size=30),
            after=st.binary(max_size=30),
            body=st.binary(max_size=30),
            body_digest=st.binary(max_size=16),
            digest=st.binary(max_size=16),
        ),
        min_size=1,
        max_size=8,
    ),
    first=st.integers(1, 2**40 - 9),
)
def test_rows_come_back_from_a_block(rows: list[Row], first: int) -> None:
    """Whatever is in them: a block looks into none."""
    rows = [msgspec.structs.replace(row, seq=first + n) for n, row in enumerate(rows)]
    block = blocks.encode_block(rows)
    heads = blocks.decode_heads(block.heads, block.first, block.last)
    assert heads == [msgspec.structs.replace(row, body=b"") for row in rows]
    assert blocks.decode_bodies(block.bodies, heads) == rows
