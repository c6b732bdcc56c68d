"""Results by key, by range and as a stream: each body read once, and no pass that need not be."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost import ItemEvent, RecordConflict, StateManager
from milepost.errors import ItemAbsent, LogCorrupt
from milepost.log.rows import Row
from milepost.state.reading import values as module
from milepost.state.reading.locating import Locator
from milepost.stores.sqlite.reading import SqliteReader
from milepost.testing import FakeClock

COUNT = 60


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[StateManager]:
    """A job of 60 items, of which those up to 50 are done: out of order, five to a commit."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path, durability="process", clock=FakeClock()) as opened:
        opened.create_job([f"k{n}" for n in range(COUNT)], job_id="j")
        opened.fire("j", "start_map")
        opened.record("j", [ItemEvent(n, "start") for n in range(COUNT)])
        order = list(range(50))
        random.Random(4).shuffle(order)  # noqa: S311 no secrets here
        for at in range(0, 50, 5):
            batch = order[at : at + 5]
            opened.record("j", [ItemEvent(n, "succeed", {"result": n * n}) for n in batch])
        yield opened


class Watched:
    """What the readers of one test asked the store for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heads: list[int] = []
        self.bodies: list[int] = []
        rows = SqliteReader.rows

        def watched(
            reader: SqliteReader, job: int, after: int = 0, upto: int | None = None, **more: Any
        ) -> Iterator[Row]:
            for row in rows(reader, job, after, upto, **more):
                (self.bodies if more.get("bodies") else self.heads).append(row.seq)
                yield row

        monkeypatch.setattr(SqliteReader, "rows", watched)

    def again(self) -> None:
        self.heads.clear()
        self.bodies.clear()


@pytest.fixture
def watched(manager: StateManager, monkeypatch: pytest.MonkeyPatch) -> Watched:
    del manager  # its set-up is not watched
    return Watched(monkeypatch)


def test_one_result_is_found_by_key_or_ordinal(manager: StateManager) -> None:
    """What has none, and what is no item, are told apart."""
    assert manager.result_of("j", "k7") == manager.result_of("j", 7) == 49
    with pytest.raises(KeyError) as none:
        manager.result_of("j", "k55")
    assert not isinstance(none.value, ItemAbsent)
    for absent in ("nope", COUNT, -1):
        with pytest.raises(ItemAbsent):
            manager.result_of("j", absent)


def test_the_second_question_reads_one_commit(manager: StateManager, watched: Watched) -> None:
    """Where results are is remembered, and only what was appended since is looked at."""
    manager.result_of("j", 3)
    assert len(watched.heads) >= 13
    watched.again()
    assert manager.result_of("j", 4) == 16
    assert len(watched.bodies) == 1
    assert len(watched.heads) <= 2  # its own, checked against the one before it
    manager.record("j", [ItemEvent(50, "succeed", {"result": "new"})])
    watched.again()
    assert manager.result_of("j", 50) == "new"
    assert len(watched.bodies) == 1
    assert {13, 14} <= set(watched.heads)
    assert len(watched.heads) <= 4


def test_recording_again_reads_one_commit(manager: StateManager, watched: Watched) -> None:
    """INV-ONCE is checked without a pass over the log for each record that comes again."""
    manager.result_of("j", 3)
    for ordinal in range(5, 15):
        watched.again()
        manager.record("j", [ItemEvent(ordinal, "succeed", {"result": ordinal * ordinal})])
        assert len(watched.bodies) == 1
        assert len(watched.heads) <= 4
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent(5, "succeed", {"result": "other"})])


@pytest.mark.parametrize("order", ["items", "recorded"])
def test_a_stream_decodes_each_body_once(
    manager: StateManager, watched: Watched, order: Any
) -> None:
    """In either order, however they were recorded; the orders are what they say."""
    found = dict(manager.results("j", order=order))
    assert found == {f"k{n}": n * n for n in range(50)}
    of_results = [seq for seq in watched.bodies if seq > 3]
    assert len(of_results) == len(set(of_results)) == 10
    assert (list(found) == [f"k{n}" for n in range(50)]) is (order == "items")


def test_what_is_held_of_a_stream_is_bounded(
    manager: StateManager, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound bodies are decoded again, and every result is still given once."""
    monkeypatch.setattr(module, "_RESULTS_HELD", 10)
    assert list(manager.results("j")) == [(f"k{n}", n * n) for n in range(50)]
    assert len(watched.bodies) > 10
    watched.again()
    assert len(list(manager.results("j", order="recorded"))) == 50
    assert len([seq for seq in watched.bodies if seq > 3]) == 10


@pytest.mark.parametrize("order", ["items", "recorded"])
def test_some_results_are_given_by_keys_and_ranges(
    manager: StateManager, watched: Watched, order: Any
) -> None:
    """Those that are done among them; what is no item is refused."""
    some = dict(manager.results("j", keys=["k9", "k2", "k58"], order=order))
    assert some == {"k2": 4, "k9": 81}
    assert dict(manager.results("j", ordinals=range(48, 55), order=order)) == {
        "k48": 48**2,
        "k49": 49**2,
    }
    both = manager.results("j", keys=["k1"], ordinals=[2], order=order)
    assert dict(both) == {"k1": 1, "k2": 4}
    assert dict(manager.results("j", keys=[], order=order)) == {}
    if order == "items":
        watched.again()
        assert len(list(manager.results("j", ordinals=[1]))) == 1
        assert len(watched.bodies) == 1
    for absent in ({"keys": ["nope"]}, {"ordinals": range(COUNT + 1)}, {"ordinals": [-1]}):
        with pytest.raises(ItemAbsent):
            list(manager.results("j", **absent))  # type: ignore[arg-type]  # one of the two each


