"""A death at every write of a run, under lifecycles that are not the built-in one.

Not sampled: each job is run once for every write that it makes, dies there, and is taken up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from milepost import Item, JobState, StateManager
from milepost.executors import Steps, run
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.crash.every_write import Death, Died, Inline, Mortal, let_go
from tests.integration.executors.lifecycles import (
    ORDER,
    RENAMED,
    REVIEW,
    WAREHOUSE,
    compiled,
    edited,
)

_DROP = "      - {from: moving, on: drop, to: waiting, set: {moves: moves - 1}}\n"


class Case(NamedTuple):
    """A lifecycle, the members of its jobs by collection, and the state that they end in."""

    text: str
    members: Mapping[str, Mapping[str, int]]
    phases: tuple[str, ...]
    end: str
    steps: tuple[str, ...] = ()


CASES = {
    "order": Case(
        edited(
            ORDER, ("on: posted, to: sent, when: weighed, partial: true", "on: posted, to: sent")
        ),
        {},
        ("received", "charging", "packing"),
        "sent",
        ("charging/pay",),
    ),
    "review": Case(REVIEW, {"papers": {"a": 1, "b": 2, "once": 3}}, ("printing",), "printed"),
    "warehouse": Case(
        edited(
            WAREHOUSE,
            ("      arrive: {payload", "      drop: {}\n      arrive: {payload"),
            ("      - {from: moving, on: arrive", f"{_DROP}      - {{from: moving, on: arrive"),
            ("      failure: return\n", "      failure: return\n      lost: drop\n"),
            ("[pack, arrive, return]", "[pack, arrive, return, drop]"),
        ),
        {"lines": {"a": 1, "once": 2}, "parcels": {"c": 3}},
        ("billing",),
        "closed",
    ),
    "renamed": Case(
        RENAMED,
        {"items": {"a": 1, "once": 2, "c": 3}},
        ("x_setup", "x_reduce"),
        "x_completed",
        ("x_setup/table", "x_reduce/table"),
    ),
}


@dataclass
class World:
    """What no crash takes back: the store, the calls made, what was acknowledged."""

    case: Case
    store: MemoryStore = field(default_factory=MemoryStore)
    calls: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, Any] = field(default_factory=dict)
    durable: set[str] = field(default_factory=set)
    again: list[str] = field(default_factory=list)

    def live(self, death: Death | None = None) -> tuple[bool, int]:
        """One life: whether it saw the job end, and how many writes it began."""
        self.durable = set(self.kept())
        store = Mortal(self.store, death)
        manager = StateManager(store, clock=FakeClock(), lifecycle=compiled(self.case.text))
        try:
            if not manager.job_ids():
                manager.create_job(collections=self.case.members, job_id="j")
            run(
                manager,
                "j",
                self.work if self.case.members else None,
                phases=dict.fromkeys(
                    self.case.phases, self.with_steps if self.case.steps else self.without
                ),
                executor=Inline(),
                workers=1,
                ahead=0,
                takeover="its process died",
                on_progress=self.acknowledge,
            )
        except Died:
            return False, store.writes
        return True, store.writes

    def work(self, item: Item) -> int:
        self.called(item.key)
        if item.key.endswith("once") and self.calls[item.key] == 1:
            raise ConnectionError("the first time")
        return int(item.value)

    def without(self, results: Iterator[tuple[str, Any]]) -> int:
        """The function of a phase, without steps."""
        return sum(value for _, value in results)

    def with_steps(self, given: JobState | Iterator[tuple[str, Any]], steps: Steps) -> object:
        """The function of each phase: what it gives fits whatever ends one of them."""
        if not isinstance(given, JobState):
            steps.step("table", lambda: self.called("x_reduce/table"))
            return self.without(given)
        if given.phase == "charging":
            return {"receipt": steps.step("pay", lambda: self.called("charging/pay")), "cents": 1}
        if given.phase == "x_setup":
            steps.step("table", lambda: self.called("x_setup/table"))
        return {} if given.phase != "packing" else "label"

    def called(self, name: str) -> str:
        self.calls[name] += 1
        if name in self.durable:
            self.again.append(name)
        return name

    def kept(self) -> dict[str, Any]:
        """The results and the outputs of steps that are in the store."""
        manager = StateManager(self.store, clock=FakeClock(), lifecycle=compiled(self.case.text))
        if not manager.job_ids():
            return {}
        steps = {n: v for n, v in manager.get_state("j").variables.items() if "/" in n}
        return steps | (dict(manager.results("j")) if self.case.members else {})

    def acknowledge(self, state: JobState) -> None:
        """What the run was told is durable."""
        self.acknowledged |= {name: value for name, value in state.variables.items() if "/" in name}
        if self.case.members:
            self.acknowledged |= dict.fromkeys(state.processed_items)

    def check(self) -> None:
        """What must hold once the job has ended. Raises AssertionError."""
        manager = StateManager(self.store, clock=FakeClock(), lifecycle=compiled(self.case.text))
        state = manager.get_state("j")
        assert state.phase == self.case.end
        assert let_go(manager, "j")
        single = len(self.case.members) < 2
        members = {
            key if single else f"{collection}/{key}": value
            for collection, of_it in self.case.members.items()
            for key, value in of_it.items()
        }
        kept = self.kept()
        assert kept == members | {name: name for name in self.case.steps}
        assert self.acknowledged.keys() <= kept.keys()
        assert not self.again
        if self.case.members:
            assert manager.result("j") == sum(members.values())
        (report,) = manager.verify("j")
        assert report.sound, report.problems


def undisturbed(case: Case) -> int:
    """How many writes the job takes when nobody dies."""
    world = World(case)
    ended, writes = world.live()
    assert ended
    world.check()
    return writes


@pytest.mark.parametrize("name", CASES)
def test_a_job_survives_a_death_at_every_write(name: str) -> None:
    """Nothing finished is done again, nothing acknowledged is lost, and the history is legal."""
    case = CASES[name]
    writes = undisturbed(case)
    assert writes > 6
    for write in range(1, writes + 1):
        for when in ("before", "after"):
            world = World(case)
            death = Death(write, when)
            assert not world.live(death)[0], death
            assert world.live()[0], death
            world.check()


@pytest.mark.parametrize("name", CASES)
def test_a_write_that_was_acknowledged_and_lost_is_found(name: str) -> None:
    """The negative control: of items or steps, something is missed."""
    case = CASES[name]
    found = 0
    for write in range(2, undisturbed(case)):
        world = World(case)
        world.live(Death(write, "lost"))
        found += not world.acknowledged.keys() <= world.kept().keys()
    assert found > 0
