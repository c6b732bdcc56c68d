"""Managers of one store: threads, shared commits, what one wrote and another decides on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from milepost.errors import StoreError, TransitionRefused, ValueInvalid
from milepost.log import codec
from milepost.log.rows import Tip
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.contracts.stores.opened import OpenedStore

__all__ = ["ManagerContract"]


def _together(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in `count` threads that start at once; errors are raised here."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class _Lying:
    """A store that says that nobody wrote, whoever did."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:  # Any: all else is as it was
        return getattr(self._store, name)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:  # Any: a writer, but for its mark
        with self._store.writing(*jobs) as writer:
            yield _Unmarked(writer)

    appending = writing


class _Unmarked:
    """Its writer."""

    mark = 0

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        """Take it on trust."""

    def __getattr__(self, name: str) -> Any:  # Any: all else is as it was
        return getattr(self._writer, name)


def _wait_for(manager: StateManager, count: int, threads: list[threading.Thread]) -> None:
    """Until so many of the threads that record wait for the commit that is under way."""
    line = manager._appender._line  # noqa: SLF001 nobody but a test asks
    while len(line.waiting) < count:
        alive = sum(thread.is_alive() for thread in threads)
        assert alive > count, "a thread has ended beside a commit that it was to wait for"
        os.sched_yield()


def _tips(store: StateStore) -> list[Tip]:
    with store.reading() as reader:
        return list(reader.tips())