def test_a_rewind_undoes_results_and_may_bring_them_back(manager: StateManager) -> None:
    """What is remembered of where results are is of one line of commits."""
    early = manager.create_checkpoint("j")
    manager.record("j", [ItemEvent(50, "succeed", {"result": "first"})])
    late = manager.create_checkpoint("j")
    assert manager.result_of("j", 50) == "first"
    manager.apply(manager.recover_from_checkpoint(early, rewind=True))
    with pytest.raises(KeyError):
        manager.result_of("j", 50)
    assert "k50" not in dict(manager.results("j"))
    manager.record("j", [ItemEvent(50, "start")])
    manager.record("j", [ItemEvent(50, "succeed", {"result": "second"})])
    for order in ("items", "recorded"):
        assert dict(manager.results("j", order=order))["k50"] == "second"  # type: ignore[arg-type]  # a literal
    manager.apply(manager.recover_from_checkpoint(late, rewind=True))
    assert manager.result_of("j", 50) == "first"
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent(50, "succeed", {"result": "second"})])
    assert manager.result_of("j", 49) == 49**2


def test_results_of_added_items_are_found(manager: StateManager) -> None:
    """What is remembered grows with the job."""
    assert manager.result_of("j", 1) == 1
    manager.add_items("j", ["late"])
    manager.record("j", [ItemEvent("late", "start")])
    manager.record("j", [ItemEvent("late", "succeed", {"result": "x"})])
    assert manager.result_of("j", "late") == "x"
    assert dict(manager.results("j"))["late"] == "x"


def test_what_is_remembered_is_bounded(manager: StateManager, monkeypatch: Any) -> None:
    """The job that was asked for longest ago is forgotten, and found again."""
    manager.create_job(["a"], job_id="other")
    locator = Locator(manager.url, most_bytes=COUNT * 8)
    monkeypatch.setattr(manager, "_locator", locator)
    assert manager.result_of("j", 2) == 4
    with pytest.raises(KeyError):
        manager.result_of("other", 0)
    assert [number for number, _ in locator._known] == [2]
    assert manager.result_of("j", 2) == 4
    assert [number for number, _ in locator._known] == [1]


def test_another_log_in_the_place_of_the_first_is_noticed(
    manager: StateManager, tmp_path: Path
) -> None:
    """What is remembered is compared with the log: one of another job is not taken for it."""
    locator = Locator(manager.url)
    with StateManager.open(tmp_path / "other.db", clock=FakeClock()) as other:
        other.create_job([f"k{n}" for n in range(COUNT)], job_id="j")
        other.fire("j", "start_map")
        other.record("j", [ItemEvent(n, "start") for n in range(COUNT)])
        for n in range(20):
            other.record("j", [ItemEvent(n, "succeed", {"result": "other"})])
        for each in (manager, other, manager):
            each._locator = locator
            with each._store.reading() as reader:
                state = each.get_state("j")
                job = reader.job("j")
                assert job is not None
                seqs = locator.locate(reader, job, state).seqs
                done = [n for n in range(COUNT) if 0 < seqs[n] <= state.seq]
            assert done == list(state.items.members("done"))


def test_a_log_that_was_changed_is_not_believed(manager: StateManager) -> None:
    """The pass over the heads checks the chain."""
    state = manager.get_state("j")
    manager.close()

    path = manager.url.removeprefix("sqlite:///")
    connection = apsw.Connection(path)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("UPDATE commits SET at_us = at_us + 1 WHERE id & 0xff = 6")
    connection.close()
    with StateManager.open(path, read_only=True) as again:
        again._appender.remember(state)
        with pytest.raises(LogCorrupt):
            again.result_of("j", 3)


def test_the_same_result_from_two_threads_at_once(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-ONCE within one commit: two bring the same, one another, a fourth an old one again."""
    queued, release = threading.Event(), threading.Event()
    line = manager._appender._line
    serve = line._serve

    def held(tickets: list[Any]) -> None:
        if len(tickets) == 1 and not queued.is_set():
            queued.set()
            release.wait()
        serve(tickets)

    monkeypatch.setattr(line, "_serve", held)

    def told(ordinal: int, result: object) -> str:
        try:
            manager.record("j", [ItemEvent(ordinal, "succeed", {"result": result})])
        except RecordConflict as conflict:
            return conflict.code
        return "recorded"

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(manager.fire, "j", "set_variables", {"variables": {"n": 1}})
        queued.wait()
        answers = []
        for position, (ordinal, result) in enumerate([(50, 1), (50, 1), (50, 2), (7, 49)]):
            answers.append(pool.submit(told, ordinal, result))
            while len(line.waiting) <= position:
                first.done()
        release.set()
        found = [answer.result() for answer in answers]
    assert found == ["recorded", "recorded", "record-conflict", "recorded"]
    assert manager.result_of("j", 50) == 1
    assert manager.get_state("j").rejected_count == 1
    assert manager.verify("j")[0].sound
