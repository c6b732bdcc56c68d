"""Random deaths, and ways back: checkpoints, plans of any scope, rewinds, operators."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis.stateful import precondition, rule

from milepost.errors import LeaseHeld, NumberUnfit, PlanStale, StateError
from milepost.log.facts import ItemsAdded, ItemsFired, JobFired, MembersAdded, Rewound
from milepost.machine import TransitionRefused
from milepost.state.reading.loading import JobLog
from milepost.state.recovering.scope import Scope
from milepost.testing.definition import Event, Job
from milepost.testing.lifecycle.doing import JOB
from milepost.testing.lifecycle.looking import agree, logged
from milepost.testing.lifecycle.rules.asking import SEED, WHO, Asking, as_found, chance_of, says

__all__ = ["Recovery"]


class Recovery(Asking):
    """The job is left, and taken up again."""

    @rule(who=WHO)
    def checkpoint(self, who: int) -> None:
        """A checkpoint has the state that it was taken of."""
        taken = self.managers[who].create_checkpoint(JOB)
        agree(taken.state, self.job)
        self.moments.append(taken.seq)

    @rule()
    def crash(self) -> None:
        """Both processes are gone with their memory; what the store has kept is all there is."""
        self.place.crash()
        self.forget_leases()
        for manager in self.managers:
            self.place.close_manager(manager)
        self.managers = [self.place.manager() for _ in self.managers]

    @rule(who=WHO)
    def reopen(self, who: int) -> None:
        """One process ends in good order and starts again."""
        entry = self.leases[who]
        if entry is not None:
            entry[1].__exit__(None, None, None)
            self.leases[who] = self.owner = None
        self.place.close_manager(self.managers[who])
        self.managers[who] = self.place.manager()

    @rule(who=WHO, seed=SEED)
    def recover(self, who: int, seed: int) -> None:
        """A plan of any scope is carried out, or refused as a whole."""
        chance, manager = chance_of(seed), self.managers[who]
        scope = self._scope(chance)
        says(who, f"recovers {scope}")
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
    @rule(who=WHO, seed=SEED)
    def rewind(self, who: int, seed: int) -> None:
        """Back to any commit that was seen, and on from there."""
        seq = chance_of(seed).choice(sorted(self.past))
        says(who, f"goes back to commit {seq}")
        try:
            plan = self.managers[who].plan_rewind(JOB, seq, reason="a test")
        except TransitionRefused:  # a guard lets nobody take it up from there
            return
        self._apply(who, plan)

    def _apply(self, who: int, plan: Any) -> None:
        manager, before = self.managers[who], self.managers[who].get_state(JOB).seq
        if self.held_against(who):
            self.raises((LeaseHeld,), lambda: manager.apply(plan))
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
            self.raises((PlanStale, LeaseHeld), lambda: other.apply(plan))

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
        return as_found(self.definition, self.managers[0].state_at(JOB, seq), self.job)

    @rule(who=WHO, seed=SEED)
    def operate(self, who: int, seed: int) -> None:
        """What an operator does with members, as far as the lifecycle has roles for it."""
        chance, manager = chance_of(seed), self.managers[who]
        keys = [key for key in self.job.members if chance.random() < 0.4]
        before = manager.get_state(JOB).seq
        calls: list[tuple[str, Callable[[], object]]] = [
            ("requeue(JOB)", lambda: manager.requeue(JOB)),
            (f"redo(JOB, {keys})", lambda: manager.redo(JOB, keys)),
            (f"skip(JOB, {keys})", lambda: manager.skip(JOB, keys)),
            ("allow_dead(JOB, 1)", lambda: manager.allow_dead(JOB, 1)),
        ]
        what, call = chance.choice(calls)
        says(who, f"is asked {what}")
        with suppress(TransitionRefused, StateError, NumberUnfit):
            call()
            assert not self.held_against(who) or manager.get_state(JOB).seq == before
        self._follow(before)
