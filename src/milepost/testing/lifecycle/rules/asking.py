"""Two managers on one store and a job of the definition, of which the same is asked."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Final

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from milepost.conformance.walking import Definitions
from milepost.errors import LeaseHeld, RecordConflict
from milepost.job.state import JobState
from milepost.machine import Lifecycle, PayloadInvalid
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Lease
from milepost.testing.definition import Definition, Event, Job, Member
from milepost.testing.lifecycle.doing import JOB, act, do
from milepost.testing.lifecycle.reading import Reader
from milepost.testing.lifecycle.stores import MakeStore, Place
from milepost.testing.lifecycle.telling import asked_told
from milepost.testing.lifecycle.values import beginnings, created_with, legal_events, payload_for

__all__ = ["SEED", "WHO", "Asking", "as_found", "chance_of", "has_ended", "says"]

WHO: Final = st.integers(0, 1)
"""Which of the two managers."""

SEED: Final = st.integers(0, 2**32 - 1)
"""What a rule draws the rest by."""


def chance_of(seed: int) -> random.Random:
    """What a rule draws by, the same for a seed."""
    return random.Random(seed)  # noqa: S311 no secret


def says(who: int | None, what: str) -> None:
    """Say beside the rule what came of its seeds; hypothesis shows it of what failed, made small.

    `who` is the number of the manager, None for all.
    """
    if currently_in_test_context():
        note(f"# {'' if who is None else f'manager {who} '}{what}")


class Asking(RuleBasedStateMachine):
    """The two managers, their leases, and a job that is made of the definition and told the same.

    The rules are in classes that derive from it. `past` has the job at each commit that was seen,
    and `stale` the leases that were lost. `tried` counts the rules that were taken, by name, and
    the sequences of them.
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

    @initialize(seed=SEED, version=st.integers(0, 3))
    def create(self, seed: int, version: int) -> None:
        """A job with a few members; sometimes one that was left under an earlier version."""
        chance = chance_of(seed)
        if version < len(self.old):
            self._migrated(chance, *self.old[version])
        else:
            self.job = beginnings(self.definition, chance)
            manager = self.place.manager()
            given = created_with(self.job)
            says(None, f"a job begins with {given}")
            manager.create_job(job_id=JOB, **given)
            self.managers = [manager]
        while len(self.managers) < len(self.leases):
            self.managers.append(self.place.manager())

    def _migrated(self, chance: random.Random, lifecycle: Lifecycle, old: Definition) -> None:
        """A job takes a few steps under an earlier version, and goes on under this one."""
        job = beginnings(old, chance)
        manager = self.place.manager(lifecycle=lifecycle)
        given = created_with(job)
        says(None, f"a job begins under version {lifecycle.version} with {given}")
        manager.create_job(job_id=JOB, **given)
        for _ in range(chance.randint(0, 6)):
            legal = [one for one in legal_events(job, chance) if not has_ended(job.take([one]))]
            if legal:
                asked = chance.choice(legal)
                says(None, f"it takes, under version {lifecycle.version}: {asked_told([asked])}")
                act(manager, [asked])
                job = job.take([asked])
        self.place.close_manager(manager)
        self.managers = [self.place.manager()]
        state = self.managers[0].get_state(JOB)
        self.job = as_found(self.definition, state, job)
        assert list(self.job.members) == list(job.members), "members are lost on the way"
        assert self.job.results().keys() == job.results().keys(), "results are lost on the way"

    def write(self, who: int, asked: list[Event]) -> None:
        """Ask it of both; what one refuses the other refuses."""
        manager = self.managers[who]
        says(who, f"asks, in one commit: {asked_told(asked)}")
        if self.held_against(who):
            error = self.raises((LeaseHeld, PayloadInvalid), lambda: act(manager, asked))
            if isinstance(error, LeaseHeld):
                assert error.owner == self.owner
            return
        due = do(manager, self.job, asked)
        if isinstance(due, Job):
            self.job = due
        elif RecordConflict in due:
            self.rejected += 1

    def raises(self, due: tuple[type[Exception], ...], call: Callable[[], object]) -> Exception:
        """The error of `call`, which has to be one of those that are due."""
        try:
            call()
        except due as error:
            return error
        raise AssertionError(f"none of {[each.__name__ for each in due]} was raised")

    def held_against(self, who: int) -> bool:
        """True if somebody else holds the job, and is alive."""
        alive = self.owner is not None and self.expires_at_us > self.place.clock.monotonic_us()
        return self.leases[who] is None and alive

    def any_of_a_member(self, chance: random.Random) -> Event:
        """Any event of any member, legal or not."""
        key = chance.choice(list(self.job.members))
        event = chance.choice(list(self.job.collection_of(key).machine.events))
        return Event(event, payload_for(self.job, (key, event), chance), key)

    def forget_leases(self) -> None:
        """Whoever holds a lease now will hold a stale one: it is kept for later."""
        for who, entry in enumerate(self.leases):
            if entry is not None:
                self.stale.append(entry[0])
                self.gone.append(entry[1])
                self.leases[who] = None
                self.managers[who]._leases.pop(JOB, None)  # noqa: SLF001 as its process would


def has_ended(job: Job) -> bool:
    """True if the job is in a state that ends it."""
    return job.state in job.definition.root.final


def as_found(definition: Definition, state: JobState, old: Job) -> Job:
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
