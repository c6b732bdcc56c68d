"""A job that is killed again and again, and what must hold of it all the while."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from milepost import Item, StateManager
from milepost.stores.sqlite.store import SqliteStore
from milepost.testing.deaths.lives import let_go
from tests.crash.nursery import Fate, Nursery
from tests.crash.work import Spec, lines_of

PARTS = {
    "taking the job up": ("open", "lease", "recover"),
    "map": ("start_map", "claim", "record", "between commits"),
    "checkpoint": ("checkpoint",),
    "ending": ("finish_map", "reduce", "finish_reduce", "release"),
}
"""What a child at work can be about when it is killed, by the part of a run that it belongs to."""

MOMENTS = tuple(chain.from_iterable(PARTS.values()))


@dataclass
class Trial:
    """One job in a store of its own, whose children are killed at moments that `rng` draws."""

    folder: Path
    nursery: Nursery
    rng: random.Random
    pool: str = "threads"
    expires: bool = False
    acknowledges_early: bool = False
    drops_commits: bool = False
    items: int = 300
    spin: int = 500
    url: str = ""
    doing: Counter[str] = field(default_factory=Counter)
    tries: int = 0

    def __post_init__(self) -> None:
        self.url = self.url or str(self.folder / "jobs.db")
        self.journal = self.folder / "journal"
        self.journal.touch()
        items = [Item(key=f"item-{n:03}", value=self.spin) for n in range(self.items)]
        with StateManager.open(self.url) as manager:
            self.job_id = manager.create_job(
                items, config={"max_attempts": 100, "max_crashes": 100}
            ).id

    @property
    def kills(self) -> int:
        """How many children were killed while they worked."""
        return self.doing.total()

    def kill_children(self, kills: int) -> None:
        """Start children and kill them, until `kills` have been or one has ended the job."""
        while self.kills < kills:
            self.tries += 1
            fate = self._raise_child()
            if fate.killed and fate.doing in MOMENTS:
                self.doing[fate.doing] += 1
            self.check_what_was_promised()
            if fate.doing in ("release", "end"):
                return

    def finish(self) -> None:
        """Let a child end the job, then check it from the first commit on."""
        assert not self.nursery.raise_child(self.spec()).killed
        self.check_what_was_promised()
        with StateManager.open(self.url, read_only=True) as manager:
            state = manager.get_state(self.job_id)
            assert state.phase == "completed"
            assert let_go(manager, self.job_id)
            assert state.progress.done == self.items
            (report,) = manager.verify(self.job_id)
            assert report.sound, report.problems
            assert manager.check_store() == []
            result = manager.result(self.job_id)
            assert result["count"] == self.items

    def check_what_was_promised(self) -> None:
        """Each acknowledged result is recorded, once and as acknowledged; nothing is run again."""
        acknowledged: dict[str, Any] = {}
        for word, key, *rest in lines_of(self.journal):
            assert word in ("call", "ack")
            assert key not in acknowledged, f"{word} of {key} after it was acknowledged"
            if word == "ack":
                acknowledged[key] = json.loads(rest[0])
        with StateManager.open(self.url, read_only=True) as manager:
            results = dict(manager.results(self.job_id))
            lost = {key for key, value in acknowledged.items() if results.get(key) != value}
            assert not lost, f"acknowledged, and not in the log: {sorted(lost)}"
            records = Counter(
                key
                for event in manager.get_state_history(self.job_id)
                if event.event == "succeed"
                for key in event.items
            )
            assert records.keys() == results.keys()
            assert set(records.values()) <= {1}, "an item has two results"
            plan = manager.recover_from_checkpoint(self.job_id)
            parts = [key for keys in plan.parts.values() for key in keys]
            assert sorted(parts) == [f"item-{n:03}" for n in range(self.items)]
            assert plan.done == results.keys()
            assert plan.fallbacks == ()

    def _raise_child(self) -> Fate:
        """A child that dies after a while, or soon after it has begun something of a kind."""
        draw = self.rng.random
        if draw() < 0.4:
            fate = self.nursery.raise_child(self.spec(), delay_s=draw() * 0.06)
        else:
            (at,) = self.rng.choices(MOMENTS, [5 if at == "record" else 1 for at in MOMENTS])
            nth = self.rng.randint(1, 40) if at == "record" else 1
            fate = self.nursery.raise_child(self.spec(), at=at, nth=nth, delay_s=draw() * 0.001)
        if self.drops_commits and fate.killed:
            self._drop_the_last_commit()
        return fate

    def spec(self, *, gate: str = "", takeover: str = "its process was killed") -> Spec:
        """The work of a child of this trial."""
        return Spec(
            url=self.url,
            job_id=self.job_id,
            journal=str(self.journal),
            pool=self.pool,
            expires=self.expires,
            takeover="" if self.expires else takeover,
            acknowledges_early=self.acknowledges_early,
            gate=gate,
        )

    def _drop_the_last_commit(self) -> None:
        """What a disk does that says it has written and has not: all of a commit is gone."""
        store = SqliteStore(Path(self.url))
        with store.writing() as writer:
            job = writer.job(self.job_id)
            assert job is not None
            newest = writer.newest(job.number)
            assert newest is not None
            writer.set_aside(
                job.number, "commits", job_id="", reason="dropped", at_us=0, first=newest[0]
            )
        store.close()
