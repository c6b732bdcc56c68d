"""A driver on a server is killed at every commit: before it is sent, and once it took place."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from milepost import Item, StateManager
from milepost.executors import process_pool, run
from milepost.testing.deaths import Fate, Trial
from tests.crash.conftest import Trials
from tests.crash.test_kill import PARTS
from tests.crash.work import Spec
from tests.postgres import needs_postgres, new_url
from tests.stores.postgres.proxy import Cut, Proxy, Request

pytestmark = needs_postgres

EVERY = 1 if os.environ.get("MILEPOST_SOAK") else 4
"""Every so manieth commit of a job is one at which its driver is killed, there and back in turn."""


@dataclass
class Killer:
    """Kills the client whose so manieth commit it is, and drops what that said or would hear."""

    at: int = 0
    cut: Cut = "before"
    seen: int = 0

    def meets(self, request: Request, cut: Cut) -> bool:
        if request.pid == os.getpid():
            return False
        self.seen += cut == "before"
        if (self.seen, cut) != (self.at, self.cut):
            return False
        os.kill(request.pid, signal.SIGKILL)
        return True


@pytest.fixture
def killer() -> Killer:
    return Killer()


@pytest.fixture
def way(postgres: str, killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """To the server, past the killer."""
    opened = Proxy(postgres, tmp_path_factory.mktemp("way"), killer.meets)
    yield opened
    opened.close()


def killed(trial: Trial, killer: Killer, at: int, cut: Cut) -> Fate:
    """What became of a driver of the job that was to be killed at that commit of its own."""
    killer.at, killer.cut, killer.seen = at, cut, 0
    fate = trial.raise_child()
    killer.at = 0
    return fate


def test_a_driver_that_is_killed_at_any_commit_is_followed(
    way: Proxy,
    killer: Killer,
    trials: Trials,
    record_property: Callable[[str, object], None],
) -> None:
    """Lost is nothing that it was told, twice is nothing recorded, and the next finishes the job.

    It counts the commits first: of one that nobody kills.
    """

    def new() -> Trial:
        return trials(Spec(items=5, spin=10), new_url(way.url))

    trial = new()
    assert not killed(trial, killer, 0, "before").killed
    trial.finish()
    commits = killer.seen
    assert commits > 8
    cuts: tuple[Cut, ...] = ("before", "after")
    deaths = [(at, cut) for at in range(1, commits + 1) for cut in cuts]
    doing: Counter[str] = Counter()
    for at, cut in deaths[:: EVERY if EVERY == 1 else EVERY - 1]:
        trial = new()
        fate = killed(trial, killer, at, cut)
        doing[fate.doing if fate.killed else "nothing"] += 1
        trial.finish()
    at_work = {
        part: sum(n for said, n in doing.items() if said.partition(" ")[2] in points)
        for part, points in PARTS.items()
    }
    assert at_work["map"] > 1
    assert doing["nothing"] <= 2, "calls are recorded together, and a job may have fewer commits"
    named = {part.replace(" ", "_"): number for part, number in at_work.items()}
    record_property("counted about", ("drivers killed at a commit", named))


def _dies_once(journal: str, item: Item) -> str:
    """Kills the worker that it runs in, the first time that it is called for one item."""
    lines = [line for line in Path(journal).read_text().splitlines() if line == item.key]
    with Path(journal).open("a") as file:
        file.write(f"{item.key}\n")
    if item.value and not lines:
        os.kill(os.getpid(), signal.SIGKILL)
    return item.key


def test_a_worker_that_is_killed_takes_nothing_with_it(postgres: str, tmp_path: Path) -> None:
    """Its driver goes on with others; each result is there, once."""
    journal = tmp_path / "calls"
    journal.touch()
    items = [Item(key=f"item-{n}", value=n == 3) for n in range(8)]
    with StateManager.open(new_url(postgres)) as manager:
        job_id = manager.create_job(items, config={"max_attempts": 100, "max_crashes": 100}).id
        outcome = run(
            manager,
            job_id,
            partial(_dies_once, str(journal)),
            lambda results: sorted(key for key, _ in results),
            executor=partial(process_pool, 2),
        )
        keys = sorted(item.key for item in items)
        assert (outcome.phase, manager.result(job_id)) == ("completed", keys)
        recorded = Counter(
            key
            for event in manager.get_state_history(job_id)
            if event.event == "succeed"
            for key in event.items
        )
        assert recorded == Counter(keys)
        assert manager.verify(job_id)[0].sound
    assert journal.read_text().split().count("item-3") == 2
