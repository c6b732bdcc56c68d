"""The shortest run to each goal, or that there is none: by the prover's search and its proofs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from milepost_codegen.prove.build import build, least, machine_named
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.counting import ABSENT
from milepost_codegen.prove.decider import Undecided, decider
from milepost_codegen.prove.explore import Explorer
from milepost_codegen.prove.judge import Judge
from milepost_codegen.prove.members import one_by_one
from milepost_codegen.prove.obligations import Task
from milepost_codegen.prove.realize import realized
from milepost_codegen.prove.report import Obligation
from milepost_codegen.prove.solve import ask
from milepost_codegen.prove.solve.unroll import shortest
from milepost_codegen.prove.system import Run, RunStep
from milepost_codegen.prove.traces.goals import (
    first_come,
    forgetting,
    goals,
    remembering,
    with_unheard,
)

if TYPE_CHECKING:
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.members import OneByOne
    from milepost_codegen.prove.obligations import Danger
    from milepost_codegen.prove.solve.concrete import Found
    from milepost_codegen.prove.system import Entry, System, Values
    from milepost_codegen.prove.traces.goals import Goal

__all__ = ["Outcome", "Trace", "traces"]

Outcome: TypeAlias = Literal["covered", "impossible", "unknown"]

_LOOKS: Final = (2_000, 12_000, 40_000)
_MOST_STEPS: Final = 16
_MOST_MEMBERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What was found for one goal.

    The run of a row and of a pair ends with the row's own step. That of a condition ends where the
    goal's event is asked for, with `payload`, and is answered by the row `takes`, `""` if it is
    refused; `alone` says that there the condition decides by itself what the guard says. `free`
    are the entries that the start leaves open, such as parameters. `shortest` is False where a
    shorter run was not excluded. `because` says why nothing is known, or is `""`.
    """

    goal: Goal
    outcome: Outcome
    run: Run | None = None
    payload: Values = field(default_factory=dict)
    takes: str = ""
    alone: bool = True
    free: tuple[str, ...] = ()
    shortest: bool = False
    because: str = ""


def traces(lifecycle: Lifecycle, machine: Machine, *, solver: bool = True) -> tuple[Trace, ...]:
    """A shortest run to every goal of a machine, or that there is none; in the order of the goals.

    A member is alone, as if its owner accepted whatever comes. An owner has members one by one.
    Without z3, or where `solver` is False, more goals stay unknown.
    """
    return _Search(lifecycle, machine, decider(solver=solver)).all()


