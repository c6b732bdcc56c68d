"""What a set of runs has to cover: every row, every adjacent pair, every condition both ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from milepost_codegen.expressions import Type, to_text
from milepost_codegen.expressions.substitute import FALSE, both, opposite, substitute
from milepost_codegen.expressions.tree import Comparison, Member, Read, reads
from milepost_codegen.model import Assignment
from milepost_codegen.prove.obligations import Danger
from milepost_codegen.prove.system import Entry, Move, Run
from milepost_codegen.prove.traces.conditions import atoms, decides, spelled_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Machine
    from milepost_codegen.prove.system import Configuration, System

__all__ = ["Goal", "Kind", "first_come", "forgetting", "goals", "remembering", "with_unheard"]

Kind: TypeAlias = Literal["row", "pair", "condition"]

_LAST: Final = "trace.last"
_NONE: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing to be covered, and where: an event that is asked for in a state, under a condition.

    `key` is unique in the lifecycle and stable. `row` is the row that the event then takes, or
    whose guard a condition is part of; `first` is the row before, of a pair. `plain` is the danger
    without that the condition alone decides: it counts where no run shows that. `base` is where
    the goal would be met in the system that remembers nothing, as far as one step tells.
    """

    key: str
    kind: Kind
    about: str
    danger: Danger
    base: Danger
    row: str
    first: str = ""
    plain: Danger | None = None


def with_unheard(system: System, machine: Machine) -> System:
    """`system` with the rows whose events no owner lets come, as moves that nothing allows."""
    known = {move.name for move in system.moves}
    unheard = tuple(
        Move(
            name=row.id,
            event=row.event,
            subject="",
            source=row.source,
            target=row.target,
            inputs=(),
            guard=FALSE,
            sets=(),
            transition=row,
        )
        for row in machine.transitions
        if not row.ignored and row.id not in known
    )
    return replace(system, moves=(*system.moves, *unheard))


def first_come(system: System, counts: Mapping[str, Expression]) -> System:
    """`system` with each row of its own taken only where no earlier one of its pair is enabled.

    So the generated code does where guards overlap. `counts` are as for `goals`.
    """
    before: dict[tuple[str, str], list[Expression]] = {}
    moves: list[Move] = []
    for move in system.moves:
        row = move.transition
        if move.subject or row is None:
            moves.append(move)
            continue
        earlier = before.setdefault((move.source, move.event), [])
        guards = (move.guard, *map(opposite, earlier)) if not row.otherwise else (move.guard,)
        moves.append(replace(move, guard=both(guards)))
        if row.guard is not None:
            earlier.append(substitute(row.guard, counts))
    return replace(system, moves=tuple(moves))


def remembering(system: System) -> System:
    """`system` with an entry for the row of its own that was taken last."""
    kind = Type(name=_LAST, members=(_NONE, *(one.name for one in system.moves if not one.subject)))
    moves = tuple(
        move
        if move.subject
        else replace(
            move,
            sets=(*move.sets, Assignment(name=_LAST, value=Member(type=kind, name=move.name))),
        )
        for move in system.moves
    )
    last = Entry(name=_LAST, type=kind, initial=_NONE)
    return replace(system, entries=(*system.entries, last), moves=moves)


def forgetting(run: Run) -> Run:
    """The run without what only `remembering` put in."""

    def without(at: Configuration) -> Configuration:
        return replace(at, values={k: v for k, v in at.values.items() if k != _LAST})

    steps = tuple(replace(step, after=without(step.after)) for step in run.steps)
    return Run(start=without(run.start), steps=steps)


def goals(system: System, counts: Mapping[str, Expression]) -> Iterator[Goal]:
    """All goals of a system that remembers its last row, in the order of its rows.

    `counts` are what the system says for the counts of members, where it has none.
    """
    own = [move for move in system.moves if not move.subject]
    taken = {move.name: _taken(system, move) for move in own}
    last = next(one for one in system.entries if one.name == _LAST)
    for move in own:
        yield Goal(
            key=f"{system.name}.row.{move.name}",
            kind="row",
            about=f"'{move.event}' leads from '{move.source}' to '{move.target}'",
            danger=_at(move, taken[move.name]),
            base=_at(move, taken[move.name]),
            row=move.name,
        )
    for first in own:
        for second in own:
            if first.target == second.source:
                before = Comparison(
                    operands=(
                        Read(name=_LAST, type=last.type),
                        Member(type=last.type, name=first.name),
                    ),
                    operators=("==",),
                )
                yield Goal(
                    key=f"{system.name}.pair.{first.name}+{second.name}",
                    kind="pair",
                    about=f"'{second.event}' follows '{first.event}' in '{second.source}'",
                    danger=_at(second, both((before, taken[second.name]))),
                    base=_at(first, _one_after_the_other(system, first, second)),
                    row=second.name,
                    first=first.name,
                )
    for move in own:
        yield from _conditions(system, move, counts)


def _conditions(system: System, move: Move, counts: Mapping[str, Expression]) -> Iterator[Goal]:
    row = move.transition
    if row is None or row.written is None or row.otherwise:
        return
    written = spelled_out(row.written)
    guard = spelled_out(substitute(row.written, counts))
    for number, (named, atom) in enumerate(zip(atoms(written), atoms(guard), strict=True), start=1):
        alone = decides(guard, atom)
        for value in (True, False):
            is_so = atom if value else opposite(atom)
            if move.guard == FALSE:  # nobody asks it
                is_so = FALSE
            yield Goal(
                key=f"{system.name}.condition.{move.name}.{number}.{str(value).lower()}",
                kind="condition",
                about=f"'{to_text(named)}' is {str(value).lower()} where '{move.name}' asks it",
                danger=_at(move, both((is_so, alone))),
                base=_at(move, both((is_so, alone))),
                row=move.name,
                plain=_at(move, is_so),
            )


def _one_after_the_other(system: System, first: Move, second: Move) -> Expression:
    """What holds before the first of two rows if the second can follow it.

    What members may change in between, what facts speak of beside the system, and the second
    payload are free: they have names of their own, as fields of the payload.
    """
    there = both((system.facts, *system.invariants[second.source].values(), _taken(system, second)))
    entries = {one.name for one in system.entries}
    free = {part.name for move in system.moves if move.subject for part in move.sets}
    then = {part.name: part.value for part in first.sets}
    then |= {
        one.name: Read(name=f"then.{one.name}", type=one.type, payload=True)
        for one in reads(there)
        if not one.payload and (one.name in free or one.name not in entries)
    }
    fields = {
        one.name: Read(name=f"next.{one.name}", type=one.type, payload=True)
        for one in second.inputs
    }
    return both((_taken(system, first), substitute(there, then, fields)))


def _at(move: Move, when: Expression) -> Danger:
    return Danger(mode=move.source, when=when, inputs=move.inputs, event=move.event)


def _taken(system: System, move: Move) -> Expression:
    """Where the row can be taken, and breaks no invariant."""
    values = {part.name: part.value for part in move.sets}
    after = (substitute(one, values) for one in system.invariants[move.target].values())
    return both((move.guard, *after))
