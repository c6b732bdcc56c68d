"""What every run keeps: the candidates that hold at the start and that each move keeps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions.tree import BOOL, GuardUse, Logic, reads
from milepost_codegen.prove.solve.ask import EFFORT, Solver, Undecided
from milepost_codegen.prove.solve.goals import start_view
from milepost_codegen.prove.solve.terms import Encoder
from milepost_codegen.prove.system import Configuration, RunStep, after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.prove.solve.terms import Term, View
    from milepost_codegen.prove.system import Move, System, Values

__all__ = ["Broken", "Counterexample", "Prover", "conjuncts", "inductive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """A configuration in which premises hold and a claim does not, with what the claim reads."""

    at: Configuration
    payload: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A move from a configuration where the premises hold to one where the claim does not."""

    before: Configuration
    step: RunStep


def inductive(
    system: System, candidates: Mapping[str, Sequence[Expression]], *, effort: int = EFFORT
) -> dict[str, tuple[Expression, ...]]:
    """The largest part of `candidates`, by mode, that holds in every configuration of every run.

    They hold at the start, and every move keeps them where those of its source hold; facts,
    conditions of the start and declared invariants at both ends of a move are taken for granted,
    as invariants are enforced and judged by themselves. A candidate of which the solver does not
    know is left out.
    """
    return Prover(system, effort=effort).inductive(candidates)


