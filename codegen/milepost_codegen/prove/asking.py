"""The obligations of one machine as questions to who decides, once lemmas are given: no search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.prove.build import build
from milepost_codegen.prove.judge import Judge
from milepost_codegen.prove.obligations import tasks
from milepost_codegen.prove.progress import falls
from milepost_codegen.prove.questions import (
    begins_with,
    excluded,
    possible,
    refusal,
    sent_by,
    surely_moves,
)
from milepost_codegen.prove.report import Obligation
from milepost_codegen.prove.strengthen import strongest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.obligations import Task

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
            return possible(self.judge, task)
        if task.obligation.kind == "members":
            return self._no_refusal(task)
        if task.goals:
            return False  # a run shows it, or nothing does
        return excluded(self.judge, task) and begins_with(self.judge, task.obligation)

    def refuted(self, key: str) -> bool:
        """True if what is known refutes an obligation without a run."""
        task = self.tasks.get(key)
        if task is None or not task.goals:
            return False
        if task.declared:
            return not possible(self.judge, task)
        return excluded(self.judge, task)

    def _able(self, name: str, place: str) -> bool:
        collection = next(one for one in self.machine.collections if one.name == name)
        return surely_moves(self.machine, name, place, self.others[collection.machine].judge)

    def _no_refusal(self, task: Task) -> bool:
        """True if no member in that state refuses what the row sends it."""
        _, sent = sent_by(self.machine, task)
        collection = next(one for one in self.machine.collections if one.name == sent.collection)
        members = self.others[collection.machine].judge
        return members.excluded(refusal(self.lifecycle, self.machine, sent))
