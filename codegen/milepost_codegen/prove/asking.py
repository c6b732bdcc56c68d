"""The obligations of one machine as questions to who decides, once lemmas are given: no search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions.substitute import TRUE, either, opposite, substitute
from milepost_codegen.model import machine_named
from milepost_codegen.prove.build import build, constant
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.eliminate import NotEliminated, some_payload
from milepost_codegen.prove.judge import Judge
from milepost_codegen.prove.obligations import Danger, tasks
from milepost_codegen.prove.progress import falls
from milepost_codegen.prove.report import Obligation
from milepost_codegen.prove.strengthen import strongest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.obligations import Task
    from milepost_codegen.prove.system import Move

__all__ = ["Asking"]


class Asking:
    """One machine; `others` are those that were asked before. What asks raises Undecided."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        machine: Machine,
        decides: Decider,
        others: Mapping[str, Asking],
    ) -> None:
        self.lifecycle = lifecycle
        self.machine = machine
        self.decides = decides
        self.others = others
        system = build(lifecycle, machine)
        # only with the lemmas of its members it is known what members can surely take
        self.judge = Judge(
            system=system,
            decider=decides,
            tasks=tuple(tasks(machine, system, self._able)),
        )
        self.tasks: dict[str, Task] = {one.obligation.key: one for one in self.judge.tasks}

    def obligations(self) -> tuple[Obligation, ...]:
        """All obligations of the machine."""
        found = [one.obligation for one in self.judge.tasks]
        if self.machine.progress is not None:
            found.append(
                Obligation(
                    key=f"{self.machine.name}.progress.measures",
                    kind="progress",
                    machine=self.machine.name,
                    subject="measures",
                    claim="the measures fall on every cycle",
                    place=self.machine.progress.place,
                )
            )
        return tuple(found)

    def take(self, lemmas: Mapping[str, tuple[Expression, ...]]) -> bool:
        """Take these lemmas as known, if they hold at the start and every move keeps them all."""
        every = {mode: lemmas.get(mode, ()) for mode in self.judge.system.modes}
        if strongest(self.judge.system, every, self.decides) != every:
            return False
        self.judge.lemmas = every
        return True

    def proved(self, key: str) -> bool:
        """True if what is known proves an obligation."""
        task = self.tasks.get(key)
        if task is None:
            progress = self.machine.progress
            assert progress is not None
            return falls(self.judge, progress.decreases, progress.excepted)
        if task.declared:
            return self._possible(task)
        if task.obligation.kind == "members":
            return self.judge_of_members(task)
        if task.goals:
            return False  # a run shows it, or nothing does
        return self._excluded(task) and self._begins_with(task.obligation)

    def refuted(self, key: str) -> bool:
        """True if what is known refutes an obligation without a run."""
        task = self.tasks.get(key)
        if task is None or not task.goals:
            return False
        return not self._possible(task) if task.declared else self._excluded(task)

    def judge_of_members(self, task: Task) -> bool:
        """True if no member in that state refuses what the row sends it."""
        sender, name, state = task.obligation.subject.rsplit(".", 2)
        row = next(one for one in self.machine.transitions if one.id == sender)
        collection = next(one for one in self.machine.collections if one.name == name)
        member = machine_named(self.lifecycle, collection.machine)
        event = next(
            one.event for one in row.members if (one.collection, one.state) == (name, state)
        )
        spec = next(one for one in member.events if one.name == event)
        defaults = {
            one.name: constant(one.type, one.default)
            for one in spec.fields
            if one.type.readable and isinstance(one.default, bool | int | str)
        }
        guards = [
            TRUE if one.guard is None else substitute(one.guard, {}, defaults)
            for one in member.pairs.get((state, event), ())
        ]
        danger = Danger(mode=state, when=opposite(either(guards)))
        return self.others[member.name].judge.excluded(danger)

    def _excluded(self, task: Task) -> bool:
        return all(self.judge.excluded(one) for one in (*task.dangers, *task.goals))

    def _begins_with(self, about: Obligation) -> bool:
        if about.kind != "invariant":
            return True
        holds = self.judge.system.invariants[self.machine.initial].get(about.subject, TRUE)
        return self.decides.some(*self.judge.start(), opposite(holds)) is None

    def _possible(self, task: Task) -> bool:
        judge = self.judge
        if task.obligation.kind == "parameters":
            return self.decides.some(*judge.start()) is not None
        return any(
            self.decides.some(
                judge.system.facts, *judge.system.invariants[one.mode].values(), one.when
            )
            is not None
            for one in task.goals
        )

    def _able(self, name: str, place: str) -> bool:
        """Whether a member in a state can surely take an event that its owner accepts there."""
        state, owner = place.split(".")
        collection = next(one for one in self.machine.collections if one.name == name)
        member = self.others[collection.machine].judge
        events = dict(collection.accepts).get(owner, ())
        ways: list[Expression] = []
        stuck: list[Move] = []
        for move in member.system.moves:
            if move.source == state and move.event in events:
                try:
                    ways.append(some_payload(move.guard, move.inputs))
                except NotEliminated:
                    stuck.append(move)
        danger = Danger(mode=state, when=opposite(either(ways)), stuck=tuple(stuck))
        try:
            return member.excluded(danger)
        except Undecided:
            return False
