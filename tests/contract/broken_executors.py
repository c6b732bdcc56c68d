"""Loops that break what they promise, each in one way: as broken_stores.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from msgspec import structs

from milepost import Item, StateManager
from milepost.testing.contracts import ExecutorContract, Work
from tests.docs.stand_ins.my_executor import executor, work

from .passing import Passing

LOOPS = {
    "TestBeginsAfterwards": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestHoldsNothing": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestGivesValuesAsTexts": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestDropsWhatIsFalse": "test_each_result_is_kept_as_it_was_given",
    "TestNeedsAnItem": "test_a_job_without_items_ends",
    "TestDropsWhatWasRaised": "test_what_fails_once_is_called_once_more",
    "TestCallsTwice": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestDropsAResult": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestGivesItToAnother": "test_each_item_is_called_once_and_gives_its_own_result",
    "TestCallsWhatWasDone": "test_what_the_last_one_left_is_taken_up",
    "TestCallsSuspectsTogether": "test_what_may_have_killed_the_last_one_is_called_alone",
    "TestTakesWhatAnotherHolds": "test_a_job_that_another_holds_is_left_to_it",
    "TestCallsWhatAnotherHolds": "test_a_job_that_another_holds_is_left_to_it",
    "TestNeverEnds": "test_a_job_without_items_ends",
    "TestSwallowsCtrlC": "test_an_interrupt_ends_the_work_and_loses_nothing",
}
"""What breaks something, and the test by which it is found out."""

Outcomes = list[Any]


class Loop(ExecutorContract):
    """The loop of docs/how-to/write-an-executor.md; `broken` has its way with each batch.

    It has the text `new` in place of the `old` of the page.
    """

    many = 200
    old, new = "", ""

    @pytest.fixture
    def work(self) -> Work:
        loop = executor(self.old, self.new)

        def works(manager: StateManager, job_id: str, function: Any) -> None:
            def run_batch(items: Any) -> Outcomes:
                return self.broken(manager, function, list(items))

            loop(manager, job_id, run_batch, len)

        return works

    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [called(function, item) for item in items]


def called(function: Any, item: Any) -> Any:
    try:
        return function(item)
    except Exception as error:  # noqa: BLE001 what it raised is its outcome
        return error


class TestLoop(Loop):
    """The control of the controls."""


class TestCallsTwice(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [(called(function, item), called(function, item))[1] for item in items]


class TestDropsAResult(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        outcomes = [called(function, item) for item in items]
        return [*outcomes[:-1], None]


class TestGivesItToAnother(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        outcomes = [called(function, item) for item in items]
        return [*outcomes[1:], outcomes[0]]


class TestCallsWhatWasDone(Loop):
    """It begins anew, as one who reads no plan does, though it records each item once."""

    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        for key, _ in manager.results("j"):
            called(function, structs.replace(items[0], key=key))
        return [called(function, item) for item in items]


class TestSwallowsCtrlC(Loop):
    """It takes an interrupt for a failure of the item, which it tries once more."""

    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        def surely(item: Any) -> Any:
            try:
                return called(function, item)
            except KeyboardInterrupt:
                return called(function, item)

        return [surely(item) for item in items]


class TestCallsSuspectsTogether(Loop):
    old, new = "list(islice(suspects, 1)) or ", ""


class TestTakesWhatAnotherHolds(Loop):
    old, new = '"batch executor")', '"batch executor", takeover="it must be dead")'


class TestCallsWhatAnotherHolds(Loop):
    """It calls first, and asks for the lease when it has something to record."""

    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            state = manager.get_state(job_id)
            items = [Item(key=state.inputs.key(n), value=n) for n in state.takers("succeed")]
            early = {item.key: called(function, item) for item in items}
            work(manager, job_id, lambda items: [_from(early, function, i) for i in items], len)

        return works


def _from(early: dict[str, Any], function: Any, item: Any) -> Any:
    return early.pop(item.key) if item.key in early else called(function, item)


class Late(Passing):
    """A manager of a loop that has a write before each batch: it comes with the batch's outcome."""

    late: tuple[Any, ...] = ()

    def record(self, job_id: str, events: Any) -> Any:
        events, self.late = [*self.late, *events], ()
        if events and events[-1].event == "start":
            self.late = tuple(events)
            return self.inner.get_state(job_id)
        return self.inner.record(job_id, events)


class TestBeginsAfterwards(Loop):
    """One commit less for each batch."""

    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            late: Any = Late(manager)
            work(late, job_id, lambda items: [called(function, item) for item in items], len)

        return works


class Unheld(Passing):
    """A manager of whose leases nobody else knows."""

    @contextmanager
    def lease(self, *given: Any, **how: Any) -> Iterator[Any]:
        yield None


class TestHoldsNothing(Loop):
    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            unheld: Any = Unheld(manager)
            work(unheld, job_id, lambda items: [called(function, item) for item in items], len)

        return works


class TestGivesValuesAsTexts(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [called(function, structs.replace(item, value=str(item.value))) for item in items]


class TestDropsWhatIsFalse(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        return [called(function, item) or None for item in items]


class TestNeedsAnItem(Loop):
    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            assert manager.get_state(job_id).progress.total > 0, "there is nothing to do"
            work(manager, job_id, lambda items: [called(function, item) for item in items], len)

        return works


class TestNeverEnds(Loop):
    """It waits for items to come, and takes whatever is raised for a reason to go on."""

    patience_s = 0.5

    @pytest.fixture
    def work(self) -> Work:
        def works(manager: StateManager, job_id: str, function: Any) -> None:
            while not manager.get_state(job_id).progress.done:
                with suppress(Exception):
                    work(manager, job_id, lambda items: [called(function, i) for i in items], len)

        return works


class TestDropsWhatWasRaised(Loop):
    def broken(self, manager: StateManager, function: Any, items: list[Any]) -> Outcomes:
        outcomes = [called(function, item) for item in items]
        return [RuntimeError("failed") if isinstance(o, Exception) else o for o in outcomes]