class ManagerContract(OpenedStore):
    """Managers of one store: each result is recorded once, whoever records beside them."""

    def test_threads_that_record_at_once_are_all_acknowledged_once(self, store: StateStore) -> None:
        """64 threads, two managers: every result is there once."""
        managers = [StateManager(store, clock=FakeClock()) for _ in range(2)]
        count, each = 64, 4
        managers[0].create_job([f"{n}" for n in range(count * each)], job_id="j")
        managers[0].fire("j", "start_map")

        def work(number: int) -> None:
            for n in range(number * each, (number + 1) * each):
                manager = managers[n % 2]
                manager.record("j", [ItemEvent(n, "start")])
                state = manager.record("j", [ItemEvent(n, "succeed", {"result": {"n": n}})])
                assert state.items.member(n)[0] == "done"

        _together(count, work)
        found = dict(managers[1].results("j"))
        assert found == {f"{n}": {"n": n} for n in range(count * each)}
        state = managers[0].get_state("j")
        assert state.progress.done == count * each
        assert managers[0].verify("j")[0].sound

    def test_those_who_wait_share_one_commit(self, store: StateStore) -> None:
        """While one commit is under way the others queue up, and then need just one more."""
        manager = StateManager(store, clock=FakeClock())
        manager.create_job([f"{n}" for n in range(20)], job_id="j")
        manager.fire("j", "start_map")
        work = [
            threading.Thread(
                target=manager.record, args=("j", [ItemEvent(n, "start")]), daemon=True
            )
            for n in range(20)
        ]
        with store.writing():  # nobody's commit can end before all of them wait
            for thread in work:
                thread.start()
            _wait_for(manager, 19, work)
        for thread in work:
            thread.join()
        state = manager.get_state("j")
        assert state.progress.running == 20
        assert state.seq == 2 + 2  # the first to come, then all the others
        (together,) = manager.get_state_history("j", after=3)
        assert len(together.items) == 19, "what is alike becomes one fact"
        assert manager.verify("j")[0].sound

    def test_requests_too_large_together_are_written_one_by_one(
        self, store: StateStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The limit is on a commit; what fits alone is never refused for its neighbours."""
        monkeypatch.setattr(codec, "MAX_BLOCK_BYTES", 4_000)
        manager = StateManager(store, clock=FakeClock())
        manager.create_job([f"{n}" for n in range(6)], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(6)])
        sizes = [3_000, 3_000, 3_000, 9_000, 3_000, 3_000]
        refused: list[int] = []

        def work(number: int) -> None:
            result = {"result": "x" * sizes[number]}
            try:
                manager.record("j", [ItemEvent(number, "succeed", result)])
            except ValueInvalid:
                refused.append(number)

        threads = [
            threading.Thread(target=work, args=(number,), daemon=True) for number in range(6)
        ]
        with store.writing():
            for thread in threads:
                thread.start()
            _wait_for(manager, 5, threads)
        for thread in threads:
            thread.join()
        assert refused == [3]
        assert set(dict(manager.results("j"))) == {"0", "1", "2", "4", "5"}
        assert StateManager(store).get_state("j") == manager.get_state("j")
        assert manager.verify("j")[0].sound

    def test_a_request_that_is_refused_does_not_spoil_those_beside_it(
        self, store: StateStore
    ) -> None:
        """In one shared commit each request stands for itself."""
        manager = StateManager(store, clock=FakeClock())
        manager.create_job([f"{n}" for n in range(32)], job_id="j")
        manager.fire("j", "start_map")
        refused: list[int] = []

        def work(number: int) -> None:
            events = [ItemEvent(number // 2, "start")]
            try:
                manager.record("j", events)
            except TransitionRefused:
                refused.append(number)

        _together(32, work)
        state = manager.get_state("j")
        assert len(refused) == 16  # of each two that wanted the same item, one
        assert state.progress.running == 16
        assert manager.verify("j")[0].sound

    def test_what_one_manager_wrote_another_reads(self, store: StateStore) -> None:
        """States are equal wherever they are read."""
        one, two = (StateManager(store, clock=FakeClock()) for _ in range(2))
        one.create_job({"a": 1, "b": 2}, job_id="j", variables={"x": [1, 2]})
        two.fire("j", "start_map", {"variables": {"y": None}})
        two.record("j", [ItemEvent("a", "start")])
        assert one.get_state("j") == two.get_state("j")
        assert dict(one.get_state("j").variables) == {"x": [1, 2], "y": None}
        assert one.state_at("j", 1).phase == "setup"
        assert [e.event for e in one.get_state_history("j")] == ["created", "start_map", "start"]

    def test_two_managers_of_one_store_decide_on_what_the_other_wrote(
        self, store: StateStore
    ) -> None:
        """Neither reads again what it wrote itself; both see at once what the other did."""
        one, other = (StateManager(store, clock=FakeClock()) for _ in range(2))
        one.create_job(["a", "b", "c"], job_id="j")
        one.fire("j", "start_map")
        one.record("j", [ItemEvent("a", "start")])
        other.record("j", [ItemEvent("b", "start")])
        with pytest.raises(TransitionRefused):
            one.record("j", [ItemEvent("b", "start")])
        assert one.record("j", [ItemEvent("c", "start")]).progress.running == 3
        assert other.record("j", [ItemEvent("c", "succeed", {"result": 1})]).seq == 6
        assert one.verify("j")[0].sound

    def test_a_mark_that_lies_is_met_by_the_log(self, store: StateStore) -> None:
        """The control of the two tests above: a stale decision is never written (INV-GAPLESS)."""
        one, other = (
            StateManager(cast("StateStore", _Lying(store)), clock=FakeClock()) for _ in range(2)
        )
        one.create_job(["a", "b"], job_id="j")
        one.fire("j", "start_map")
        other.record("j", [ItemEvent("a", "start")])
        with pytest.raises(StoreError):
            one.record("j", [ItemEvent("a", "start")])
        assert one.record("j", [ItemEvent("b", "start")]).seq == 4, "it looked again"

    def test_a_log_reads_the_same_once_it_was_compacted(self, store: StateStore) -> None:
        """A store that merges rows says how many; one that keeps them as they are says none."""
        manager = StateManager(store, clock=FakeClock())
        manager.create_job([f"{n}" for n in range(8)], job_id="j")
        manager.fire("j", "start_map")
        for n in range(8):
            manager.record("j", [ItemEvent(n, "start")])
            manager.record("j", [ItemEvent(n, "succeed", {"result": {"n": n}})])
        manager.fire("j", "cancel")
        before = manager.get_state("j"), dict(manager.results("j")), manager.state_at("j", 7)
        planned, done = manager.compact("j", dry_run=True), manager.compact("j")
        assert (planned.rows, planned.commits, done.commits) == (done.rows, 19, 19)
        assert (done.rows == 0) == (done.blocks == 0)
        assert done.bytes_after < done.bytes_before or done.blocks == done.bytes_before == 0
        assert manager.compact("j").rows == 0
        fresh = StateManager(store, clock=FakeClock())
        found = fresh.get_state("j"), dict(fresh.results("j")), fresh.state_at("j", 7)
        assert found == before
        assert [tip.row.seq for tip in _tips(store)] == [19]
        assert fresh.create_checkpoint("j").seq == 19
        assert fresh.verify("j")[0].sound
