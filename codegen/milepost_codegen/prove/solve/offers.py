"""Whether some move can be taken, whatever comes from outside: payloads are eliminated."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import INT, Read, reads, walk
from milepost_codegen.prove.solve.ask import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.prove.solve.terms import Encoder, Term, View
    from milepost_codegen.prove.system import Move, Value

__all__ = ["Offers", "possible"]

_MAX_CASES: Final = 64  # of fields that are no ints: as many copies of a guard are made


class Offers:
    """The moves of which some can be taken; made once, and then asked at any step of a run."""

    def __init__(self, encoder: Encoder, moves: Iterable[Move]) -> None:
        self.encoder = encoder
        self._general = encoder.view("?")
        guards = [move.guard for move in moves]
        self._reads = {
            one.name: one.type for guard in guards for one in reads(guard) if not one.payload
        }
        self._term = encoder.any_of(possible(self._general, guard) for guard in guards)

    def at(self, view: View) -> Term:
        """True where one of the moves can be taken with some payload."""
        pairs = [
            (self._general.entry(name, kind), view.entry(name, kind))
            for name, kind in self._reads.items()
        ]
        return self.encoder.z3.substitute(self._term, *pairs) if pairs else self._term


def possible(view: View, guard: Expression) -> Term:
    """True where `guard` says yes to some payload; raises Undecided where z3 does not see it."""
    fields = {
        node.name: node.type for node in walk(guard) if isinstance(node, Read) and node.payload
    }
    term = view.term(guard)
    few = {name: kind for name, kind in fields.items() if kind != INT}
    if math.prod(_count(kind) for kind in few.values()) <= _MAX_CASES:
        term = _cases(view, term, few)
    else:
        term = _none_of(view, term, few)
    return _none_of(view, term, {name: kind for name, kind in fields.items() if kind == INT})


def _count(kind: Type) -> int:
    return len(kind.members) or 2


def _cases(view: View, term: Term, fields: Mapping[str, Type]) -> Term:
    """`term` with all values of `fields` written out."""
    encoder = view.encoder
    if not fields:
        return term
    found: list[Term] = []
    choices: list[tuple[Value, ...]] = [kind.members or (False, True) for kind in fields.values()]
    for values in itertools.product(*choices):
        pairs = [
            (view.field(name, kind), encoder.literal(kind, value))
            for (name, kind), value in zip(fields.items(), values, strict=True)
        ]
        found.append(encoder.z3.substitute(term, *pairs))
    return encoder.any_of(found)


def _none_of(view: View, term: Term, fields: Mapping[str, Type]) -> Term:
    """`term` without `fields`: true where some values of them make it so."""
    encoder = view.encoder
    if not fields:
        return term
    module = encoder.z3
    constants = [view.field(name, kind) for name, kind in fields.items()]
    bounds = [
        bound
        for constant, kind in zip(constants, fields.values(), strict=True)
        if kind.members
        for bound in (constant >= 0, constant < len(kind.members))
    ]
    quantified = module.Exists(constants, encoder.all_of([term, *bounds]))
    found = module.Tactic("qe", ctx=encoder.context)(quantified).as_expr()
    if _quantified(found, module):
        raise Undecided("a payload could not be eliminated")
    return found


def _quantified(term: Term, module: Term) -> bool:
    waiting, seen = [term], set()
    while waiting:
        node = waiting.pop()
        if module.is_quantifier(node):
            return True
        if node.get_id() not in seen:
            seen.add(node.get_id())
            waiting += node.children()
    return False
