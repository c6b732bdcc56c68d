"""What keeps a bad end from being reached: found by Spacer, proved again by induction.

Spacer is z3's search for invariants of constrained Horn clauses (Komuravelli, Gurfinkel and Chaki,
2014). Its answer is taken for no more than a list of candidates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import negation
from milepost_codegen.prove.solve.ask import EFFORT, GAVE_UP, Undecided
from milepost_codegen.prove.solve.goals import start_view
from milepost_codegen.prove.solve.induct import Prover
from milepost_codegen.prove.solve.reading import Reader
from milepost_codegen.prove.solve.terms import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.solve.terms import Term, View
    from milepost_codegen.prove.system import System

__all__ = ["lemmas"]

_PER_MILLISECOND: Final = 1_000  # how much effort is worth: z3 4.15 cannot count Spacer's work


def lemmas(
    system: System,
    bad: Mapping[str, Expression],
    known: Mapping[str, Sequence[Expression]] | None = None,
    *,
    effort: int = EFFORT,
) -> dict[str, tuple[Expression, ...]] | None:
    """What holds in each mode so that no run ends in a mode of `bad` where its condition holds.

    It is inductive, with those of `known` that it needs, and was proved so by other questions.
    None if some run ends so. Raises Undecided where Spacer gives up, or where its answer has no
    words in the language or is not enough.
    """
    answer = _Clauses(system, bad, effort).answer()
    if answer is None:
        return None
    prover = Prover(system, effort=effort)
    held = prover.inductive(
        {mode: (*(known or {}).get(mode, ()), *answer.get(mode, ())) for mode in system.modes}
    )
    wanted: dict[str, tuple[Expression, ...]] = {}
    for mode, condition in bad.items():
        enough = prover.enough(mode, held[mode], negation(condition))
        if enough is None:
            raise Undecided("what Spacer found is not enough")
        wanted[mode] = enough
    return prover.support(held, wanted)


class _Clauses:
    """A system as Horn clauses: one relation for each mode, one clause for each move."""

    def __init__(self, system: System, bad: Mapping[str, Expression], effort: int) -> None:
        self.system = system
        self.encoder = encoder = Encoder()
        self.z3 = encoder.z3
        self.view = encoder.view()
        self.entries = {
            one.name: (one.type, self.view.entry(one.name, one.type)) for one in system.entries
        }
        self.names = [term for _, term in self.entries.values()]
        self.engine = self.z3.Fixedpoint(ctx=encoder.context)
        self.engine.set("engine", "spacer")
        self._bound(effort)
        for option in ("inline_eager", "inline_linear", "slice"):
            self.engine.set(f"xform.{option}", False)
        sorts = [*(term.sort() for term in self.names), self.z3.BoolSort(encoder.context)]
        self.at = {
            mode: self.z3.Function(f"at {number}", *sorts)
            for number, mode in enumerate(system.modes)
        }
        self.ends = self.z3.Bool("ends", encoder.context)
        for relation in (*self.at.values(), self.ends.decl()):
            self.engine.register_relation(relation)
        self._state(bad)

    def _bound(self, effort: int) -> None:
        """Bounds the work by count where this z3 can, and everywhere by time."""
        told = self.engine.param_descrs()
        if "rlimit" in {told.get_name(index) for index in range(told.size())}:
            self.engine.set("rlimit", effort)
        self.engine.set("timeout", max(1, effort // _PER_MILLISECOND))

    def answer(self) -> dict[str, tuple[Expression, ...]] | None:
        """What Spacer says of each mode, or None if a bad end can be reached."""
        try:
            found = self.engine.query(self.ends)
        except self.z3.Z3Exception as error:  # so z3 4.15 says that the time is up
            raise Undecided(str(error)) from error
        if found == self.z3.sat:
            return None
        if found == self.z3.unknown:
            raise Undecided(GAVE_UP)
        reader = Reader(self.encoder, self.entries)
        modes = {relation.name(): mode for mode, relation in self.at.items()}
        told: dict[str, tuple[Expression, ...]] = {}
        for clause in self._clauses(self.engine.get_answer()):
            head, holds = clause
            if head in modes:
                told[modes[head]] = tuple(reader.parts(holds))
        return told

    def _clauses(self, answer: Term) -> list[tuple[str, Term]]:
        """The relations' names, and what was found of each in the names of entries."""
        found: list[tuple[str, Term]] = []
        for one in answer.children() if self.z3.is_and(answer) else [answer]:
            if not self.z3.is_quantifier(one):
                continue
            body = self.z3.substitute_vars(one.body(), *reversed(self.names))
            if self.z3.is_eq(body) and one.num_vars() == len(self.names):
                head, holds = body.children()
                found.append((head.decl().name(), holds))
        return found

    def _state(self, bad: Mapping[str, Expression]) -> None:
        first = start_view(self.system, self.encoder)
        begins = [entry == first.entry(name, kind) for name, (kind, entry) in self.entries.items()]
        initial = self.system.initial
        self._rule(
            self._here(initial, self.view),
            [*begins, first.term(self.system.start), *self._sound(initial, self.view)],
        )
        for move in self.system.moves:
            later = self.view.after(move.sets)
            body = [self._here(move.source, self.view), self.view.term(move.guard)]
            self._rule(self._here(move.target, later), [*body, *self._sound(move.target, later)])
        for mode, condition in bad.items():
            self._rule(self.ends, [self._here(mode, self.view), self.view.term(condition)])

    def _rule(self, head: Term, body: list[Term]) -> None:
        """A clause; what stands for entries and inputs in it is any value of its type."""
        every = list(self.encoder.constants())
        whole = self.z3.Implies(self.encoder.all_of([*body, *self.encoder.bounds]), head)
        self.engine.add_rule(self.z3.ForAll(every, whole) if every else whole)

    def _here(self, mode: str, view: View) -> Term:
        terms = [view.entry(name, kind) for name, (kind, _) in self.entries.items()]
        return self.at[mode](*terms)

    def _sound(self, mode: str, view: View) -> list[Term]:
        """Facts and declared invariants, which runs keep."""
        kept = self.system.invariants.get(mode, {}).values()
        return [view.term(one) for one in (self.system.facts, *kept)]