class _Search:
    def __init__(self, lifecycle: Lifecycle, machine: Machine, decides: Decider) -> None:
        self.lifecycle = lifecycle
        self.machine = machine
        self.decides = decides
        system = build(lifecycle, machine)
        self.base = Judge(system=system, decider=decides, tasks=())
        self.system = remembering(with_unheard(first_come(system, {}), machine))
        self.goals = tuple(goals(self.system, {}))
        self._explorer = Explorer(system=self.system)
        self._real: dict[int, _Real | None] = {}

    def all(self) -> tuple[Trace, ...]:
        found = self._search({one.key: one.danger for one in self.goals})
        left = [one for one in self.goals if one.key not in found]
        excluded = self._excluded({one.key: one.base for one in left})
        found |= self._unrolled({one.key: one.danger for one in left if one.key not in excluded})
        found |= self._one_by_one(
            [one for one in left if one.key not in found and one.key not in excluded]
        )
        plain = {
            one.key: one.plain for one in left if one.plain is not None and one.key in excluded
        }
        weaker = self._search(plain) if plain else {}
        never = self._excluded({key: one for key, one in plain.items() if key not in weaker})
        every = (self._trace(one, found, weaker, excluded, never) for one in self.goals)
        return tuple(self._as_short(one) for one in every)

    @staticmethod
    def _trace(
        goal: Goal,
        found: dict[str, Trace],
        weaker: dict[str, Trace],
        excluded: frozenset[str],
        never: frozenset[str],
    ) -> Trace:
        if goal.key in found:
            return found[goal.key]
        if goal.key in weaker:
            return replace(weaker[goal.key], alone=False)
        gone = never if goal.plain is not None else excluded
        if goal.key in gone:
            return Trace(goal=goal, outcome="impossible")
        because = "no run was found, and no proof that there is none"
        return Trace(goal=goal, outcome="unknown", because=because)

    def _as_short(self, trace: Trace) -> Trace:
        """The trace, or a shorter one; and whether no shorter one is left."""
        goal, run = trace.goal, trace.run
        if run is None:
            return trace
        length = len(run.steps) - (goal.kind != "condition")
        fewest = self.base.distance(goal.danger.mode)
        if fewest is not None and length <= fewest:
            return replace(trace, shortest=True)
        if not self.decides.name:
            return trace
        when = goal.danger.when if trace.alone or goal.plain is None else goal.plain.when
        try:
            shorter = shortest(self.system, {goal.danger.mode: when}, at_most=length - 1)
        except (Undecided, ask.Undecided):
            return trace
        if shorter is None:
            return replace(trace, shortest=True)
        made = self._made(goal.key, shorter.run, shorter.payload)
        if made is None or made.run is None:
            return trace
        return replace(made, shortest=True, alone=trace.alone)

    def _search(self, wanted: dict[str, Danger]) -> dict[str, Trace]:
        """Runs into dangers by name, as far as a search through real values finds them."""
        judge = Judge(
            system=self.system,
            decider=self.decides,
            tasks=tuple(_task(self.machine, name, one) for name, one in wanted.items()),
        )
        for most in _LOOKS:
            judge.look(most)
            if len(judge.found) == len(wanted):
                break
        made = {
            name: self._made(name, judge.found[name].run, judge.found[name].payload)
            for name in wanted
            if name in judge.found
        }
        return {name: trace for name, trace in made.items() if trace is not None}

    def _unrolled(self, wanted: dict[str, Danger]) -> dict[str, Trace]:
        """Runs that the solver finds."""
        found: dict[str, Trace] = {}
        for name, danger in wanted.items() if self.decides.name else ():
            try:
                one = shortest(self.system, {danger.mode: danger.when}, at_most=_MOST_STEPS)
            except (Undecided, ask.Undecided):
                continue
            trace = None if one is None else self._made(name, one.run, one.payload)
            if trace is not None:
                found[name] = trace
        return found

    def _one_by_one(self, left: list[Goal]) -> dict[str, Trace]:
        """Runs of members one by one, for goals of which counted runs are none of the definition's.

        What is found in a search of so many members is as short as can be with no more of them.
        """
        found: dict[str, Trace] = {}
        for members in range(1, _MOST_MEMBERS + 1) if left and not self.system.exact else ():
            real = self._with(members)
            if real is None:
                break
            wanted = {one.key: real.goals[one.key].danger for one in left}
            judge = Judge(
                system=real.system,
                decider=self.decides,
                tasks=tuple(_task(self.machine, name, one) for name, one in wanted.items()),
            )
            judge.look(_LOOKS[0] if self.decides.name else _LOOKS[-1])
            for goal in left:
                one = judge.found.get(goal.key) or self._shortest(real, goal)
                if one is not None:
                    found[goal.key] = self._ended(
                        goal, one.run, one.payload, judge.explorer, real.free
                    )
            left = [one for one in left if one.key not in found]
            if not left:
                break
        return found

    def _shortest(self, real: _Real, goal: Goal) -> Found | None:
        danger = real.goals[goal.key].danger
        if not self.decides.name:
            return None
        try:
            return shortest(real.system, {danger.mode: danger.when}, at_most=_MOST_STEPS)
        except (Undecided, ask.Undecided):
            return None

    def _excluded(self, wanted: dict[str, Danger]) -> frozenset[str]:
        """The names of dangers that no run gets into, by what is declared and by lemmas."""
        if not wanted:
            return frozenset()
        excluded: set[str] = set()
        try:
            if not self.base.lemmas:
                self.base.look(_LOOKS[0])
                self.base.strengthen(wanted.values())
            for name, danger in wanted.items():
                if self.base.excluded(danger):
                    excluded.add(name)
        except Undecided:
            pass  # what is not proved stays unknown
        return frozenset(excluded)

    def _made(self, name: str, run: Run, payload: Values) -> Trace | None:
        """The trace, with members one by one, and with the goal's own row as its last step."""
        goal = next(one for one in self.goals if one.key == name)
        if self.system.exact:
            explorer, free = self._explorer, _free(self.system)
        else:
            need = max(
                1, *(int(run.end.values[f"{one.name}.total"]) for one in self.machine.collections)
            )
            real = self._with(need)
            made = None if real is None else real.run_like(run, goal, payload)
            if real is None or made is None:
                return None
            explorer, run, free = real.from_start(run.start.values), made, real.free
        return self._ended(goal, run, payload, explorer, free)

    @staticmethod
    def _ended(
        goal: Goal, run: Run, payload: Values, explorer: Explorer, free: tuple[str, ...]
    ) -> Trace:
        """The trace of a run to where a goal is met; a goal's own row is its last step."""
        pairs = explorer.pairs(run.end.mode)
        pair = next(one for one in pairs if not one.subject and one.event == goal.danger.event)
        given = {one.name: payload.get(one.name, least(one.type)) for one in pair.inputs}
        taken = explorer.taken(pair, run.end, given)
        after = None if taken is None else explorer.after(taken, run.end, given)
        if taken is None or after is None or not explorer.holds(after):
            taken = None
        elif goal.kind != "condition":
            step = RunStep(move=taken, payload=given, after=after)
            run = Run(start=run.start, steps=(*run.steps, step))
        if goal.kind != "condition" and (taken is None or taken.name != goal.row):
            return Trace(goal=goal, outcome="unknown", because="another row comes first")
        return Trace(
            goal=goal,
            outcome="covered",
            run=forgetting(run),
            payload=given,
            takes="" if taken is None else taken.name,
            free=free,
        )

    def _with(self, members: int) -> _Real | None:
        if members not in self._real:
            one = one_by_one(self.lifecycle, self.machine, members)
            initial = {
                collection.name: machine_named(self.lifecycle, collection.machine).initial
                for collection in self.machine.collections
            }
            self._real[members] = None if one is None else _Real(one, initial)
        return self._real[members]


