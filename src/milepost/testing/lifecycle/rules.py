"""Random rules: what two managers on one store may do to a job, against its definition."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from milepost.conformance.walking import Definitions, walked
from milepost.errors import (
    ItemExists,
    ItemsRefused,
    LeaseHeld,
    LeaseLost,
    MilepostError,
    NumberUnfit,
    PlanStale,
    RecordConflict,
    StateError,
    StoreReadOnly,
)
from milepost.job.state import JobState
from milepost.log.facts import ItemsAdded, ItemsFired, JobFired, MembersAdded, Rewound
from milepost.machine import Lifecycle, PayloadInvalid, TransitionRefused
from milepost.state.keeping.retention import RetentionPolicy
from milepost.state.manager import StateManager
from milepost.state.persistence import StateStore
from milepost.state.reading.loading import JobLog
from milepost.state.recovering.scope import Scope
from milepost.state.transitions import Write
from milepost.state.writing.lease import Lease
from milepost.testing.definition import Definition, Event, Job, Member, Refused
from milepost.testing.lifecycle.doing import JOB, act, do, outcome, requests
from milepost.testing.lifecycle.looking import (
    agree,
    check_plan,
    check_results,
    logged,
)
from milepost.testing.lifecycle.reading import Reader, found_in
from milepost.testing.lifecycle.stores import MakeStore, Place
from milepost.testing.lifecycle.telling import asked_told
from milepost.testing.lifecycle.values import (
    beginnings,
    created_with,
    legal_events,
    payload_for,
    takes,
    wrong,
)

__all__ = ["Rules"]

_TTL_S: Final = 10.0
_READ_EVERY: Final = 8
_MOST: Final = 10

_who = st.integers(0, 1)
_seed = st.integers(0, 2**32 - 1)


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 no secret


def _says(who: int | None, what: str) -> None:
    """Say beside the rule what came of its seeds; hypothesis shows it of what failed, made small.

    `who` is the number of the manager, None for all.
    """
    if currently_in_test_context():
        note(f"# {'' if who is None else f'manager {who} '}{what}")


class Rules(RuleBasedStateMachine):
    """Two managers on one store, their leases, and a job of the definition that is told the same.

    `tried` counts the rules that were taken, by name, and the sequences of them.
    """

    lifecycle: ClassVar[Lifecycle]
    definition: ClassVar[Definition]
    earlier: ClassVar[tuple[Lifecycle, ...]] = ()
    old: ClassVar[tuple[tuple[Lifecycle, Definition], ...]] = ()
    makes: ClassVar[Sequence[MakeStore]] = ()
    read: ClassVar[Definitions]
    module: ClassVar[str]
    reader: ClassVar[Reader]
    tried: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self._before = sys.exc_info()[1]  # whoever calls us may be at an error already
        self.place = Place(self.makes, self.lifecycle, self.earlier)
        self.managers: list[StateManager] = []
        self.leases: list[tuple[Lease, AbstractContextManager[Lease]] | None] = [None, None]
        self.stale: list[Lease] = []
        self.gone: list[AbstractContextManager[Lease]] = []
        self.past: dict[int, Job] = {}
        self.moments: list[int] = []
        self.forks = self.added = self.rejected = self.fence = self.checks = 0
        self.owner: str | None = None
        self.expires_at_us = 0
        self.job: Job
        self.tried["sequences"] += 1

    @initialize(seed=_seed, version=st.integers(0, 3))
    def create(self, seed: int, version: int) -> None:
        """A job with a few members; sometimes one that was left under an earlier version."""
        chance = _chance(seed)
        if version < len(self.old):
            self._migrated(chance, *self.old[version])
        else:
            self.job = beginnings(self.definition, chance)
            manager = self.place.manager()
            given = created_with(self.job)
            _says(None, f"a job begins with {given}")
            manager.create_job(job_id=JOB, **given)
            self.managers = [manager]
        while len(self.managers) < len(self.leases):
            self.managers.append(self.place.manager())

    def _migrated(self, chance: random.Random, lifecycle: Lifecycle, old: Definition) -> None:
        """A job takes a few steps under an earlier version, and goes on under this one."""
        job = beginnings(old, chance)
        manager = self.place.manager(lifecycle=lifecycle)
        given = created_with(job)
        _says(None, f"a job begins under version {lifecycle.version} with {given}")
        manager.create_job(job_id=JOB, **given)
        for _ in range(chance.randint(0, 6)):
            legal = [one for one in legal_events(job, chance) if not _has_ended(job.take([one]))]
            if legal:
                asked = chance.choice(legal)
                _says(None, f"it takes, under version {lifecycle.version}: {asked_told([asked])}")
                act(manager, [asked])
                job = job.take([asked])
        self.place.close_manager(manager)
        self.managers = [self.place.manager()]
        state = self.managers[0].get_state(JOB)
        self.job = _as_found(self.definition, state, job)
        assert list(self.job.members) == list(job.members), "members are lost on the way"
        assert self.job.results().keys() == job.results().keys(), "results are lost on the way"

    # What happens to the job and its members

    @rule(who=_who, pick=_seed, seed=_seed)
    def fire(self, who: int, pick: int, seed: int) -> None:
        """Any event of the job, legal or not."""
        events = list(self.definition.root.events)
        event = events[pick % len(events)]
        self.write(who, [Event(event, payload_for(self.job, (None, event), _chance(seed)))])

    @rule(who=_who, seed=_seed)
    def move(self, who: int, seed: int) -> None:
        """An event that the job takes: first of all one that leads on, seldom one that ends it."""
        chance = _chance(seed)
        legal = legal_events(self.job, chance, members=False)
        going = [one for one in legal if not _has_ended(self.job.take([one]))]
        leading = [one for one in going if self.job.take([one]).state != self.job.state]
        if legal:
            wanted = leading if leading and chance.random() < 0.6 else going or legal
            self.write(who, [chance.choice(wanted)])

    @precondition(lambda self: self.job.members)
    @rule(who=_who, seed=_seed, count=st.integers(1, 4))
    def record(self, who: int, seed: int, count: int) -> None:
        """Any events of members in one commit, legal or not."""
        chance = _chance(seed)
        self.write(who, [self._any_of_a_member(chance) for _ in range(count)])

    def _any_of_a_member(self, chance: random.Random) -> Event:
        key = chance.choice(list(self.job.members))
        event = chance.choice(list(self.job.collection_of(key).machine.events))
        return Event(event, payload_for(self.job, (key, event), chance), key)

    @precondition(lambda self: self.job.members)
    @rule(who=_who, seed=_seed, count=st.integers(1, 6))
    def work(self, who: int, seed: int, count: int) -> None:
        """A batch that is legal throughout, as executors write."""
        chance, after, asked = _chance(seed), self.job, list[Event]()
        for _ in range(count):
            legal = [one for one in legal_events(after, chance) if one.key is not None]
            if legal:
                asked.append(chance.choice(legal))
                after = after.take(asked[-1:])
        if asked and takes(self.job, *asked):
            self.write(who, asked)

    @rule(who=_who, seed=_seed, count=st.integers(3, 10))
    def go_on(self, who: int, seed: int, count: int) -> None:
        """A stretch of a run: one commit after the other of what is legal, mostly of members."""
        chance = _chance(seed)
        for _ in range(count):
            legal = legal_events(self.job, chance)
            going = [one for one in legal if one.key or not _has_ended(self.job.take([one]))]
            members = [one for one in going if one.key is not None]
            wanted = members if members and chance.random() < 0.8 else going
            if not wanted or self.held_against(who):
                return
            self.write(who, [chance.choice(wanted)])
            self.past[self.managers[who].get_state(JOB).seq] = self.job.copy()

    @rule(who=_who, seed=_seed)
    def several(self, who: int, seed: int) -> None:
        """Events of the job and of its members in one commit: all of them, or none."""
        chance, after, asked = _chance(seed), self.job, list[Event]()
        for _ in range(chance.randint(2, 3)):
            legal = legal_events(after, chance)
            if legal and chance.random() < 0.8:
                asked.append(chance.choice(legal))
                after = after.take(asked[-1:])
            elif self.job.members:
                asked.append(self._any_of_a_member(chance))
        if asked:
            self.write(who, asked)

    @rule(who=_who, seed=_seed, count=st.integers(2, 5))
    def write_each(self, who: int, seed: int, count: int) -> None:
        """Writes that share a commit: each is what it would be after those before it."""
        chance, manager = _chance(seed), self.managers[who]
        before = manager.get_state(JOB).seq
        writes, due = list[Write](), list[tuple[type[Any], ...]]()
        for _ in range(count):
            asked = self._one(chance)
            _says(who, f"asks, with others in one commit: {asked_told(asked)}")
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
            return [self._any_of_a_member(chance) for _ in range(chance.randint(1, 2))]
        event = chance.choice(list(self.definition.root.events))
        return [Event(event, payload_for(self.job, (None, event), chance))]

    @precondition(lambda self: self.definition.collections and len(self.job.members) < _MOST)
    @rule(who=_who, seed=_seed, count=st.integers(1, 2))
    def add(self, who: int, seed: int, count: int) -> None:
        """More members; after a rewind their keys may be those of others that it undid."""
        collections = self.definition.collections
        name = list(collections)[seed % len(collections)]
        mine = [key for key, member in self.job.members.items() if member.collection == name]
        self.added += 1
        new = {f"a{len(mine) + n}": [n, self.added] for n in range(count)}
        manager = self.managers[who]
        collection = name if len(collections) > 1 else None
        _says(who, f"adds to {name}: {new}")
        try:
            after = self.job.add(name, list(new))
        except Refused:
            due: tuple[type[Exception], ...] = (ItemsRefused, TransitionRefused)
            if self.held_against(who):
                due = (*due, LeaseHeld)
            self._raises(due, lambda: manager.add_items(JOB, new, collection=collection))
            return
        if self.held_against(who):
            self._raises((LeaseHeld,), lambda: manager.add_items(JOB, new, collection=collection))
            return
        manager.add_items(JOB, new, collection=collection)
        self.job = after
        self._raises((ItemExists,), lambda: manager.add_items(JOB, new, collection=collection))

    def write(self, who: int, asked: list[Event]) -> None:
        """Ask it of both; what one refuses the other refuses."""
        manager = self.managers[who]
        _says(who, f"asks, in one commit: {asked_told(asked)}")
        if self.held_against(who):
            error = self._raises((LeaseHeld, PayloadInvalid), lambda: act(manager, asked))
            if isinstance(error, LeaseHeld):
                assert error.owner == self.owner
            return
        due = do(manager, self.job, asked)
        if isinstance(due, Job):
            self.job = due
        elif RecordConflict in due:
            self.rejected += 1

    def _raises(self, due: tuple[type[Exception], ...], call: Callable[[], object]) -> Exception:
        try:
            call()
        except due as error:
            return error
        raise AssertionError(f"none of {[each.__name__ for each in due]} was raised")

    def held_against(self, who: int) -> bool:
        """True if somebody else holds the job, and is alive."""
        alive = self.owner is not None and self.expires_at_us > self.place.clock.monotonic_us()
        return self.leases[who] is None and alive

    @rule(who=_who, seed=_seed)
    def wrong_types(self, who: int, seed: int) -> None:
        """What is of a wrong type is refused, and changes nothing."""
        chance, manager = _chance(seed), self.managers[who]
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
        _says(who, f"is asked {what}, odd being {shown}, and for events with wrong payloads")
        self._raises((MilepostError,), call)
        for one in legal_events(self.job, chance)[:3]:
            machine = self.job.machine_of(one.key)
            for payload in wrong(machine, one.event, one.payload):
                asked = [one._replace(payload=payload)]
                self._raises((PayloadInvalid,), partial(act, manager, asked))

    # Leases

    @rule(who=_who, takeover=st.booleans())
    def take_lease(self, who: int, *, takeover: bool) -> None:
        """One of them takes the job; a takeover asks nobody."""
        owner = f"holder-{who}"
        held = self.managers[who].lease(
            JOB, owner, _TTL_S, takeover="it hangs" if takeover else "", renewed=False
        )
        now_us = self.place.clock.monotonic_us()
        if self.owner is not None and self.expires_at_us > now_us and not takeover:
            error = self._raises((LeaseHeld,), held.__enter__)
            assert isinstance(error, LeaseHeld)
            assert error.owner == self.owner
            return
        self._forget_leases()
        lease = held.__enter__()
        self.fence += 1
        self.owner, self.expires_at_us = owner, now_us + int(_TTL_S * 1e6)
        self.leases[who] = (lease, held)
        assert lease.fence == self.fence

    def _forget_leases(self) -> None:
        """Whoever holds a lease now will hold a stale one: it is kept for later."""
        for who, entry in enumerate(self.leases):
            if entry is not None:
                self.stale.append(entry[0])
                self.gone.append(entry[1])
                self.leases[who] = None
                self.managers[who]._leases.pop(JOB, None)  # noqa: SLF001 as its process would

    @precondition(lambda self: any(self.leases))
    @rule(who=_who)
    def give_back(self, who: int) -> None:
        """The holder gives the job back."""
        entry = self.leases[who]
        if entry is not None:
            entry[1].__exit__(None, None, None)
            self.leases[who] = self.owner = None

    @rule(seconds=st.sampled_from([1.0, _TTL_S]))
    def wait(self, seconds: float) -> None:
        """Time passes: a lease may run out."""
        self.place.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-86_400.0, -_TTL_S, 5.0, 3_600.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        """Nobody's lease runs out by it, or runs longer; what is dated never runs backwards."""
        self.place.clock.step(seconds)

    @precondition(lambda self: self._late() and self.job.members)
    @rule(who=_who, seed=_seed)
    def write_late(self, who: int, seed: int) -> None:
        """A stale holder's write is refused, and leaves nothing but its trace."""
        chance = _chance(seed)
        lease, manager = chance.choice(self._late()), self.managers[who]
        asked = self._any_of_a_member(chance)
        _says(who, f"asks under the lost lease of {lease.owner}: {asked_told([asked])}")
        wanted = requests([asked])
        error = self._raises(
            (LeaseLost,),
            lambda: manager.record(JOB, wanted, lease=lease),  # type: ignore[arg-type]
        )
        assert isinstance(error, LeaseLost)
        assert error.current_fence == self.fence
        self.rejected += 1

    def _late(self) -> list[Lease]:
        return [one for one in self.stale if one.fence < self.fence or self.owner is None]

    # Checkpoints, crashes, recovery

    @rule(who=_who)
    def checkpoint(self, who: int) -> None:
        """A checkpoint has the state that it was taken of."""
        taken = self.managers[who].create_checkpoint(JOB)
        agree(taken.state, self.job)
        self.moments.append(taken.seq)

    @rule()
    def crash(self) -> None:
        """Both processes are gone with their memory; what the store has kept is all there is."""
        self.place.crash()
        self._forget_leases()
        for manager in self.managers:
            self.place.close_manager(manager)
        self.managers = [self.place.manager() for _ in self.managers]

    @rule(who=_who)
    def reopen(self, who: int) -> None:
        """One process ends in good order and starts again."""
        entry = self.leases[who]
        if entry is not None:
            entry[1].__exit__(None, None, None)
            self.leases[who] = self.owner = None
        self.place.close_manager(self.managers[who])
        self.managers[who] = self.place.manager()

    @rule(who=_who, seed=_seed)
    def recover(self, who: int, seed: int) -> None:
        """A plan of any scope is carried out, or refused as a whole."""
        chance, manager = _chance(seed), self.managers[who]
        scope = self._scope(chance)
        _says(who, f"recovers {scope}")
        try:
            plan = manager.recover_from_checkpoint(JOB, scope=scope)
        except StateError:
            assert scope != Scope.all(), "the plan of the whole job cannot be made"
            return
        except TransitionRefused:  # a guard lets nobody take it up
            return
        parts = sorted(ordinal for part in plan.parts.values() for ordinal in part.ordinals)
        assert parts == list(range(len(self.job.members))) or plan.rewinds_to is not None
        self._apply(who, plan)

    def _scope(self, chance: random.Random) -> Scope:
        ordinals = [n for n in range(len(self.job.members)) if chance.random() < 0.5]
        first = chance.randint(0, max(len(self.job.members) - 1, 0))
        scopes = [
            *(Scope.all(), Scope.all(), Scope.failed(), Scope.ordinals(ordinals)),
            Scope.keys(*(list(self.job.members)[n] for n in ordinals)),
            Scope.globs("*1", "*2"),
            Scope.span(first, first + 2),
            Scope.attempts_below(chance.randint(1, 3)),
            Scope.again(chance.choice(self.definition.root.states)),
        ]
        states = [s for of in self.definition.collections.values() for s in of.machine.states]
        if states:
            scopes.append(Scope.states(chance.choice(states)))
        if self.moments:
            seq = chance.choice(self.moments)
            scopes.append(Scope.checkpoint(seq, exactly=chance.random() < 0.5))
        return chance.choice(scopes)

    @precondition(lambda self: self.past)
    @rule(who=_who, seed=_seed)
    def rewind(self, who: int, seed: int) -> None:
        """Back to any commit that was seen, and on from there."""
        seq = _chance(seed).choice(sorted(self.past))
        _says(who, f"goes back to commit {seq}")
        try:
            plan = self.managers[who].plan_rewind(JOB, seq, reason="a test")
        except TransitionRefused:  # a guard lets nobody take it up from there
            return
        self._apply(who, plan)

    def _apply(self, who: int, plan: Any) -> None:
        manager, before = self.managers[who], self.managers[who].get_state(JOB).seq
        if self.held_against(who):
            self._raises((LeaseHeld,), lambda: manager.apply(plan))
            return
        try:
            after = manager.apply(plan)
        except TransitionRefused:  # a guard lets nobody take it up
            assert manager.get_state(JOB).seq == before, "a plan that was refused has left its mark"
            return
        assert after.phase == plan.resume_phase
        self._follow(before)
        if not plan.changes_nothing:
            other = self.managers[1 - who]
            self._raises((PlanStale, LeaseHeld), lambda: other.apply(plan))

    def _follow(self, after: int) -> None:
        """Take what stands in the log after a commit: it is legal by the definition, step by step.

        What recovery does is no part of a definition; that all of it is allowed is.
        """
        inputs = self.managers[0].get_state(JOB).inputs

        def read(log: JobLog) -> None:
            keys = list(self.job.members)
            for row in log.rows(after):
                for fact in log.facts(row):
                    if isinstance(fact, Rewound):
                        self.job = self._then(fact.to_seq)
                        keys = list(self.job.members)
                    elif isinstance(fact, ItemsAdded | MembersAdded):  # a phase again keeps them
                        name = (
                            fact.collection
                            if isinstance(fact, MembersAdded)
                            else next(iter(self.definition.collections))
                        )
                        ordinals = range(fact.first, fact.first + fact.count)
                        new = [inputs.key(ordinal) for ordinal in ordinals]
                        self.job = self.job.add(name, [key.rpartition("/")[2] for key in new])
                        keys = list(self.job.members)
                    elif isinstance(fact, JobFired):
                        self.job = self.job.follow([Event(fact.event, fact.payload)])
                    elif isinstance(fact, ItemsFired):
                        payloads = fact.payloads or [{}] * len(fact.ordinals)
                        events = [
                            Event(fact.event, payload, keys[ordinal])
                            for ordinal, payload in zip(fact.ordinals, payloads, strict=True)
                        ]
                        self.job = self.job.follow(events)

        self.place.fold(lambda store: logged(store, JOB, (self.lifecycle,), self.earlier, read))

    def _then(self, seq: int) -> Job:
        if seq in self.past:
            return self.past[seq].copy()
        return _as_found(self.definition, self.managers[0].state_at(JOB, seq), self.job)

    @rule(who=_who, seed=_seed)
    def operate(self, who: int, seed: int) -> None:
        """What an operator does with members, as far as the lifecycle has roles for it."""
        chance, manager = _chance(seed), self.managers[who]
        keys = [key for key in self.job.members if chance.random() < 0.4]
        before = manager.get_state(JOB).seq
        calls: list[tuple[str, Callable[[], object]]] = [
            ("requeue(JOB)", lambda: manager.requeue(JOB)),
            (f"redo(JOB, {keys})", lambda: manager.redo(JOB, keys)),
            (f"skip(JOB, {keys})", lambda: manager.skip(JOB, keys)),
            ("allow_dead(JOB, 1)", lambda: manager.allow_dead(JOB, 1)),
        ]
        what, call = chance.choice(calls)
        _says(who, f"is asked {what}")
        with suppress(TransitionRefused, StateError, NumberUnfit):
            call()
            assert not self.held_against(who) or manager.get_state(JOB).seq == before
        self._follow(before)

    # The job as it was, copies of it, and what is kept of them

    @precondition(lambda self: self.past)
    @rule(who=_who, seed=_seed)
    def look_back(self, who: int, seed: int) -> None:
        """Every moment can be read again, and a fork stands as the job stood then."""
        seq = _chance(seed).choice(sorted(self.past))
        forks = f", and forks it as {_FORKS[self.forks]}" if self.forks < len(_FORKS) else ""
        _says(who, f"looks at commit {seq}{forks}")
        agree(self.managers[who].state_at(JOB, seq), self.past[seq])
        if self.forks < len(_FORKS):
            fork = _FORKS[self.forks]
            self.forks += 1
            agree(self.managers[who].fork(JOB, seq, fork), self.past[seq])
            assert all(one.sound for one in self.managers[1 - who].verify(fork))
            self._collected(who, fork, self.past[seq])

    def _collected(self, who: int, fork: str, job: Job) -> None:
        """A copy that has ended goes at once, by a policy that keeps nothing; others stay."""
        manager = self.managers[who]
        plan = manager.plan_retention(_KEEPS_NOTHING, job_ids=[fork])
        collected = manager.collect(plan, rest=lambda: None)
        if job.state in self.definition.root.final:
            assert list(collected.deleted) == [fork]
        assert manager.has_job(fork) != (fork in collected.deleted)

    @rule(who=_who)
    def compact(self, who: int) -> None:
        """Small commits are merged into blocks."""
        self.managers[who].upkeep.compact(JOB, apply=True)

    @rule()
    def read_only(self) -> None:
        """Who only reads sees the same, and writes nothing."""
        manager = self.place.read_only()
        if manager is not None:
            with manager:
                agree(manager.get_state(JOB), self.job)
                self._raises((StoreReadOnly,), lambda: manager.create_checkpoint(JOB))

    # What must hold after every rule

    @invariant()
    def holds(self) -> None:
        """State = fold(log) = definition, the chain verifies, the plan is a partition."""
        if not self.managers:
            return
        self.tried["rules"] += 1
        self.checks += 1
        looking = self.managers[self.checks % 2]
        state = looking.get_state(JOB)
        agree(state, self.job)
        assert (state.fence, state.owner, state.rejected_count) == (
            self.fence,
            self.owner,
            self.rejected,
        )
        assert self.managers[1 - self.checks % 2].get_state(JOB) == state
        check_results(looking, JOB, self.job)
        check_plan(looking, JOB, state)
        folded: list[JobState] = []
        self.place.fold(
            lambda store: logged(
                store, JOB, (self.lifecycle,), self.earlier, lambda log: folded.append(_folded(log))
            )
        )
        if state.as_logged is None:  # it was left under an earlier version, and not written since
            assert folded == [state], "the fold of the log from nothing is another state"
            self.past[state.seq] = self.job.copy()
        (verification,) = looking.verify(JOB)
        assert verification.sound, verification.problems
        if self.checks % _READ_EVERY == 0:
            self._read_by_another(state)

    def _read_by_another(self, state: JobState) -> None:
        """A second process finds the same."""
        if self.place.is_read_by_others:
            found = self.reader.read(self.module, self.place.url, JOB)
            results = found.pop("results", None)
            assert found == {**found_in(state), "sound": [True]}
            if results is not None:
                assert results == sorted(self.job.results())
            self.tried["reads by another process"] += 1

    def _conforms(self) -> None:
        """Each fact of each log is as `milepost conform` reads the definition."""
        job_ids = self.managers[0].job_ids()

        def walk(store: StateStore) -> None:
            for job_id in job_ids:
                logged(store, job_id, (self.lifecycle,), self.earlier, self._walk)

        self.place.fold(walk)

    def _walk(self, log: JobLog) -> None:
        found = walked(log, self.read)
        assert found.conforms, found.departure or found.untold
        self.tried["facts held against the file"] += found.facts

    def teardown(self) -> None:
        """Hold each log against the file, have it read once more, and close what is open.

        After an error nothing is looked at any more: what that finds would stand in its place.
        """
        met = sys.exc_info()[1]
        failed = isinstance(met, Exception) and met is not self._before
        try:
            if self.managers and not failed:
                self._read_by_another(self.managers[0].get_state(JOB))
                self._conforms()
        finally:
            held = [entry[1] for entry in self.leases if entry is not None]
            for one in (*self.gone, *held):  # of managers that are closed, or of leases long lost
                with suppress(StateError):
                    one.__exit__(None, None, None)
            for manager in self.managers:
                self.place.close_manager(manager)
            self.place.remove()


_FORKS: Final = ("fork-1", "fork-2", "fork-3")
_KEEPS_NOTHING: Final = RetentionPolicy(
    completed=timedelta(0), failed=timedelta(0), cancelled=timedelta(0), ended=timedelta(0)
)


def _folded(log: JobLog) -> JobState:
    state = log.origin()
    for _, after in log.replay(state):
        state = after
    return state


def _has_ended(job: Job) -> bool:
    return job.state in job.definition.root.final


def _as_found(definition: Definition, state: JobState, old: Job) -> Job:
    """A job of the definition as it stands in the store; results are those that it had."""
    members: dict[str, Member] = {}
    params = {name: dict(given) for name, given in old.params.items()}
    for ordinal in range(state.items.count):
        key, (at, context) = state.inputs.key(ordinal), state.items.member(ordinal)
        collection = state.collection_of(ordinal)
        result = old.members[key].result if key in old.members else None
        members[key] = Member(collection, at, dict(context), result)
        variables = definition.collections[collection].machine.variables
        params[collection] = {name: context[name] for name, of in variables.items() if of.param}
    return Job(
        definition=definition,
        params=params,
        state=state.phase,
        context=dict(state.context),
        members=members,
        variables=dict(state.variables),
        result=old.result,
    )
