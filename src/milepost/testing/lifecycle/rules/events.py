"""Random events of a job and its members, alone and in one commit, legal or not."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from milepost.errors import ItemExists, ItemsRefused, LeaseHeld, MilepostError, RecordConflict
from milepost.job.state import JobState
from milepost.machine import PayloadInvalid, TransitionRefused
from milepost.state.transitions import Write
from milepost.testing.definition import Event, Job, Refused
from milepost.testing.lifecycle.doing import JOB, act, outcome, requests
from milepost.testing.lifecycle.rules.asking import SEED, WHO, Asking, chance_of, has_ended, says
from milepost.testing.lifecycle.telling import asked_told
from milepost.testing.lifecycle.values import legal_events, payload_for, takes, wrong

__all__ = ["Events"]

_MOST: Final = 10


class Events(Asking):
    """What happens to the job and its members."""

    @rule(who=WHO, pick=SEED, seed=SEED)
    def fire(self, who: int, pick: int, seed: int) -> None:
        """Any event of the job, legal or not."""
        events = list(self.definition.root.events)
        event = events[pick % len(events)]
        self.write(who, [Event(event, payload_for(self.job, (None, event), chance_of(seed)))])

    @rule(who=WHO, seed=SEED)
    def move(self, who: int, seed: int) -> None:
        """An event that the job takes: first of all one that leads on, seldom one that ends it."""
        chance = chance_of(seed)
        legal = legal_events(self.job, chance, members=False)
        going = [one for one in legal if not has_ended(self.job.take([one]))]
        leading = [one for one in going if self.job.take([one]).state != self.job.state]
        if legal:
            wanted = leading if leading and chance.random() < 0.6 else going or legal
            self.write(who, [chance.choice(wanted)])

    @precondition(lambda self: self.job.members)
    @rule(who=WHO, seed=SEED, count=st.integers(1, 4))
    def record(self, who: int, seed: int, count: int) -> None:
        """Any events of members in one commit, legal or not."""
        chance = chance_of(seed)
        self.write(who, [self.any_of_a_member(chance) for _ in range(count)])

    @precondition(lambda self: self.job.members)
    @rule(who=WHO, seed=SEED, count=st.integers(1, 6))
    def work(self, who: int, seed: int, count: int) -> None:
        """A batch that is legal throughout, as executors write."""
        chance, after, asked = chance_of(seed), self.job, list[Event]()
        for _ in range(count):
            legal = [one for one in legal_events(after, chance) if one.key is not None]
            if legal:
                asked.append(chance.choice(legal))
                after = after.take(asked[-1:])
        if asked and takes(self.job, *asked):
            self.write(who, asked)

    @rule(who=WHO, seed=SEED, count=st.integers(3, 10))
    def go_on(self, who: int, seed: int, count: int) -> None:
        """A stretch of a run: one commit after the other of what is legal, mostly of members."""
        chance = chance_of(seed)
        for _ in range(count):
            legal = legal_events(self.job, chance)
            going = [one for one in legal if one.key or not has_ended(self.job.take([one]))]
            members = [one for one in going if one.key is not None]
            wanted = members if members and chance.random() < 0.8 else going
            if not wanted or self.held_against(who):
                return
            self.write(who, [chance.choice(wanted)])
            self.past[self.managers[who].get_state(JOB).seq] = self.job.copy()

    @rule(who=WHO, seed=SEED)
    def several(self, who: int, seed: int) -> None:
        """Events of the job and of its members in one commit: all of them, or none."""
        chance, after, asked = chance_of(seed), self.job, list[Event]()
        for _ in range(chance.randint(2, 3)):
            legal = legal_events(after, chance)
            if legal and chance.random() < 0.8:
                asked.append(chance.choice(legal))
                after = after.take(asked[-1:])
            elif self.job.members:
                asked.append(self.any_of_a_member(chance))
        if asked:
            self.write(who, asked)

    @rule(who=WHO, seed=SEED, count=st.integers(2, 5))
    def write_each(self, who: int, seed: int, count: int) -> None:
        """Writes that share a commit: each is what it would be after those before it."""
        chance, manager = chance_of(seed), self.managers[who]
        before = manager.get_state(JOB).seq
        writes, due = list[Write](), list[tuple[type[Any], ...]]()
        for _ in range(count):
            asked = self._one(chance)
            says(who, f"asks, with others in one commit: {asked_told(asked)}")
            writes.append(Write(JOB, requests(asked)))
            met = (LeaseHeld,) if self.held_against(who) else outcome(self.job, asked)
            if isinstance(met, Job):
                self.job = met
            elif RecordConflict in met:
                self.rejected += 1
            due.append((JobState,) if isinstance(met, Job) else met)
        outcomes = manager.write_each(writes)
        for found, wanted in zip(outcomes, due, strict=True):
            assert isinstance(found, wanted), f"{found!r}, where the definition has {wanted}"
        assert manager.get_state(JOB).seq - before <= 1, "writes that were joined share a commit"

    def _one(self, chance: random.Random) -> list[Event]:
        legal = legal_events(self.job, chance)
        if legal and chance.random() < 0.6:
            return [chance.choice(legal)]
        if self.job.members and chance.random() < 0.6:
            return [self.any_of_a_member(chance) for _ in range(chance.randint(1, 2))]
        event = chance.choice(list(self.definition.root.events))
        return [Event(event, payload_for(self.job, (None, event), chance))]

    @precondition(lambda self: self.definition.collections and len(self.job.members) < _MOST)
    @rule(who=WHO, seed=SEED, count=st.integers(1, 2))
    def add(self, who: int, seed: int, count: int) -> None:
        """More members; after a rewind their keys may be those of others that it undid."""
        collections = self.definition.collections
        name = list(collections)[seed % len(collections)]
        mine = [key for key, member in self.job.members.items() if member.collection == name]
        self.added += 1
        new = {f"a{len(mine) + n}": [n, self.added] for n in range(count)}
        manager = self.managers[who]
        collection = name if len(collections) > 1 else None
        says(who, f"adds to {name}: {new}")
        try:
            after = self.job.add(name, list(new))
        except Refused:
            due: tuple[type[Exception], ...] = (ItemsRefused, TransitionRefused)
            if self.held_against(who):
                due = (*due, LeaseHeld)
            self.raises(due, lambda: manager.add_items(JOB, new, collection=collection))
            return
        if self.held_against(who):
            self.raises((LeaseHeld,), lambda: manager.add_items(JOB, new, collection=collection))
            return
        manager.add_items(JOB, new, collection=collection)
        self.job = after
        self.raises((ItemExists,), lambda: manager.add_items(JOB, new, collection=collection))

    @rule(who=WHO, seed=SEED)
    def wrong_types(self, who: int, seed: int) -> None:
        """What is of a wrong type is refused, and changes nothing."""
        chance, manager = chance_of(seed), self.managers[who]
        odd: Any = chance.choice((7, None, 1.5, object()))
        what, call = chance.choice(
            [
                ("fire(JOB, odd)", lambda: manager.fire(JOB, odd)),
                ('fire(odd, "event")', lambda: manager.fire(odd, "event")),
                ("record(JOB, odd)", lambda: manager.record(JOB, odd)),
                ("record(JOB, [odd])", lambda: manager.record(JOB, [odd])),
                ("write_each(odd)", lambda: manager.write_each(odd)),
                ("get_state(odd)", lambda: manager.get_state(odd)),
                ('fork(JOB, b"", "other")', lambda: manager.fork(JOB, b"", "other")),  # type: ignore[arg-type]
                ("apply(odd)", lambda: manager.apply(odd)),
                ("create_job(job_id=JOB)", lambda: manager.create_job(job_id=JOB)),
            ]
        )
        shown = "object()" if type(odd) is object else repr(odd)
        says(who, f"is asked {what}, odd being {shown}, and for events with wrong payloads")
        self.raises((MilepostError,), call)
        for one in legal_events(self.job, chance)[:3]:
            machine = self.job.machine_of(one.key)
            for payload in wrong(machine, one.event, one.payload):
                asked = [one._replace(payload=payload)]
                self.raises((PayloadInvalid,), partial(act, manager, asked))