class _Real:
    """An owner with members one by one, and its goals."""

    def __init__(self, one: OneByOne, initial: dict[str, str]) -> None:
        self.initial = initial
        self.system = remembering(first_come(one.system, one.counts))
        self.free = _free(self.system)
        self.goals = {goal.key: goal for goal in goals(self.system, one.counts)}
        self._explorers: dict[tuple[object, ...], Explorer] = {}

    def from_start(self, start: Values) -> Explorer:
        """An explorer whose runs begin as a counted one does, with its members."""
        entries: list[Entry] = []
        for one in self.system.entries:
            initial = start.get(one.name, one.initial)
            name, _, rest = one.name.partition("[")
            if one.name.endswith("].state") and rest:
                here = int(rest.partition("]")[0]) <= int(start[f"{name}.total"])
                initial = self._born(one) if here else ABSENT
            entries.append(replace(one, initial=initial))
        key = tuple(one.initial for one in entries)
        if key not in self._explorers:
            self._explorers[key] = Explorer(
                system=replace(self.system, entries=tuple(entries)),
                others=tuple(goal.danger.when for goal in self.goals.values()),
            )
        return self._explorers[key]

    def _born(self, entry: Entry) -> str:
        """The state in which a member begins."""
        collection = entry.name.partition("[")[0]
        return self.initial[collection]

    def run_like(self, run: Run, goal: Goal, payload: Values) -> Run | None:
        """A run with the steps of a counted one, which ends where the goal is met."""
        there = self.goals[goal.key]
        danger = there.danger
        if goal.plain is not None and not self._fits(goal, run, payload):
            danger = there.plain or danger
        holds = function(danger.when)
        known = {one.name for one in danger.inputs}
        given = {name: value for name, value in payload.items() if name in known}
        explorer = self.from_start(run.start.values)
        return realized(
            run, explorer, lambda at: explorer.holds(at) and bool(holds(at.values, given))
        )

    @staticmethod
    def _fits(goal: Goal, run: Run, payload: Values) -> bool:
        """True if the run ends where the condition alone decides."""
        return bool(function(goal.danger.when)(run.end.values, payload))


def _free(system: System) -> tuple[str, ...]:
    return tuple(one.name for one in system.entries if one.initial is None)


def _task(machine: Machine, name: str, danger: Danger) -> Task:
    obligation = Obligation(
        key=name,
        kind="row",
        machine=machine.name,
        subject=name,
        claim="some run gets there",
        place=machine.place,
    )
    return Task(obligation=obligation, goals=(danger,))