class Prover:
    """Questions about single configurations and single moves of one system, in one solver."""

    def __init__(self, system: System, *, effort: int = EFFORT) -> None:
        self.system = system
        self.encoder = Encoder()
        self.solver = Solver(self.encoder, effort=effort)
        self.view = self.encoder.view()
        self.entries: dict[str, tuple[Type, Term]] = {
            one.name: (one.type, self.view.entry(one.name, one.type)) for one in system.entries
        }
        self.begins = start_view(system, self.encoder)
        self.steps = {move.name: self.view.after(move.sets) for move in system.moves}
        self.moves = {move.name: move for move in system.moves}
        self.moved = {move.name: {one.name for one in move.sets} for move in system.moves}
        self.out: dict[str, list[Move]] = defaultdict(list)
        self.into: dict[str, list[Move]] = defaultdict(list)
        for move in system.moves:
            self.out[move.source].append(move)
            self.into[move.target].append(move)
        self._read: dict[int, tuple[Expression, frozenset[str]]] = {}
        self.solver.add(self.view.term(system.facts), *self._unchanging())

    def valid(
        self, mode: str, premises: Iterable[Expression], claim: Expression
    ) -> Counterexample | None:
        """None if `claim` holds wherever `premises` do in `mode`, for every payload.

        Otherwise the first configuration where it does not.
        """
        with self.solver.scope():
            self._assume(mode, premises)
            self.solver.add(self.encoder.opposite(self.view.term(claim)))
            fields = {
                one.key: (one.type, self.view.field(one.name, one.type))
                for tree in (*premises, claim)
                for one in reads(tree)
                if one.payload
            }
            values = self.solver.least({**self.entries, **fields})
        if values is None:
            return None
        return Counterexample(
            at=self._configuration(mode, values),
            payload={name.removeprefix("event."): values[name] for name in fields},
        )

    def begins_with(self, claim: Expression) -> Counterexample | None:
        """None if `claim` holds at every start that keeps the declared invariants."""
        view, system = self.begins, self.system
        free: dict[str, tuple[Type, Term]] = {
            one.name: (one.type, view.entry(one.name, one.type)) for one in system.entries
        }
        solver = Solver(self.encoder, effort=self.solver.effort)
        solver.add(view.term(system.start), view.term(system.facts))
        solver.add(*(view.term(one) for one in self._declared(system.initial)))
        solver.add(self.encoder.opposite(view.term(claim)))
        values = solver.least(free)
        if values is None:
            return None
        return Counterexample(at=self._configuration(system.initial, values), payload={})

    def kept(
        self, move: Move, before: Iterable[Expression], claim: Expression, *, enforced: bool = True
    ) -> Broken | None:
        """None if `claim` holds after `move` wherever `before` holds where it is taken.

        Otherwise the first step after which it does not. Where the claim is itself declared of
        the target, `enforced` is False: then nothing of it is taken for granted there.
        """
        with self.solver.scope():
            view = self._take(move, before, enforced=enforced)
            self.solver.add(self.encoder.opposite(view.term(claim)))
            inputs = {
                f"event.{name}": field for name, field in self.view.fields(move.inputs).items()
            }
            values = self.solver.least({**self.entries, **inputs})
        if values is None:
            return None
        at = self._configuration(move.source, values)
        payload = {one.name: values[f"event.{one.name}"] for one in move.inputs}
        step = RunStep(move=move, payload=payload, after=after(move, at, payload))
        return Broken(before=at, step=step)

    def possible(self, move: Move, before: Iterable[Expression]) -> bool:
        """True if `move` can be taken where `before` holds; raises Undecided."""
        with self.solver.scope():
            self._take(move, before)
            return self.solver.holds()

    def inductive(
        self, candidates: Mapping[str, Sequence[Expression]]
    ) -> dict[str, tuple[Expression, ...]]:
        """The largest part of `candidates` that every run keeps; see `inductive`."""
        same: dict[Expression, Expression] = {}
        alive = {mode: _by_identity(found, same) for mode, found in candidates.items()}
        first = alive.get(self.system.initial, {})
        alive[self.system.initial] = {
            number: one for number, one in first.items() if self._at_start(one)
        }
        waiting = dict.fromkeys(move.name for move in self.system.moves)
        while waiting:
            move = self.moves[next(iter(waiting))]
            del waiting[move.name]
            before, claims = alive.get(move.source, {}), alive.get(move.target, {})
            moved = self.moved[move.name]
            asked = [
                one
                for number, one in claims.items()
                if number not in before or not self.reads(one).isdisjoint(moved)
            ]
            fallen = self._fallen(move, before.values(), asked)
            for one in fallen:
                del claims[id(one)]
            if fallen:
                waiting.update(dict.fromkeys(one.name for one in self.out[move.target]))
        return {mode: tuple(alive[mode].values()) for mode in candidates}

    def support(
        self,
        holding: Mapping[str, Sequence[Expression]],
        wanted: Mapping[str, Sequence[Expression]],
    ) -> dict[str, tuple[Expression, ...]]:
        """The part of `holding` that the induction of `wanted` needs, `wanted` included.

        `holding` is inductive and has all of `wanted`. Of each move and claim, premises are left
        out from the last one on as long as the rest is enough, so the answer depends on `holding`
        and its order alone.
        """
        same: dict[Expression, Expression] = {}
        held = {mode: _by_identity(found, same) for mode, found in holding.items()}
        used: dict[str, dict[int, Expression]] = defaultdict(dict)
        waiting = [(mode, same.get(one, one)) for mode, found in wanted.items() for one in found]
        while waiting:
            mode, claim = waiting.pop(0)
            if id(claim) in used[mode]:
                continue
            used[mode][id(claim)] = claim
            for move in self.into[mode]:
                before = held.get(move.source, {})
                if id(claim) in before and self.reads(claim).isdisjoint(self.moved[move.name]):
                    enough: tuple[Expression, ...] | None = (claim,)
                else:
                    enough = self.enough_before(move, tuple(before.values()), claim)
                if enough is None:
                    raise AssertionError(f"{move.name} does not keep what is held")
                waiting += [(move.source, one) for one in enough]
        return {
            mode: tuple(one for number, one in found.items() if number in used[mode])
            for mode, found in held.items()
            if used[mode]
        }

    def enough(
        self, mode: str, premises: Sequence[Expression], claim: Expression
    ) -> tuple[Expression, ...] | None:
        """Those of `premises` of which `claim` follows in `mode`, or None if it does not.

        Premises are left out from the last one on as long as the rest is enough.
        """
        with self.solver.scope():
            self._assume(mode, ())
            self.solver.add(self.encoder.opposite(self.view.term(claim)))
            return self._enough(premises)

    def enough_before(
        self, move: Move, before: Sequence[Expression], claim: Expression, *, enforced: bool = True
    ) -> tuple[Expression, ...] | None:
        """Those of `before` with which `claim` holds after `move`, or None if it does not."""
        with self.solver.scope():
            view = self._take(move, (), enforced=enforced)
            self.solver.add(self.encoder.opposite(view.term(claim)))
            return self._enough(before)

    def _enough(self, premises: Sequence[Expression]) -> tuple[Expression, ...] | None:
        """Those of `premises` that contradict what was added."""
        switched: list[tuple[Expression, Term]] = []
        for one in premises:
            switch = self.encoder.fresh("premise")
            self.solver.add(self.encoder.z3.Implies(switch, self.view.term(one)))
            switched.append((one, switch))
        if self.solver.holds(*(switch for _, switch in switched)):
            return None
        core = self.solver.core()
        for one, switch in reversed(tuple(switched)):
            rest = [each for each in switched if each[0] is not one]
            if switch.get_id() in core:
                if not self._contradict([each for _, each in rest]):
                    continue
                core = self.solver.core()
            switched = rest
        return tuple(one for one, _ in switched)

    def _contradict(self, terms: list[Term]) -> bool:
        try:
            return not self.solver.holds(*terms)
        except Undecided:
            return False

    def _at_start(self, claim: Expression) -> bool:
        try:
            return self.begins_with(claim) is None
        except Undecided:
            return False

    def reads(self, tree: Expression) -> frozenset[str]:
        """The entries that `tree` reads."""
        known = self._read.get(id(tree))
        if known is None:
            known = tree, frozenset(one.name for one in reads(tree))
            self._read[id(tree)] = known
        return known[1]

    def _fallen(
        self, move: Move, before: Iterable[Expression], claims: list[Expression]
    ) -> list[Expression]:
        """Those of `claims` that some step by `move` breaks, if `before` holds where it is taken.

        Not all of them need be: whoever asks again gets the rest. What z3 does not know has fallen.
        """
        if not claims:
            return []
        fallen: list[Expression] = []
        with self.solver.scope():
            view = self._take(move, before)
            while claims:
                broken = [self.encoder.opposite(view.term(one)) for one in claims]
                try:
                    if not self.solver.holds(self._some(broken)):
                        break
                except Undecided:
                    fallen += claims
                    break
                found = [
                    one
                    for one, term in zip(claims, broken, strict=True)
                    if self.solver.value(BOOL, term)
                ]
                fallen += found
                claims = [one for one in claims if not any(one is each for each in found)]
        return fallen

    def _some(self, terms: list[Term]) -> Term:
        """A truth value that implies one of `terms`."""
        found = self.encoder.fresh("some")
        self.solver.add(self.encoder.z3.Implies(found, self.encoder.any_of(terms)))
        return found

    def _take(self, move: Move, before: Iterable[Expression], *, enforced: bool = True) -> View:
        """Let `move` be taken where `before` holds; the view of what is there after it."""
        self._assume(move.source, before)
        view = self.steps[move.name]
        self.solver.add(self.view.term(move.guard), view.term(self.system.facts))
        if enforced:
            self.solver.add(*(view.term(one) for one in self._declared(move.target)))
        return view

    def _assume(self, mode: str, premises: Iterable[Expression]) -> None:
        self.solver.add(*(self.view.term(one) for one in (*self._declared(mode), *premises)))

    def _declared(self, mode: str) -> tuple[Expression, ...]:
        return tuple(self.system.invariants.get(mode, {}).values())

    def _unchanging(self) -> Iterator[Term]:
        """What the start says of entries that no move sets, and what they are there."""
        changing = {name for names in self.moved.values() for name in names}
        for one in conjuncts(self.system.start):
            if self.reads(one).isdisjoint(changing):
                yield self.view.term(one)
        for entry in self.system.entries:
            if entry.initial is not None and entry.name not in changing:
                _, term = self.entries[entry.name]
                yield term == self.encoder.literal(entry.type, entry.initial)

    def _configuration(self, mode: str, values: Values) -> Configuration:
        return Configuration(mode=mode, values={name: values[name] for name in self.entries})


def conjuncts(tree: Expression) -> Iterator[Expression]:
    """What all must hold for `tree` to hold."""
    match tree:
        case Logic(operator="and", operands=operands):
            for part in operands:
                yield from conjuncts(part)
        case GuardUse(body=body):
            yield from conjuncts(body)
        case _:
            yield tree


def _by_identity(
    trees: Iterable[Expression], same: dict[Expression, Expression]
) -> dict[int, Expression]:
    """The trees by the identity of the first one that is equal."""
    found = (same.setdefault(one, one) for one in trees)
    return {id(one): one for one in found}
