"""A log with one fact replaced, chained as if it were so: the departure is found at that commit."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest

from milepost import StateManager
from milepost.conformance.departures import Kind
from milepost.log.codec import decode_snapshot, encode_snapshot
from milepost.log.facts import (
    Commit,
    Fact,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    LeaseReleased,
    LeaseTaken,
    MembersAdded,
    Repaired,
    Rewound,
)
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.conformance.logs import (
    BUILT_IN,
    Commits,
    checked,
    commits_of,
    first_objection,
    replanted,
    tell,
)

SOAK: Final = int(os.environ.get("MILEPOST_SOAK", "1"))
MANY: Final = 150 * SOAK


@dataclass(frozen=True)
class Plant:
    """What commit `seq` is made into, and what is to be said of it."""

    name: str
    seq: int
    kind: Kind
    problem: str
    facts: Callable[[tuple[Fact, ...]], tuple[Fact, ...]] = lambda facts: facts
    head: dict[str, Any] = field(default_factory=dict)
    index: int = 0

    def __str__(self) -> str:
        return self.name

    def __call__(self, commit: Commit) -> Commit | None:
        if commit.seq != self.seq:
            return None
        facts = self.facts(commit.facts)
        return msgspec.structs.replace(commit, facts=facts, **self.head)


def fired(event: str, *ordinals: int, **payload: Any) -> Callable[[Any], tuple[Fact, ...]]:
    told = [payload] * len(ordinals) if payload else None
    return lambda _: (ItemsFired(event, list(ordinals), told),)


def of(fact: Fact) -> Callable[[Any], tuple[Fact, ...]]:
    return lambda _: (fact,)


def elsewhere(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """A way back to a state that the job was not in."""
    (back,) = facts
    assert isinstance(back, Rewound)
    snapshot = decode_snapshot(back.snapshot)
    other = msgspec.structs.replace(snapshot, phase="reduce")
    return (msgspec.structs.replace(back, snapshot=encode_snapshot(other)),)


PLANTS: Final = (
    Plant("another event", 7, "refused", "there is no row for 'requeue'", fired("requeue", 1)),
    Plant("no such event", 7, "refused", "machine 'item' has no event 'eat'", fired("eat", 1)),
    Plant("no such event of the job", 3, "refused", "no event 'eat'", of(JobFired("eat", {}))),
    Plant("an item in another state", 7, "refused", "in 'pending'", fired("give_up", 4)),
    Plant(
        "a guard that says no",
        6,
        "refused",
        "no guard of 'finish_map' holds",
        of(JobFired("finish_map", {})),
    ),
    Plant("an item that there is not", 7, "members", "does not have", fired("give_up", 99)),
    Plant("an item twice", 7, "members", "twice", fired("give_up", 1, 1)),
    Plant("no item", 7, "members", "names no item", fired("give_up")),
    Plant("a phase that takes none", 13, "refused", "accepts no 'start'", fired("start", 4)),
    Plant("a result after the end", 35, "refused", "accepts no 'succeed'", fired("succeed", 0)),
    Plant(
        "a payload without its field",
        5,
        "payload",
        "field 'cause' is missing",
        lambda facts: (facts[0], ItemsFired("fail", [1], [{"permanent": False}])),
        index=1,
    ),
    Plant(
        "a payload of another type",
        9,
        "payload",
        "field 'until' is 'later', which is no int",
        fired("defer", 2, until="later"),
    ),
    Plant(
        "a payload that a guard refuses",
        3,
        "refused",
        "no guard of 'allow_dead' holds",
        of(JobFired("allow_dead", {"more": 0})),
    ),
    Plant(
        "a fact left out", 7, "tally", "items.failed=0 and the definition", lambda _: (), index=-1
    ),
    Plant(
        "items from elsewhere",
        11,
        "members",
        "2 items from 3 on follow 6",
        of(ItemsAdded(3, 2, "", [(3, 2)])),
    ),
    Plant(
        "a collection that there is not",
        11,
        "members",
        "no fact of this kind",
        of(MembersAdded("x", 6, 2, "", [(6, 2)])),
    ),
    Plant(
        "a stale fence",
        17,
        "lease",
        "whose holder had lost the job: the fence was 2, of second",
        head={"fence": 1},
        index=-1,
    ),
    Plant(
        "a fence of nobody",
        17,
        "lease",
        "fence 3, which nobody was given",
        head={"fence": 3},
        index=-1,
    ),
    Plant(
        "a fence that leaps",
        16,
        "lease",
        "its fence 5 does not follow 1",
        of(LeaseTaken("second", 5)),
    ),
    Plant(
        "a fence again", 16, "lease", "its fence 1 does not follow 1", of(LeaseTaken("second", 1))
    ),
    Plant(
        "given back by another",
        15,
        "lease",
        "'x' gives back a job that 'first' holds",
        of(LeaseReleased("x")),
    ),
    Plant("given back twice", 35, "lease", "nobody holds", lambda facts: (*facts, *facts), index=1),
    Plant(
        "a fence below, by a repair",
        17,
        "lease",
        "its fence 1 is below 2",
        of(Repaired(0, 0, 1, 0, "")),
    ),
    Plant(
        "a time before",
        9,
        "order",
        "µs before that of the commit before",
        head={"at_us": 5},
        index=-1,
    ),
    Plant(
        "created again",
        9,
        "order",
        "it belongs at the beginning",
        of(JobCreated("mapreduce", 3, "", {}, {}, {}, 1, "")),
    ),
    Plant(
        "never created", 1, "order", "the log begins without the job", of(JobFired("start_map", {}))
    ),
    Plant(
        "back to elsewhere",
        21,
        "rewind",
        "has phase='reduce' and the definition gives 'map'",
        elsewhere,
    ),
    Plant(
        "back to the future",
        21,
        "rewind",
        "it goes back to seq 30",
        lambda facts: (msgspec.structs.replace(facts[0], to_seq=30),),
    ),
    Plant(
        "a parameter too large",
        1,
        "creation",
        "'max_attempts' of 'item' is 101",
        lambda facts: (
            msgspec.structs.replace(facts[0], item_params={"max_attempts": 101, "max_crashes": 3}),
            *facts[1:],
        ),
    ),
    Plant(
        "a parameter that there is not",
        1,
        "creation",
        "no parameter 'depth'",
        lambda facts: (msgspec.structs.replace(facts[0], job_params={"depth": 1}), *facts[1:]),
    ),
)


@pytest.fixture(scope="module")
def whole() -> Commits:
    store, clock = MemoryStore(), FakeClock()
    tell(StateManager(store, clock=clock), clock)
    return commits_of(store)


@pytest.mark.control("departures planted in logs")
def test_what_is_written_as_it_was_is_healthy(whole: Commits) -> None:
    """Control: the log that is chained anew without a plant."""
    assert checked(replanted(whole, lambda _: None)).conforms


@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_a_plant_is_found(
    plant: Plant, whole: Commits, record_property: Callable[[str, object], None]
) -> None:
    """At its commit and its fact, and as what it is."""
    log = replanted(whole, plant)
    found = checked(log)
    departure = found.departure
    assert departure is not None, found
    assert plant.problem in departure.problem, departure
    assert (departure.seq, departure.kind, departure.index) == (plant.seq, plant.kind, plant.index)
    assert not found.conforms
    record_property("counted", ("departures planted in logs", {"found": 1}))


def test_what_only_the_definition_takes_is_refused_by_the_tables(whole: Commits) -> None:
    """Two steps more, of which the tables know one: the tally is the same in the end."""
    text = BUILT_IN.replace("from: failed, on: give_up", "from: [failed, pending], on: give_up")
    more = (ItemsFired("give_up", [5]), ItemsFired("requeue", [5]))
    log = replanted(
        whole,
        lambda one: (
            msgspec.structs.replace(one, facts=(*one.facts, *more)) if one.seq == 8 else None
        ),
    )
    assert checked(log, text).conforms
    assert checked(log).departure is not None
    found = checked(log, text, tables=True).departure
    assert found is not None
    assert (found.seq, found.kind) == (8, "tables")
    assert "the tables refuse it: " in found.problem


def random_plants(
    chance: random.Random, whole: Commits
) -> Iterator[Callable[[Commit], Commit | None]]:
    """Facts of one commit changed at random: left out, doubled, turned round, of others."""
    events = ["start", "succeed", "fail", "retry", "give_up", "skip", "requeue", "release", "redo"]
    own = ["start_map", "finish_map", "pause", "resume", "reopen", "recover", "cancel", "fail"]
    while True:
        seq = chance.randint(3, len(whole.commits))

        def changed(fact: Fact) -> list[Fact]:
            way = chance.randrange(6)
            if way == 0:
                return []
            if way == 1:
                return [fact, fact]
            if way == 2 and isinstance(fact, ItemsFired):
                return [msgspec.structs.replace(fact, event=chance.choice(events))]
            if way == 3 and isinstance(fact, ItemsFired):
                ordinals = chance.sample(range(8), len(fact.ordinals))
                return [msgspec.structs.replace(fact, ordinals=ordinals)]
            if isinstance(fact, JobFired):
                payload = {"lost": chance.random() < 0.5} if way < 4 else fact.payload
                return [JobFired(chance.choice(own), payload)]
            return [fact, ItemsFired(chance.choice(events), [chance.randrange(8)])]

        def plant(commit: Commit, seq: int = seq) -> Commit | None:
            if commit.seq != seq:
                return None
            facts = [one for fact in commit.facts for one in changed(fact)]
            if chance.random() < 0.2:
                facts.reverse()
            return msgspec.structs.replace(commit, facts=tuple(facts))

        yield plant


def test_random_plants_are_found_where_the_tables_object(
    whole: Commits, record_property: Callable[[str, object], None]
) -> None:
    """By the definition as text, without those tables, at the same commit; and none besides."""
    chance, found, sound = random.Random(5), 0, 0  # noqa: S311
    for _, plant in zip(range(MANY), random_plants(chance, whole), strict=False):
        log = replanted(whole, plant)
        departure = checked(log).departure
        due = first_objection(log)
        if departure is not None and departure.kind in ("lease", "rewind"):
            continue  # a fold believes the holder, and the state in a fact that goes back
        if departure is not None and departure.kind == "payload" and not due:
            assert "there is no field" in departure.problem
            continue  # nor does it look at a field that its event does not have
        assert (departure.seq if departure else 0) == due, departure
        found, sound = found + (due > 0), sound + (due == 0)
    assert found > MANY // 3
    assert sound > 0
    record_property(
        "counted", ("random plants beside the tables", {"found": found, "harmless": sound})
    )
