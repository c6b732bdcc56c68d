"""What members do to the counts of their owner: single ones, all of a state, and new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import INT
from milepost_codegen.expressions.substitute import both, substitute, total
from milepost_codegen.expressions.tree import Arithmetic, Comparison, Number, Read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Collection, Lifecycle, Machine, Transition

__all__ = ["Counting", "counted", "events_of_owners", "member_moves", "sent"]

_ONE: Final = Number(value=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """A change of counts: under `condition`, the entries named in `after` hold those values.

    `told` says what happens: a member's event, or new members.
    """

    told: str
    condition: Expression
    after: Mapping[str, Expression]


def counted(tree: Expression, change: Counting) -> Expression:
    """What `tree` says after the change, in terms of what was before it."""
    return substitute(tree, change.after)


def member_moves(owner: Machine, machines: Mapping[str, Machine], state: str) -> Iterator[Counting]:
    """What single members may do while their owner is in `state`, and members that are added.

    The guards of members are taken to allow everything, and new members to come at any time.
    """
    for collection in owner.collections:
        member = machines[collection.machine]
        accepted = dict(collection.accepts).get(state, ())
        arcs = dict.fromkeys(
            (row.source, row.event, row.target)
            for row in member.transitions
            if row.event in accepted and row.source != row.target
        )
        for source, event, target in arcs:
            yield Counting(
                told=f"{collection.name}: {source} -> {target} on {event}",
                condition=Comparison(
                    operands=(_count(collection, source), _ONE), operators=(">=",)
                ),
                after={
                    f"{collection.name}.{source}": _changed(_count(collection, source), "-", _ONE),
                    f"{collection.name}.{target}": _changed(_count(collection, target), "+", _ONE),
                },
            )
        number = Read(name=f"{collection.name}.added", type=INT, payload=True)
        yield Counting(
            told=f"{collection.name}: new members",
            condition=Comparison(operands=(number, _ONE), operators=(">=",)),
            after={
                f"{collection.name}.{member.initial}": _changed(
                    _count(collection, member.initial), "+", number
                ),
                f"{collection.name}.total": _changed(_count(collection, "total"), "+", number),
            },
        )


def events_of_owners(lifecycle: Lifecycle, machine: Machine) -> frozenset[str] | None:
    """The events that some owner of `machine` accepts or sends; None if nobody owns it."""
    owned = [
        (owner, one)
        for owner in lifecycle.machines
        for one in owner.collections
        if one.machine == machine.name
    ]
    if not owned:
        return None
    accepted = {event for _, one in owned for _, events in one.accepts for event in events}
    told = {
        part.event
        for owner, one in owned
        for row in owner.transitions
        for part in row.members
        if part.collection == one.name
    }
    return frozenset(accepted | told)


def sent(owner: Machine, machines: Mapping[str, Machine], row: Transition) -> Counting:
    """What the events that a row sends to members do to the counts.

    Where the members of a state may go different ways, how many go each is left open.
    """
    conditions: list[Expression] = []
    left: dict[str, Expression] = {}
    come: dict[str, list[Expression]] = {}
    collections = {one.name: one for one in owner.collections}
    for part in row.members:
        collection = collections[part.collection]
        here = _count(collection, part.state)
        pair = machines[collection.machine].pairs.get((part.state, part.event), ())
        targets = list(dict.fromkeys(one.target for one in pair))
        left[f"{collection.name}.{part.state}"] = Number(value=0)
        shares: list[Expression] = [here]
        if len(targets) != 1:
            names = (f"{collection.name}.{part.state}.{target}" for target in targets)
            shares = [Read(name=name, type=INT, payload=True) for name in names]
            zero = Number(value=0)
            conditions += [Comparison(operands=(one, zero), operators=(">=",)) for one in shares]
            conditions.append(Comparison(operands=(total(tuple(shares)), here), operators=("==",)))
        for target, share in zip(targets, shares, strict=False):
            come.setdefault(f"{collection.name}.{target}", []).append(share)
    after = {
        name: total((left.get(name, Read(name=name, type=INT)), *come.get(name, ())))
        for name in dict.fromkeys((*left, *come))
    }
    return Counting(told="", condition=both(conditions), after=after)


def _count(collection: Collection, state: str) -> Read:
    return Read(name=f"{collection.name}.{state}", type=INT)


def _changed(count: Read, sign: str, by: Expression) -> Expression:
    return Arithmetic(operands=(count, by), operators=("+" if sign == "+" else "-",))
