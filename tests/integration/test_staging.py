"""Items that come in as a stream: bounded memory, all or nothing, no lock while one is awaited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from milepost import Item, ItemEvent, JobAbsent, JobExists, StateManager
from milepost.errors import ItemKeyDuplicate, StagingExpired, ValueInvalid
from milepost.items import key_index as keys
from milepost.items.blocks import BLOCK_ITEMS
from milepost.items.key_index import SEGMENT_KEYS
from milepost.state.persistence import open_store
from milepost.state.writing.staging import STAGED_FOR_S
from milepost.testing import FakeClock
from tests.stateful.observing import crash_image
from tests.stores.make import store_of

MANY = 2 * SEGMENT_KEYS + 1500


def names(count: int = MANY) -> Iterator[str]:
    return (f"item-{n}" for n in range(count))


def counted(path: Path) -> dict[str, int]:
    """How many rows each table of inputs has, and how many jobs there are."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return {
            table: next(iter(connection.execute(f"SELECT count(*) FROM {table}")))[0]
            for table in ("jobs", "inputs", "key_segments", "staged")
        }


NOTHING = {"jobs": 0, "inputs": 0, "key_segments": 0, "staged": 0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(path: Path, clock: FakeClock) -> Iterator[StateManager]:
    with StateManager.open(path, durability="process", clock=clock) as opened:
        yield opened


def test_a_stream_is_written_as_it_comes_in(manager: StateManager) -> None:
    """What was read and is not stored yet is bounded; nobody sees the job before the end."""
    ahead = 0

    def watched() -> Iterator[str]:
        nonlocal ahead
        for position, name in enumerate(names()):
            if position % 1000 == 0:
                with manager._store.reading() as reader:
                    stored = sum(staged.count for staged in reader.staged())
                ahead = max(ahead, position - stored)
                assert manager.job_ids() == []
            yield name

    state = manager.create_job(watched(), job_id="j")
    assert ahead <= SEGMENT_KEYS + BLOCK_ITEMS
    assert state.items.count == MANY
    for ordinal in (0, SEGMENT_KEYS - 1, SEGMENT_KEYS, MANY - 1):
        key = f"item-{ordinal}"
        assert state.inputs.key(ordinal) == state.inputs.value(ordinal) == key
        assert state.inputs.ordinal(key) == ordinal
    assert f"item-{MANY}" not in state.keys_in("pending")
    assert manager.verify("j")[0].sound
    with manager._store.reading() as reader:
        assert reader.staged() == []


def test_others_write_while_an_item_is_waited_for(
    manager: StateManager, path: Path, clock: FakeClock
) -> None:
    """No lock is held: another process's jobs go on, and are created, meanwhile."""

    def slow() -> Iterator[str]:
        for position, name in enumerate(names()):
            if position % SEGMENT_KEYS == 5000:
                with StateManager.open(path, busy_timeout_s=0.0, clock=clock) as other:
                    other.create_job(["a"], job_id=f"other-{position}")
                    other.fire(f"other-{position}", "start_map")
                    other.record(f"other-{position}", [ItemEvent("a", "start")])
            yield name

    manager.create_job(slow(), job_id="slow")
    assert len(manager.job_ids("other-")) == 2
    assert manager.get_state("slow").inputs.key(0) == "item-0"
    assert all(verification.sound for verification in manager.verify())


class Broken(Exception):
    pass


def breaks(count: int) -> Iterator[str]:
    yield from names(count)
    raise Broken


@pytest.mark.parametrize("count", [10, MANY])
def test_a_stream_that_breaks_off_leaves_nothing(
    manager: StateManager, path: Path, count: int
) -> None:
    """All or nothing, whether or not some was staged; the same id can be used at once."""
    with pytest.raises(Broken):
        manager.create_job(breaks(count), job_id="j")
    with pytest.raises(JobAbsent):
        manager.get_state("j")
    assert counted(path) == NOTHING
    assert manager.create_job(["a"], job_id="j").items.count == 1


@pytest.mark.parametrize(
    ("first", "second"), [(3, 70_000), (65_535, 65_536), (70_000, 70_001), (5, MANY)]
)
def test_a_key_that_comes_twice_is_found_however_far_apart(
    manager: StateManager, path: Path, first: int, second: int
) -> None:
    """The positions of both are told, and nothing is stored."""

    def twice() -> Iterator[str]:
        for position, name in enumerate(names(MANY + 1)):
            yield f"item-{first}" if position == second else name

    with pytest.raises(ItemKeyDuplicate) as duplicate:
        manager.create_job(twice(), job_id="j")
    assert (duplicate.value.first, duplicate.value.second) == (first, second)
    assert counted(path) == NOTHING


def test_keys_with_one_hash_are_told_apart(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash says where to look; the key itself decides, in a list and when one is looked for."""

    class OneHash:
        def __init__(self, data: bytes, digest_size: int) -> None:
            self._digest = bytes(digest_size)

        def digest(self) -> bytes:
            return self._digest

    monkeypatch.setattr(keys, "blake2b", OneHash)
    state = manager.create_job(names(300), job_id="j")
    assert [state.inputs.ordinal(f"item-{n}") for n in range(300)] == list(range(300))
    assert "item-300" not in state.keys_in("pending")
    with pytest.raises(ItemKeyDuplicate):
        manager.create_job([*names(300), "item-7"], job_id="k")


def test_what_a_dead_writer_left_is_swept_in_time(
    manager: StateManager, path: Path, tmp_path: Path, clock: FakeClock
) -> None:
    """A crash in the middle of a list: no job, sound files, and a week later no rows either."""

    def dies() -> Iterator[str]:
        for position, name in enumerate(names()):
            if position == MANY - 1:
                crash_image(path, tmp_path / "crash")
            yield name

    manager.create_job(dies(), job_id="j")
    image = tmp_path / "crash" / path.name
    with StateManager.open(image, clock=clock) as after:
        assert after.job_ids() == []
        assert after.verify() == []
        after.create_job(["a"], job_id="soon")
        assert counted(image)["inputs"] > 2 * SEGMENT_KEYS / BLOCK_ITEMS
        clock.advance(STAGED_FOR_S + 1)
        after.create_job(["a"], job_id="late")
        assert counted(image) == {"jobs": 2, "inputs": 2, "key_segments": 2, "staged": 0}
        assert all(verification.sound for verification in after.verify())


def test_a_writer_whose_items_were_swept_is_told(
    manager: StateManager, path: Path, clock: FakeClock
) -> None:
    """It took longer than a week over one item: no half of a job comes of it."""

    def asleep() -> Iterator[str]:
        for position, name in enumerate(names()):
            if position == MANY - 10:
                clock.advance(STAGED_FOR_S + 1)
                with StateManager.open(path, clock=clock) as other:
                    other.create_job(["a"], job_id="other")
            yield name

    with pytest.raises(StagingExpired):
        manager.create_job(asleep(), job_id="j")
    assert manager.job_ids() == ["other"]
    assert counted(path) == {"jobs": 1, "inputs": 1, "key_segments": 1, "staged": 0}


def test_items_that_come_slowly_keep_their_staging_alive(
    manager: StateManager, path: Path, clock: FakeClock
) -> None:
    """A block an hour is enough: what was staged is not taken for left behind."""

    def slow() -> Iterator[str]:
        for position, name in enumerate(names(20 * BLOCK_ITEMS)):
            if position % BLOCK_ITEMS == 0:
                clock.advance(STAGED_FOR_S / 2)
                with StateManager.open(path, clock=clock) as other:
                    other.create_job([], job_id=f"other-{position}")
            yield name

    state = manager.create_job(slow(), job_id="j")
    assert state.inputs.key(20 * BLOCK_ITEMS - 1) == f"item-{20 * BLOCK_ITEMS - 1}"
    assert all(verification.sound for verification in manager.verify())


def test_the_first_to_finish_has_the_id(
    manager: StateManager, path: Path, clock: FakeClock
) -> None:
    """Two lists for one id: the second to end is refused, and leaves nothing."""

    def overtaken() -> Iterator[str]:
        yield from names()
        with StateManager.open(path, clock=clock) as other:
            other.create_job(["a"], job_id="j")

    with pytest.raises(JobExists):
        manager.create_job(overtaken(), job_id="j")
    assert manager.get_state("j").items.count == 1
    assert counted(path) == {"jobs": 1, "inputs": 1, "key_segments": 1, "staged": 0}

    def never() -> Iterator[str]:
        raise AssertionError("the id is taken: nothing needs to be read")
        yield

    with pytest.raises(JobExists):
        manager.create_job(never(), job_id="j")


def test_large_values_are_stored_in_smaller_blocks(manager: StateManager) -> None:
    """A block ends where its values become large, so that its limit is not met by their number."""
    items = [Item(key=f"k{n}", value=chr(97 + n % 26) * 1_000_000) for n in range(70)]
    state = manager.create_job(items, job_id="j")
    for ordinal in (0, 3, 4, 69):
        assert state.inputs.ordinal(f"k{ordinal}") == ordinal
        assert state.inputs.value(ordinal) == items[ordinal].value
    assert manager.verify("j")[0].sound


def test_a_file_of_the_first_format_has_its_keys_found(manager: StateManager, path: Path) -> None:
    """Where keys are is made from the keys: in memory, and nothing is written to do so."""
    manager.close()
    old = path.with_name("old.db")
    old.write_bytes(store_of(1).read_bytes())
    before = old.read_bytes()
    with StateManager.open(old, read_only=True) as reader:
        state = reader.get_state("left")
        assert state.item("item 11") == state.items.member(11)
        assert "item 12" not in state.keys_in("pending")
        assert reader.verify("left")[0].sound
    assert old.read_bytes() == before
    with StateManager.open(old) as writer:
        (event,) = [ItemEvent("item 7", "start")]
        assert writer.record("left", [event], operator=True).item("item 7")[0] == "running"


def test_a_damaged_index_of_keys_is_made_anew(manager: StateManager, path: Path) -> None:
    """It is derived: a bit that flipped in it costs time, and no item."""
    manager.create_job(names(5000), job_id="j")
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE key_segments SET offsets = zeroblob(length(offsets))")
    with StateManager.open(path, read_only=True) as reader:
        state = reader.get_state("j")
        assert [state.inputs.ordinal(f"item-{n}") for n in (0, 2500, 4999)] == [0, 2500, 4999]


def test_what_cannot_be_stored_is_told_before_anything_is(
    manager: StateManager, path: Path
) -> None:
    """A bad item late in a long list: its position, and nothing left of those before it."""

    def late() -> Iterator[object]:
        yield from names()
        yield {1, 2}

    with pytest.raises(ValueInvalid, match=f"item {MANY}"):
        manager.create_job(late(), job_id="j")
    assert counted(path) == NOTHING


def test_memory_too_takes_a_list_in_pieces() -> None:
    """The other store: the same staging, the same sweep."""
    clock = FakeClock()
    store = open_store("memory:")
    manager = StateManager(store, clock=clock)
    with pytest.raises(Broken):
        manager.create_job(breaks(MANY), job_id="j")
    with store.reading() as reader:
        assert reader.staged() == []
        assert list(reader.inputs(1)) == []
    assert manager.create_job(names(), job_id="j").inputs.ordinal(f"item-{MANY - 1}") == MANY - 1
