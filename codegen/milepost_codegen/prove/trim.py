"""Lemmas without those that no proof rests on: few, and still kept by every move together."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from milepost_codegen.expressions.substitute import TRUE, both, opposite, substitute
from milepost_codegen.model import machine_named
from milepost_codegen.prove.asking import Asking
from milepost_codegen.prove.decider import Undecided, decider
from milepost_codegen.prove.obligations import Danger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Machine
    from milepost_codegen.prove.judge import Judge
    from milepost_codegen.prove.report import Lemma, Report

__all__ = ["trimmed"]


def trimmed(report: Report, *, solver: bool = True) -> Report:
    """The report with as few lemmas as its proofs need, all of which are asked again.

    A machine of which that cannot be said keeps all of its lemmas.
    """
    if not report.lemmas:
        return report
    decides = decider(solver=solver)
    asked: dict[str, Asking] = {}
    kept: list[Lemma] = []

    def trim(machine: Machine) -> None:
        if machine.name in asked:
            return
        for collection in machine.collections:
            trim(machine_named(report.lifecycle, collection.machine))
        asking = Asking(report.lifecycle, machine, decides, asked)
        asked[machine.name] = asking
        every = [one for one in report.lemmas if one.machine == machine.name]
        try:
            few = _few(report, asking, every)
        except Undecided:
            few = every
        kept.extend(few)

    for machine in report.lifecycle.machines:
        trim(machine)
    return replace(report, lemmas=tuple(one for one in report.lemmas if one in kept))


def _few(report: Report, asking: Asking, every: Sequence[Lemma]) -> Sequence[Lemma]:
    """Those lemmas of a machine that its proofs rest on; all if the others are missed."""
    if not every or not asking.take(_by_state(every)):
        return every
    found = {one.obligation.key: one for one in report.results}
    wanted: dict[str, list[Expression]] = defaultdict(list)
    mine = [found[one.key] for one in asking.obligations() if one.key in found]
    for result in mine:
        for lemma in result.lemmas:
            wanted[lemma.state].append(lemma.holds)
    rest = _support(asking.judge, wanted)
    few = [one for one in every if one.holds in rest.get(one.state, ())]
    asking.take(_by_state(few))
    for result in mine:
        key = result.obligation.key
        shown = result.verdict == "undetermined" or result.run is not None
        if not (shown or (asking.proved if result.verdict == "proved" else asking.refuted)(key)):
            asking.take(_by_state(every))
            return every
    return few


def _support(
    judge: Judge, wanted: Mapping[str, Sequence[Expression]]
) -> dict[str, dict[Expression, None]]:
    """The lemmas that are wanted, and those from which every move makes them hold."""
    found: dict[str, dict[Expression, None]] = defaultdict(dict)
    waiting: deque[tuple[str, Expression]] = deque()

    def want(mode: str, lemma: Expression) -> None:
        if lemma not in found[mode]:
            found[mode][lemma] = None
            waiting.append((mode, lemma))

    for mode, lemmas in wanted.items():
        for lemma in lemmas:
            want(mode, lemma)
    system = judge.system
    while waiting:
        mode, lemma = waiting.popleft()
        for move in system.moves:
            if move.target != mode:
                continue
            sets = {one.name: one.value for one in move.sets}
            after = both((TRUE, *system.invariants[mode].values()))
            broken = both((move.guard, substitute(after, sets), opposite(substitute(lemma, sets))))
            for one in judge.needed(Danger(mode=move.source, when=broken)):
                want(move.source, one)
    return found


def _by_state(lemmas: Sequence[Lemma]) -> dict[str, tuple[Expression, ...]]:
    found: dict[str, list[Expression]] = defaultdict(list)
    for one in lemmas:
        found[one.state].append(one.holds)
    return {state: tuple(trees) for state, trees in found.items()}
