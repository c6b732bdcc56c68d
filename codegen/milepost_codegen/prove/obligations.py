"""What has to be proved of a machine, and where each claim could fail.

A danger is a place where a claim is false: a state, and a condition on what is there and on what
comes from outside. A claim is proved if no run gets to one of its dangers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions import to_text
from milepost_codegen.expressions.substitute import (
    FALSE,
    TRUE,
    both,
    either,
    opposite,
    substitute,
)
from milepost_codegen.expressions.tree import Comparison, Number
from milepost_codegen.prove.build import inputs_of
from milepost_codegen.prove.eliminate import NotEliminated, some_payload
from milepost_codegen.prove.report import Obligation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Machine, State, Transition
    from milepost_codegen.prove.report import Kind
    from milepost_codegen.prove.system import Input, Move, System

__all__ = ["Danger", "Task", "in_cycles", "tasks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """A place where a claim is false: in `mode`, for some inputs, where `when` holds.

    With `move` the claim fails by taking it, and the run ends after it. `event` is what is asked
    there to show it, or `""`. With `stuck` it is a danger only where none of these moves can be
    taken either, whatever comes from outside.
    """

    mode: str
    when: Expression
    inputs: tuple[Input, ...] = ()
    move: Move | None = None
    event: str = ""
    stuck: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An obligation and what decides it.

    `dangers` are what must not be reached, `goals` what some run must reach. `declared` says that
    what is declared alone decides, whatever runs there are.
    """

    obligation: Obligation
    dangers: tuple[Danger, ...] = ()
    goals: tuple[Danger, ...] = ()
    declared: bool = False


def tasks(
    machine: Machine,
    system: System,
    able: Callable[[str, str], bool],
    counts: Mapping[str, Expression] | None = None,
) -> Iterator[Task]:
    """All obligations of a machine but progress, in the order of the report's kinds.

    `able` says of a collection's name and `STATE.PLACE` whether a member in that state can surely
    take an event that its owner accepts in that place. `counts` are what the system says for
    the counts of members, where it has none.
    """
    make = _Tasks(machine, system, counts or {})
    yield from make.parameters()
    yield from make.invariants()
    yield from make.pairs()
    yield from make.members()
    yield from make.deadlocks(able)
    yield from make.bounds()


def in_cycles(machine: Machine) -> frozenset[str]:
    """The states on a cycle of rows whose events are not excepted from progress."""
    if machine.progress is None:
        return frozenset()
    after: dict[str, set[str]] = {}
    for one in machine.transitions:
        if not one.ignored and one.event not in machine.progress.excepted:
            after.setdefault(one.source, set()).add(one.target)
    found: set[str] = set()
    for state, targets in after.items():
        seen: set[str] = set()
        pending = list(targets)
        while pending:
            here = pending.pop()
            if here not in seen:
                seen.add(here)
                pending.extend(after.get(here, ()))
        if state in seen:
            found.add(state)
    return frozenset(found)


