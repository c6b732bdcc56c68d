"""Before an item begins, a worker has to answer: it gets what it is sent, and has the package."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from milepost import StateManager
from milepost.errors import ArgumentInvalid, EngineUnfit
from milepost.executors import Stop, WorkItem, run
from milepost.executors.engines import Engine, probe
from milepost.stores.memory import MemoryStore
from milepost.worker.answers import Answer, answer
from tests.integration.executors.lifecycles import REVIEW, compiled, edited

_T = TypeVar("_T")


class Elsewhere(Engine):
    """Workers elsewhere: each call goes there as bytes, unless `instead` ends it in another way."""

    name = "elsewhere"

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.calls: list[str] = []
        self.instead: dict[str, Callable[[Future[Any]], object]] = {}

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        name = getattr(call, "__name__", "attempts")
        self.calls.append(name)
        if name not in self.instead:
            return self.pool.submit(lambda: pickle.loads(pickle.dumps((call, args)))[0](*args))
        future: Future[_T] = Future()
        self.instead[name](future)
        return future

    def slots(self) -> int:
        return 2


def value(item: WorkItem) -> object:
    return item.value


def never(future: Future[Any]) -> None:
    """It is not answered."""


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with ThreadPoolExecutor(2) as pool:
        yield Elsewhere(pool)


@contextmanager
def job(count: int = 5) -> Iterator[StateManager]:
    with StateManager.open("memory:") as manager:
        config = {"has_reduce": False}
        manager.create_job([str(n) for n in range(count)], job_id="j", config=config)
        yield manager
        assert manager.get_state("j").phase != "map" or not manager.failures("j")


def untouched(manager: StateManager) -> bool:
    return {e.event for e in manager.get_state_history("j")} <= {"created", "lease", "released"}


def test_one_worker_is_asked_once_and_then_items_begin(elsewhere: Elsewhere) -> None:
    with job() as manager:
        assert run(manager, "j", value, executor=elsewhere).phase == "completed"
        assert elsewhere.calls[0] == "answer"
        assert elsewhere.calls.count("answer") == 1
        elsewhere.calls.clear()
        run(manager, "j", value, executor=elsewhere)
        assert elsewhere.calls == [], "nothing is left to call, so nobody is asked"


def test_what_cannot_be_sent_is_known_before_an_item_begins(elsewhere: Elsewhere) -> None:
    with job() as manager:
        with pytest.raises(TypeError, match="map_fn cannot be sent to a worker"):
            run(manager, "j", lambda item: item.value, executor=elsewhere)
        assert untouched(manager)


def test_workers_that_never_answer_do_not_hold_a_run_for_ever(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_FIND_S", 0.01)
    elsewhere.instead = {"answer": never, "find_spec": never}
    with job() as manager:
        with pytest.raises(EngineUnfit, match=r"no worker has answered within 0\.01 s") as unfit:
            run(manager, "j", value, executor=elsewhere, probe_s=0.01)
        assert unfit.value.engine == "elsewhere"
        assert untouched(manager)


def test_workers_without_the_package_are_told_apart(elsewhere: Elsewhere) -> None:
    """Dask's never answer, since they cannot read what they are sent; others raise."""
    for at_once in (never, lambda future: future.set_exception(ModuleNotFoundError("milepost"))):
        elsewhere.instead = {"answer": at_once, "find_spec": lambda future: future.set_result(None)}
        with job() as manager:
            with pytest.raises(EngineUnfit, match="milepost cannot be imported on its workers"):
                run(manager, "j", value, executor=elsewhere, probe_s=0.01)
            assert untouched(manager)


def test_another_version_there_is_refused(elsewhere: Elsewhere) -> None:
    other = Answer("0.0.1", answer().python)
    elsewhere.instead = {"answer": lambda future: future.set_result(other)}
    with job() as manager:
        with pytest.raises(EngineUnfit, match=r"milepost is 0\.0\.1 on its workers, and .* here"):
            run(manager, "j", value, executor=elsewhere)
        assert untouched(manager)


def test_a_run_may_go_without_and_may_be_stopped_meanwhile(elsewhere: Elsewhere) -> None:
    elsewhere.instead = {"answer": never}
    with job() as manager:
        stop = Stop()
        elsewhere.instead = {"answer": lambda _: stop.request("enough")}
        outcome = run(manager, "j", value, executor=elsewhere, stop=stop)
        assert (outcome.interrupted, outcome.done_count) == (True, 0)
        assert run(manager, "j", value, executor=elsewhere, probe_s=None).phase == "completed"
        with pytest.raises(ArgumentInvalid, match="probe_s"):
            run(manager, "j", value, executor=elsewhere, probe_s=0)


def test_a_run_that_was_stopped_as_its_engine_was_made_asks_nobody(elsewhere: Elsewhere) -> None:
    """A cluster may take long to begin, and its workers longer."""
    elsewhere.instead = {"answer": never, "find_spec": never}
    stop = Stop()

    def made() -> Elsewhere:
        stop.request("enough")
        return elsewhere

    with job() as manager:
        outcome = run(manager, "j", value, executor=made, stop=stop, probe_s=1.0)
        assert (outcome.interrupted, elsewhere.calls) == (True, [])


def test_nobody_is_asked_where_items_that_are_done_ignore_the_begin(elsewhere: Elsewhere) -> None:
    """Nothing of theirs is to come."""
    ignored = "    ignored:\n      - {in: [accepted], on: [open]}\n"
    begin = "    roles:\n      begin: open"
    lifecycle = compiled(edited(REVIEW, (begin, ignored + begin)))
    with StateManager(MemoryStore(), lifecycle=lifecycle) as manager:
        manager.create_job({"good": 5, "better": 7}, job_id="j")
        assert "no function" in run(manager, "j", value, executor=elsewhere).halt_reason
        elsewhere.calls.clear()
        elsewhere.instead = {"answer": never, "find_spec": never}
        assert (
            "no function" in run(manager, "j", value, executor=elsewhere, probe_s=1.0).halt_reason
        )
        assert elsewhere.calls == []
