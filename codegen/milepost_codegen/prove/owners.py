"""An owner with members one by one, for what counting them leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.substitute import TRUE, both, substitute
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.judge import FIRST_LOOK, LONG_LOOK, Judge
from milepost_codegen.prove.obligations import Danger, tasks
from milepost_codegen.prove.questions import sent_by
from milepost_codegen.prove.realize import realized
from milepost_codegen.prove.unrolled import unrolled

if TYPE_CHECKING:
    from milepost_codegen.model import Machine
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.judge import Found
    from milepost_codegen.prove.members import OneByOne
    from milepost_codegen.prove.obligations import Task
    from milepost_codegen.prove.system import Configuration, Run

__all__ = ["Real"]

_MOST_STEPS: Final = 12


class Real:
    """An owner with members one by one, and the same obligations said of it."""

    def __init__(self, one: OneByOne, machine: Machine, decides: Decider) -> None:
        self.one = one
        self.machine = machine
        found = tasks(machine, one.system, lambda _name, _place: True, one.counts)
        self.judge = Judge(
            system=one.system, decider=decides, tasks=tuple(self._refusing(task) for task in found)
        )

    def _refusing(self, task: Task) -> Task:
        """The same obligation; members that refuse are dangers here."""
        if task.obligation.kind != "members":
            return task
        row, sent = sent_by(self.machine, task)
        move = next(one for one in self.one.system.moves if one.name == row.id)
        guard = TRUE if row.guard is None else substitute(row.guard, self.one.counts)
        danger = Danger(
            mode=move.source,
            when=both((guard, self.one.refusals[row.id, sent.collection, sent.state])),
            inputs=move.inputs,
            event=move.event,
        )
        return replace(task, dangers=(danger,))

    def task(self, task: Task) -> Task:
        """The same obligation, said of members one by one."""
        key = task.obligation.key
        return next(one for one in self.judge.tasks if one.obligation.key == key)

    def ends(self, task: Task, found: Found, at: Configuration) -> bool:
        """True if a run that ends there shows what `found` shows of counted members."""
        if task.obligation.kind == "invariant":
            holds = self.one.system.invariants[at.mode].get(task.obligation.subject, TRUE)
            return not function(holds)(at.values, {})
        names = {one.name for danger in (*task.dangers, *task.goals) for one in danger.inputs}
        payload = {name: value for name, value in found.payload.items() if name in names}
        return self.judge.explorer.holds(at) and any(
            one.mode == at.mode and function(one.when)(at.values, payload)
            for one in (*task.dangers, *task.goals)
        )

    def likewise(self, task: Task, found: Found) -> Run | None:
        """A run with the steps of a counted one that shows the same; None if none is found."""
        there = self.task(task)
        return realized(found.run, self.judge.explorer, lambda at: self.ends(there, found, at))

    def found(self, task: Task) -> Found | None:
        """A run into a danger, or to a goal, of an obligation: sampled, or asked of the solver."""
        judge, key = self.judge, task.obligation.key
        judge.look(FIRST_LOOK)
        if judge.decider.name:
            try:
                length = len(judge.found[key].run.steps) if key in judge.found else _MOST_STEPS
                found = unrolled(self.one.system, self.task(task), length)
            except Undecided:
                found = None
            if found is not None:
                judge.found[key] = found
        elif key not in judge.found:
            judge.roam(LONG_LOOK // 4, [key])
            judge.look(LONG_LOOK // 2)
        return judge.found.get(key)
