"""What is asked of one machine once lemmas are given, by whoever proves and whoever checks a proof.

Every question may raise Undecided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions.substitute import TRUE, constant, either, opposite, substitute
from milepost_codegen.model import machine_named
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.eliminate import NotEliminated, some_payload
from milepost_codegen.prove.obligations import Danger

if TYPE_CHECKING:
    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Lifecycle, Machine, MemberEvent, Transition
    from milepost_codegen.prove.judge import Judge
    from milepost_codegen.prove.obligations import Task
    from milepost_codegen.prove.report import Obligation
    from milepost_codegen.prove.system import Move

__all__ = ["begins_with", "excluded", "possible", "refusal", "sent_by", "surely_moves"]


def excluded(judge: Judge, task: Task) -> bool:
    """True if nothing that is known leaves a way into a danger, or to a goal."""
    return all(judge.excluded(one) for one in (*task.dangers, *task.goals))


def begins_with(judge: Judge, about: Obligation) -> bool:
    """True if runs begin as an obligation says; only an invariant says anything of that."""
    if about.kind != "invariant":
        return True
    system = judge.system
    holds = system.invariants[system.initial].get(about.subject, TRUE)
    return judge.decider.some(*judge.start(), opposite(holds)) is None


def possible(judge: Judge, task: Task) -> bool:
    """True if what is declared allows a goal: parameters, or a case in which a guard says no."""
    if task.obligation.kind == "parameters":
        return judge.decider.some(*judge.start()) is not None
    return any(_says_no(judge, one) for one in task.goals)


def _says_no(judge: Judge, goal: Danger) -> bool:
    """True if what is declared, and what no row sets, leave a case in which a guard says no.

    Where nothing can be in that state at all, what no row sets is left out.
    """
    system, decider = judge.system, judge.decider
    known = (system.declared, *system.invariants[goal.mode].values(), system.never_set)
    if decider.some(*known) is None:
        known = known[:-1]
    return decider.some(*known, goal.when) is not None


def sent_by(machine: Machine, task: Task) -> tuple[Transition, MemberEvent]:
    """The row of an owner that an obligation on members is about, and what it sends them."""
    sender, name, state = task.obligation.subject.rsplit(".", 2)
    row = next(one for one in machine.transitions if one.id == sender)
    sent = next(one for one in row.members if (one.collection, one.state) == (name, state))
    return row, sent


def refusal(lifecycle: Lifecycle, machine: Machine, sent: MemberEvent) -> Danger:
    """Where a member refuses what its owner's row sends it, with the defaults of the payload."""
    member = machine_named(lifecycle, _collection(machine, sent.collection).machine)
    spec = next(one for one in member.events if one.name == sent.event)
    defaults = {
        one.name: constant(one.type, one.default)
        for one in spec.fields
        if one.type.readable and isinstance(one.default, bool | int | str)
    }
    guards = [
        TRUE if one.guard is None else substitute(one.guard, {}, defaults)
        for one in member.pairs.get((sent.state, sent.event), ())
    ]
    return Danger(mode=sent.state, when=opposite(either(guards)))


def surely_moves(machine: Machine, name: str, place: str, member: Judge) -> bool:
    """Whether a member of a collection can surely take an event that its owner accepts.

    `place` is `STATE.PLACE`: the member's state, and the owner's.
    """
    state, owner = place.split(".")
    events = dict(_collection(machine, name).accepts).get(owner, ())
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


def _collection(machine: Machine, name: str) -> Collection:
    return next(one for one in machine.collections if one.name == name)
