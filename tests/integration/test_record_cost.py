"""What one durable record costs, in counts that no busy machine changes: calls, statements, pages.

Each bound is a little above what was counted when it was set: what raises it says why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import apsw
import pytest

import milepost
from milepost import ItemEvent, JobState, StateManager

ITEMS = 200
CALLS = {"file": 102, "memory": 80}
STATEMENTS = [
    "BEGIN IMMEDIATE",
    "INSERT INTO commits",
    "TRIGGER commits_follow",
    "SELECT RAISE",
    "INSERT OR REPLACE INTO tips",
    "COMMIT",
]
PAGES = 2.6
"""Of the write-ahead log: the row's, the note's, and now and then those of a page that is new."""

_FRAME_BYTES = 24 + 4096  # sqlite.org/fileformat2.html, section 4.1
_HERE = str(Path(milepost.__file__).parent)
RESULT = {"file": "src/parser.py", "verdict": "minor", "score": 0.25, "summary": "x" * 280}


def _begun(url: str) -> StateManager:
    manager = StateManager.open(url)
    manager.create_job([f"item-{number}" for number in range(ITEMS)], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(item, "start") for item in range(ITEMS)])
    for item in range(20):  # what is made once is made
        _record(manager, item)
    return manager


def _record(manager: StateManager, item: int) -> JobState:
    return manager.record("j", [ItemEvent(item, "succeed", {"result": RESULT})])


@pytest.fixture(params=["file", "memory"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def manager(tmp_path: Path, kind: str) -> Iterator[StateManager]:
    with _begun(str(tmp_path / "jobs.db") if kind == "file" else "memory:") as manager:
        yield manager


def _called(act: Callable[[], object]) -> list[CodeType]:
    """The functions of Milepost that `act` called, one for each call."""
    called: list[CodeType] = []

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith((_HERE, "<string>")):
            called.append(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return called


def test_a_record_is_so_many_calls(manager: StateManager, kind: str) -> None:
    called = _called(lambda: _record(manager, 30))
    assert manager.get_state("j").progress.done == 21
    assert len(called) <= CALLS[kind], [code.co_qualname for code in called]


def test_two_records_are_at_most_twice_as_many(manager: StateManager) -> None:
    """The count counts, and nothing grows from one record to the next.

    Files that have just been made are looked at more closely, so the first may be more.
    """
    one = len(_called(lambda: _record(manager, 30)))
    both = len(_called(lambda: [_record(manager, item) for item in (31, 32)]))
    assert one > 40
    assert one < both <= 2 * one + 4


def test_a_record_is_so_many_statements(tmp_path: Path) -> None:
    said: list[str] = []

    def note(event: dict[str, Any]) -> None:
        said.append(str(event["sql"]))

    def hook(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, note)

    apsw.connection_hooks.append(hook)
    try:
        with _begun(str(tmp_path / "jobs.db")) as manager:
            said.clear()
            _record(manager, 30)
            found = list(said)
    finally:
        apsw.connection_hooks.remove(hook)
    assert len(found) == len(STATEMENTS), found
    for sql, begins in zip(found, STATEMENTS, strict=True):
        assert sql.lstrip("- \n").startswith(begins)


def test_a_record_is_so_many_pages_of_the_log(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    with _begun(str(database)) as manager:
        log = Path(f"{database}-wal")
        before_bytes = log.stat().st_size
        for item in range(20, 120):
            _record(manager, item)
        pages = (log.stat().st_size - before_bytes) / _FRAME_BYTES
    assert 200 <= pages <= PAGES * 100
