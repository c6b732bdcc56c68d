"""Two drivers on a server: one that was replaced writes no more, one that died is followed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from milepost import Item, ItemEvent, StateManager
from milepost.errors import LeaseLost, StoreError
from milepost.executors import run, waiting
from milepost.state.persistence import open_store
from milepost.state.writing import lease as leases
from milepost.testing import FakeClock
from milepost.testing.histories import History, departures, recorded
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.proxy import Proxy

pytestmark = needs_postgres

TTL_S = 30.0


@pytest.fixture
def clock() -> FakeClock:
    """The server's time, for both drivers: that their own clocks differ, test_store.py tries."""
    return FakeClock(timeline="the server's")


@pytest.fixture
def drivers(
    postgres: str, clock: FakeClock, tmp_path: Path
) -> Iterator[tuple[StateManager, StateManager]]:
    """Two with no more in common than the server, and a job of eight items in its map phase.

    What they ask of it is recorded.
    """
    url = new_url(postgres)

    def driver(name: str) -> StateManager:
        store = recorded(open_store(url), tmp_path / f"{name}.history", name)
        return StateManager(store, clock=clock)

    with driver("first") as one, driver("second") as two:
        one.create_job([f"{n}" for n in range(8)], job_id="j")
        one.fire("j", "start_map")
        yield one, two


def contest(one: StateManager, two: StateManager, folder: Path) -> list[str]:
    """What is wrong after a driver that stood still for long goes on beside the one that followed.

    It has a result for an item that the other is at now.
    """
    with one.lease("j", "first", renewed=False):
        one.record("j", [ItemEvent(0, "start")])
        with two.lease("j", "second", takeover="it stood still", renewed=False):
            two.apply(two.recover_from_checkpoint("j"))
            two.record("j", [ItemEvent(0, "start")])
            with suppress(LeaseLost):
                one.record("j", [ItemEvent(0, "succeed", {"result": "of the first"})])
            assert two.verify("j")[0].sound
            return departures(History.of(folder.glob("*.history")), two._store)


def test_a_driver_that_was_replaced_writes_nothing(
    drivers: tuple[StateManager, StateManager], tmp_path: Path
) -> None:
    one, two = drivers
    assert contest(one, two, tmp_path) == []
    assert [e.kind for e in two.get_state_history("j")].count("rejected") == 1


@pytest.mark.control("histories")
def test_a_driver_without_a_fence_is_found_out(
    drivers: tuple[StateManager, StateManager], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: nothing else refuses what such a one writes."""
    monkeypatch.setattr(leases, "_is_current", lambda *_: True)
    (objection,) = contest(*drivers, tmp_path)
    assert "(items succeed) of job number 1, which first asked for at" in objection
    assert "second had taken the job from it" in objection


class Woken:
    """An event that nobody sets: whoever waits for it lets the clock's time pass."""

    def __init__(self, clock: FakeClock) -> None:
        self.wait = clock.advance

    def set(self) -> None:
        raise AssertionError("nobody asked it to stop")


def test_a_standby_follows_within_the_ttl_and_a_second(
    drivers: tuple[StateManager, StateManager],
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on another machine, where only time tells; what was in flight is done again, no more."""
    one, two = drivers
    with one.lease("j", "first", TTL_S, renewed=False) as lease:
        for n in range(3):
            one.record("j", [ItemEvent(n, "start"), ItemEvent(n, "succeed", {"result": "first"})])
        one.record("j", [ItemEvent(n, "start") for n in (3, 4)])
        clock.advance(TTL_S - 1)
        assert leases.renew(one._loader, lease, one._observer)
        died_us = clock.monotonic_us()  # and says nothing from now on
        monkeypatch.setattr(waiting, "threading", SimpleNamespace(Event=lambda: Woken(clock)))
        taken_us: list[int] = []

        def map_fn(item: Item) -> str:
            taken_us.append(clock.monotonic_us())
            return "second"

        with ThreadPoolExecutor(2) as pool:
            outcome = run(two, "j", map_fn, dict, executor=pool, wait="for ever")
        assert TTL_S * 1_000_000 <= taken_us[0] - died_us <= (TTL_S + 1) * 1_000_000
        assert (outcome.phase, outcome.redone_count, outcome.done_count) == ("completed", 2, 5)
        results = dict(two.results("j"))
        assert [results[f"{n}"] for n in range(8)] == ["first"] * 3 + ["second"] * 5
        assert "held by first: waiting" in capsys.readouterr().err
        with pytest.raises(LeaseLost):
            one.record("j", [ItemEvent(3, "succeed", {"result": "late"})])


def test_a_holder_that_is_cut_off_begins_nothing_more_and_is_followed(
    postgres: str, clock: FakeClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No call begins without a commit. The run ends at the first of its looks that fails."""
    url = new_url(postgres)
    way = Proxy(url, tmp_path_factory.mktemp("way"))
    store = open_store(way.url, busy_timeout_s=1.0)
    called: list[str] = []

    def map_fn(item: Item) -> str:
        called.append(item.key)
        if len(called) == 4:
            way.close()
        return item.key

    with StateManager(store, clock=clock) as one, StateManager.open(url, clock=clock) as two:
        one.create_job([f"{n}" for n in range(20)], job_id="j")
        with ThreadPoolExecutor(1) as pool, pytest.raises(StoreError):
            run(one, "j", map_fn, executor=pool, ahead=0, ttl_s=TTL_S, look_every_s=0)
        begun = two.get_state("j")
        assert len(called) == begun.progress.done + begun.progress.running
        clock.advance(TTL_S)
        with ThreadPoolExecutor(1) as pool:
            outcome = run(
                two, "j", lambda item: item.key, lambda results: len(list(results)), executor=pool
            )
        assert (outcome.phase, outcome.redone_count) == ("completed", begun.progress.running)
        assert two.result("j") == 20
        assert two.verify("j")[0].sound