class _Tasks:
    def __init__(self, machine: Machine, system: System, counts: Mapping[str, Expression]) -> None:
        self.counts = counts
        self.machine = machine
        self.system = system
        self.inputs = {event.name: inputs_of(event) for event in machine.events}
        self.own = {move.name: move for move in system.moves if not move.subject}

    def said(self, tree: Expression | None) -> Expression:
        """A condition in the words of the system."""
        return TRUE if tree is None else substitute(tree, self.counts)

    def obligation(self, kind: Kind, subject: str, claim: str, place: Place) -> Obligation:
        return Obligation(
            key=f"{self.machine.name}.{kind}.{subject}",
            kind=kind,
            machine=self.machine.name,
            subject=subject,
            claim=claim,
            place=place,
        )

    def parameters(self) -> Iterator[Task]:
        narrowed = [one for one in self.machine.variables if one.where is not None]
        if narrowed:
            names = ", ".join(one.name for one in narrowed)
            claim = f"some parameters satisfy every 'where' ({names})"
            goal = Danger(mode=self.machine.initial, when=TRUE)
            yield Task(
                obligation=self.obligation("parameters", "where", claim, narrowed[0].place),
                goals=(goal,),
                declared=True,
            )

    def invariants(self) -> Iterator[Task]:
        for one in self.machine.invariants:
            where = "in every state" if one.states is None else f"in {', '.join(one.states)}"
            claim = f"'{to_text(one.holds)}' always holds {where}"
            dangers = [
                Danger(
                    mode=move.source,
                    when=both((move.guard, opposite(after))),
                    inputs=move.inputs,
                    move=move,
                )
                for move in self.system.moves
                for holds in (self.system.invariants[move.target].get(one.name, TRUE),)
                for after in (substitute(holds, {part.name: part.value for part in move.sets}),)
                if after != TRUE and (move.sets or move.source != move.target)
            ]
            yield Task(
                obligation=self.obligation("invariant", one.name, claim, one.place),
                dangers=tuple(dangers),
            )

    def pairs(self) -> Iterator[Task]:
        for (state, event), found in self.machine.pairs.items():
            rows = [one for one in found if not one.ignored and one.id in self.own]
            yield from (self.unheard(one) for one in found if self.is_unheard(one))
            if not rows:
                continue
            if len(rows) > 1:
                yield self.deterministic(state, event, rows)
            yield from (self.taken(one) for one in rows)
            yield from (self.refusing(one) for one in rows if self.judged(one))
            if not any(one.otherwise or one.partial or one.guard is None for one in rows):
                yield self.complete(state, event, rows)

    def deterministic(self, state: str, event: str, rows: Sequence[Transition]) -> Task:
        overlaps = either(
            both((self.said(one.guard), self.said(other.guard)))
            for one, other in itertools.combinations(rows, 2)
        )
        claim = f"of the rows for '{event}' in '{state}' at most one is enabled"
        danger = Danger(mode=state, when=overlaps, inputs=self.inputs[event], event=event)
        return Task(
            obligation=self.obligation("deterministic", f"{state}.{event}", claim, rows[-1].place),
            dangers=(danger,),
        )

    def taken(self, one: Transition) -> Task:
        move = self.own[one.id]
        sets = {part.name: part.value for part in move.sets}
        kept = (substitute(holds, sets) for holds in self.system.invariants[one.target].values())
        goal = Danger(
            mode=one.source, when=both((move.guard, *kept)), inputs=move.inputs, move=move
        )
        claim = f"some run takes the row from '{one.source}' on '{one.event}' to '{one.target}'"
        return Task(obligation=self.obligation("row", one.id, claim, one.place), goals=(goal,))

    def is_unheard(self, one: Transition) -> bool:
        return not one.ignored and one.id not in self.own

    def unheard(self, one: Transition) -> Task:
        """No owner lets the event of this row come."""
        goal = Danger(mode=one.source, when=FALSE)
        claim = f"some run takes the row from '{one.source}' on '{one.event}' to '{one.target}'"
        return Task(obligation=self.obligation("row", one.id, claim, one.place), goals=(goal,))

    @staticmethod
    def judged(one: Transition) -> bool:
        """Guards as written; `otherwise` says what others leave, and is judged by them."""
        return one.written is not None and not one.otherwise

    def refusing(self, one: Transition) -> Task:
        goal = Danger(
            mode=one.source,
            when=opposite(self.said(one.written)),
            inputs=self.inputs[one.event],
            event=one.event,
        )
        claim = f"the guard '{to_text(one.written or TRUE)}' may say no in '{one.source}'"
        return Task(
            obligation=self.obligation("guard", one.id, claim, one.guard_place),
            goals=(goal,),
            declared=True,
        )

    def complete(self, state: str, event: str, rows: Sequence[Transition]) -> Task:
        none = both(opposite(self.said(one.guard)) for one in rows)
        claim = f"the guards for '{event}' in '{state}' leave no case open"
        danger = Danger(mode=state, when=none, inputs=self.inputs[event], event=event)
        return Task(
            obligation=self.obligation("gap", f"{state}.{event}", claim, rows[-1].guard_place),
            dangers=(danger,),
        )

    def members(self) -> Iterator[Task]:
        """Whether a member can refuse: decided of the members alone, and shown with their owner."""
        for one in self.machine.transitions:
            for sent in one.members:
                claim = (
                    f"no member of '{sent.collection}' in '{sent.state}' refuses the "
                    f"'{sent.event}' that '{one.id}' sends"
                )
                subject = f"{one.id}.{sent.collection}.{sent.state}"
                yield Task(obligation=self.obligation("members", subject, claim, one.place))

    def deadlocks(self, able: Callable[[str, str], bool]) -> Iterator[Task]:
        for state in self.machine.states:
            if not (state.final or state.perpetual):
                yield self.alive(state, able)

    def alive(self, state: State, able: Callable[[str, str], bool]) -> Task:
        ways: list[Expression] = []
        stuck: list[Move] = []
        for move in self.system.moves:
            if move.source != state.name:
                continue
            row = move.transition
            if move.subject and (
                row is None or not able(move.subject, f"{row.source}.{state.name}")
            ):
                continue
            try:
                ways.append(some_payload(move.guard, move.inputs))
            except NotEliminated:
                stuck.append(move)
        claim = f"something can happen in '{state.name}'"
        danger = Danger(mode=state.name, when=opposite(either(ways)), stuck=tuple(stuck))
        return Task(
            obligation=self.obligation("deadlock", state.name, claim, state.place),
            dangers=() if danger.when == FALSE else (danger,),
        )

    def bounds(self) -> Iterator[Task]:
        progress = self.machine.progress
        if progress is None:
            return
        cycles = in_cycles(self.machine)
        for number, measure in enumerate(progress.decreases, start=1):
            below = Comparison(operands=(self.said(measure), Number(value=0)), operators=("<",))
            claim = f"the measure '{to_text(measure)}' is never below 0 on a cycle"
            yield Task(
                obligation=self.obligation("bounded", str(number), claim, progress.place),
                dangers=tuple(
                    Danger(mode=state.name, when=below)
                    for state in self.machine.states
                    if state.name in cycles
                ),
            )
