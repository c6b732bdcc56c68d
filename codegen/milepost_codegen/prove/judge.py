"""Verdicts on one system: search for a run into each danger, else prove that there is none."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import to_text
from milepost_codegen.expressions.substitute import TRUE, constant, opposite
from milepost_codegen.expressions.tree import Comparison, Read, reads
from milepost_codegen.prove.build import fixed_entries
from milepost_codegen.prove.closures import function
from milepost_codegen.prove.decider import Undecided
from milepost_codegen.prove.explore import Explorer
from milepost_codegen.prove.obligations import Danger
from milepost_codegen.prove.strengthen import candidates, strongest
from milepost_codegen.prove.system import Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.closures import Function
    from milepost_codegen.prove.decider import Decider
    from milepost_codegen.prove.obligations import Task
    from milepost_codegen.prove.system import Configuration, System, Values

__all__ = ["FIRST_LOOK", "LONG_LOOK", "Found", "Judge"]

FIRST_LOOK: Final = 2_000
LONG_LOOK: Final = 30_000
"""How many configurations are looked at, before proofs are tried and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run into a danger or to a goal, and the payload of what is asked where it ends.

    `payload` is also that of the goal's move, which is no step of the run.
    """

    run: Run
    danger: Danger
    payload: Values


@dataclass(slots=True)
class _Watched:
    """A danger or a goal, as a function."""

    key: str
    danger: Danger
    holds: Function


@dataclass(slots=True)
class Judge:
    """What is known of one system, and what is found out on demand.

    `found` are the runs into dangers and to goals, by the keys of obligations; `lemmas` hold in
    every configuration that a run reaches, by mode.
    """

    system: System
    decider: Decider
    tasks: tuple[Task, ...]
    found: dict[str, Found] = field(default_factory=dict)
    lemmas: dict[str, tuple[Expression, ...]] = field(default_factory=dict)
    explorer: Explorer = field(init=False)
    _by_pair: dict[tuple[str, str], list[_Watched]] = field(default_factory=dict)
    _by_mode: dict[str, list[_Watched]] = field(default_factory=dict)
    _by_move: dict[str, list[_Watched]] = field(default_factory=dict)
    _looked: int = 0
    _roamed: int = 0
    _far: Explorer = field(init=False)
    _distances: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        trees = [one.when for task in self.tasks for one in (*task.dangers, *task.goals)]
        self.explorer = Explorer(system=self.system, others=tuple(trees))
        self._far = Explorer(system=self.system, others=tuple(trees), evenly=True)
        for task in self.tasks:
            if task.declared or task.obligation.kind == "invariant":
                continue
            for danger in (*task.dangers, *task.goals):
                one = _Watched(key=task.obligation.key, danger=danger, holds=function(danger.when))
                if danger.move is not None:
                    self._by_move.setdefault(danger.move.name, []).append(one)
                elif danger.event:
                    self._by_pair.setdefault((danger.mode, danger.event), []).append(one)
                else:
                    self._by_mode.setdefault(danger.mode, []).append(one)

    def look(self, most: int) -> None:
        """Search real runs, the shortest first, until so many configurations are known."""
        self._looked = self._watch(self.explorer, self._looked, most, frozenset())

    def roam(self, most: int, keys: Iterable[str]) -> None:
        """Search for what is open of `keys` wherever runs lead, until so many are known."""
        wanted = frozenset(keys) - self.found.keys()
        if wanted:
            self._roamed = self._watch(self._far, self._roamed, most, wanted)

    def _watch(self, explorer: Explorer, looked: int, most: int, wanted: frozenset[str]) -> int:
        """Note each danger and goal that a search meets first; it may end once it met `wanted`."""
        nodes = explorer.nodes
        for visit in explorer.visits(most):
            looked = self._look_at_modes(explorer, looked, visit.at + 1)
            at = nodes[visit.at].at
            if not visit.pair.subject:
                for one in self._by_pair.get((at.mode, visit.pair.event), ()):
                    if one.key not in self.found and one.holds(at.values, visit.payload):
                        self._note(explorer, one, visit.at, visit.payload)
            for move in visit.enabled:
                for one in self._by_move.get(move.name, ()):
                    if one.key not in self.found and one.holds(at.values, visit.payload):
                        self._note(explorer, one, visit.at, visit.payload)
            if wanted and wanted <= self.found.keys():
                break
        looked = self._look_at_modes(explorer, looked, len(nodes))
        for task in self.tasks:
            obligation = task.obligation
            broken = explorer.breaks.get(obligation.subject)
            if obligation.kind == "invariant" and broken and obligation.key not in self.found:
                self.found[obligation.key] = Found(
                    run=explorer.run_of(broken),
                    danger=Danger(mode=broken.after.mode, when=TRUE, move=broken.move),
                    payload=broken.payload,
                )
        return looked

    def premises(self, mode: str) -> tuple[Expression, ...]:
        """What holds in a mode: facts, invariants, and the lemmas found so far."""
        invariants = self.system.invariants[mode].values()
        return (self.system.facts, *invariants, *self.lemmas.get(mode, ()))

    def start(self) -> tuple[Expression, ...]:
        """What holds where runs begin."""
        return (self.system.start, self.system.facts, *fixed_entries(self.system))

    def excluded(self, danger: Danger) -> bool:
        """True if what holds in its mode excludes a danger. Raises Undecided."""
        premises = self.premises(danger.mode)
        return self.decider.some(*premises, danger.when, stuck=danger.stuck) is None

    def strengthen(self, dangers: Iterable[Danger]) -> None:
        """Find lemmas; that the dangers never hold is guessed too. Raises Undecided."""
        wanted: dict[str, list[Expression]] = defaultdict(list)
        for danger in dangers:
            if not _reads_payload(danger.when) and not danger.stuck:
                wanted[danger.mode].append(opposite(danger.when))
        seen = (node.at for node in (*self._far.nodes, *self.explorer.nodes))
        self.take(candidates(self.system, seen, wanted))

    def take(self, guesses: dict[str, tuple[Expression, ...]]) -> None:
        """Keep as lemmas what is inductive of `guesses` and of the lemmas. Raises Undecided."""
        together = {
            mode: tuple(dict.fromkeys((*self.lemmas.get(mode, ()), *guesses.get(mode, ()))))
            for mode in self.system.modes
        }
        self.lemmas = strongest(self.system, together, self.decider)

    def needed(self, danger: Danger) -> tuple[Expression, ...]:
        """The lemmas of its mode that exclude a danger: few, not fewest, and rather short ones."""
        base = (self.system.facts, *self.system.invariants[danger.mode].values(), danger.when)
        kept = sorted(self.lemmas.get(danger.mode, ()), key=lambda tree: len(to_text(tree)))
        if self.decider.some(*base, stuck=danger.stuck) is None:
            return ()
        size = len(kept)
        while size > 1:  # whole halves, quarters, ... first
            size = (size + 1) // 2
            for at in range(len(kept) - 1, -1, -size):
                rest = [*kept[: max(0, at - size + 1)], *kept[at + 1 :]]
                if (
                    len(rest) < len(kept)
                    and self.decider.some(*base, *rest, stuck=danger.stuck) is None
                ):
                    kept = rest
        return tuple(kept)

    def distance(self, mode: str) -> int | None:
        """The fewest steps to a mode if every guard allowed; None if no moves lead there."""
        if not self._distances:
            after: dict[str, list[str]] = defaultdict(list)
            for move in self.system.moves:
                after[move.source].append(move.target)
            self._distances[self.system.initial] = 0
            waiting = deque([self.system.initial])
            while waiting:
                here = waiting.popleft()
                for target in after[here]:
                    if target not in self._distances:
                        self._distances[target] = self._distances[here] + 1
                        waiting.append(target)
        return self._distances.get(mode)

    def _look_at_modes(self, explorer: Explorer, looked: int, until: int) -> int:
        nodes = explorer.nodes
        while looked < min(until, len(nodes)):
            at = nodes[looked].at
            for one in self._by_mode.get(at.mode, ()):
                if one.key in self.found or not one.holds(at.values, {}):
                    continue
                if not one.danger.stuck or self._stuck(one.danger, at):
                    self._note(explorer, one, looked, {})
            looked += 1
        return looked

    def _stuck(self, danger: Danger, at: Configuration) -> bool:
        """True if none of a danger's moves can be taken there: first samples are tried."""
        names = {move.name for move in danger.stuck}
        for pair in self.explorer.pairs(at.mode):
            for move in pair.moves:
                if move.name in names and any(
                    self.explorer.allows(move, at, payload)
                    for payload in self.explorer.payloads(pair, at)
                ):
                    return False
        here = [
            Comparison(
                operands=(
                    Read(name=one.name, type=one.type),
                    constant(one.type, at.values[one.name]),
                ),
                operators=("==",),
            )
            for one in self.system.entries
        ]
        try:
            return self.decider.some(*here, stuck=danger.stuck) is not None
        except Undecided:
            return False

    def _note(self, explorer: Explorer, one: _Watched, at: int, payload: Values) -> None:
        run = explorer.run_to(at)
        self.found[one.key] = Found(run=run, danger=one.danger, payload=payload)


def _reads_payload(tree: Expression) -> bool:
    return any(one.payload for one in reads(tree))
