"""The same result again, in a process that has just begun: no far look under the lock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milepost import ItemEvent, JobState, RecordConflict, StateManager
from milepost.log.rows import Row
from milepost.state.transitions import Write
from milepost.stores.sqlite.reading import SqliteReader
from milepost.stores.sqlite.writing import SqliteWriter

COUNT = 1_500
FEW = 20
"""So many rows may be read under the lock: the newest, and the one that has the result."""

SAME = ItemEvent(7, "succeed", {"result": 7})
OTHER = ItemEvent(7, "succeed", {"result": 8})

WAYS: dict[str, Callable[[StateManager, ItemEvent], object]] = {
    "record": lambda manager, event: manager.record("j", [event]),
    "update_state": lambda manager, event: manager.update_state("j", lambda _: event, tries=1),
    "write_each": lambda manager, event: manager.write_each([Write("j", [event])])[0],
    "write_each by key": lambda manager, event: manager.write_each(
        [Write("j", [event._replace(item="k7")])]
    )[0],
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of 1,500 results, a commit each, and a checkpoint at its end."""
    path = tmp_path_factory.mktemp("again") / "jobs.db"
    with StateManager.open(path, durability="process") as manager:
        manager.create_job([f"k{n}" for n in range(COUNT)], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(COUNT)])
        for n in range(COUNT):
            manager.record("j", [ItemEvent(n, "succeed", {"result": n})])
        manager.create_checkpoint("j")
    return path


@pytest.fixture
def manager(stored: Path, tmp_path: Path) -> Iterator[StateManager]:
    """A manager that knows nothing of the job yet."""
    path = shutil.copy(stored, tmp_path / "jobs.db")
    with StateManager.open(path, durability="process") as opened:
        yield opened


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many rows were read under the lock, and how many without it."""
    found = {"locked": 0, "free": 0}
    rows = SqliteReader.rows

    def counting(
        self: SqliteReader,
        job: int,
        after: int = 0,
        upto: int | None = None,
        *,
        bodies: bool = False,
    ) -> Iterator[Row]:
        for row in rows(self, job, after, upto, bodies=bodies):
            found["locked" if isinstance(self, SqliteWriter) else "free"] += 1
            yield row

    monkeypatch.setattr(SqliteReader, "rows", counting)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_far_look_is_taken_under_the_lock(
    manager: StateManager, counted: dict[str, int], way: str
) -> None:
    before = manager.get_state("j").seq
    answer = WAYS[way](manager, SAME)
    assert isinstance(answer, JobState)
    assert answer.seq == before  # it was there
    assert counted["locked"] <= FEW
    assert counted["free"] > COUNT  # so the count counts, and where it is was looked for


@pytest.mark.parametrize("way", WAYS)
def test_another_result_is_refused_as_before(
    manager: StateManager, counted: dict[str, int], way: str
) -> None:
    try:
        answer = WAYS[way](manager, OTHER)
    except RecordConflict as error:
        answer = error
    assert isinstance(answer, RecordConflict)
    assert answer.item == "k7"
    assert counted["locked"] <= FEW
    assert manager.get_state("j").rejected_count == 1


def test_requests_of_one_call_keep_their_order(manager: StateManager) -> None:
    """The same result, then the item done again with another: the first finds nothing to do."""
    writes = [
        Write("j", [SAME]),
        Write("j", [ItemEvent(7, "redo")]),
        Write("j", [ItemEvent(7, "start"), OTHER]),
    ]
    answers = manager.write_each(writes)
    assert all(isinstance(answer, JobState) for answer in answers)
    assert manager.result_of("j", "k7") == 8


def test_what_is_near_is_looked_for_at_once(manager: StateManager, counted: dict[str, int]) -> None:
    """Once it is known where results are, the next same result costs a row or two."""
    manager.record("j", [SAME])
    counted["free"] = 0
    manager.record("j", [ItemEvent(1_400, "succeed", {"result": 1_400})])
    assert counted["free"] <= FEW
