"""What is true of a small lifecycle, by trying every run: the oracle for the prover.

It shares nothing with the prover but the resolved model. What it refutes is refuted, by a run that
it took; what it does not refute holds for the values, members and steps that it looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from milepost_codegen.model import Lifecycle, Machine, Transition
from tests.prove.formulas import function_of
from tests.prove.world import Node, Ranges, Step, World

__all__ = ["Explored", "Finding", "explore", "truths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What every run says of one obligation: `length` is that of the shortest run that refutes it.

    It is None where no run can refute it, or none was found. `certain` is False if runs were left
    out because they were too many or too long, or because there may be more members.
    """

    key: str
    refuted: bool
    length: int | None = None
    certain: bool = True


@dataclass(slots=True)
class Explored:
    """All configurations that were found, with how far each is from a start."""

    world: World
    distance: dict[Node, int] = field(default_factory=dict)
    steps: dict[Node, list[Step]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    blocked: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    whole: bool = True
    began: bool = False


def explore(world: World) -> Explored:
    """Breadth first from every start; a run ends where it breaks an invariant."""
    found = Explored(world)
    queue: deque[Node] = deque()

    def arrive(node: Node, distance: int) -> bool:
        """True if runs go on from there."""
        if node in found.distance:
            return True
        broken = world.broken(node)
        for name in broken:
            found.broken.setdefault(name, distance)
        if broken:
            return False
        if len(found.distance) >= world.ranges.nodes or distance > world.ranges.steps:
            found.whole = False
            return False
        found.distance[node] = distance
        queue.append(node)
        return True

    for start in world.starts():
        found.began = True
        arrive(start, 0)
    while queue:
        node = queue.popleft()
        distance = found.distance[node]
        taken = found.steps[node] = []
        for offer in world.offers(node):
            for row, target in world.own_steps(node, offer):
                if target is None:
                    for collection, state in world.refusals(node, row):
                        found.blocked.setdefault(f"{row.id}.{collection}.{state}", distance)
                elif arrive(target, distance + 1):
                    taken.append(Step(row, offer.payload, "", target))
                    found.taken.add(row.id)
                elif row.id not in found.taken and not world.broken(target):
                    found.taken.add(row.id)
        taken += [step for step in world.others(node) if arrive(step.target, distance + 1)]
    return found


def truths(lifecycle: Lifecycle, ranges: Ranges) -> dict[str, Finding]:
    """What every run says of every obligation of a lifecycle, by key."""
    found: dict[str, Finding] = {}
    for machine in lifecycle.machines:
        explored = explore(World(lifecycle, machine, ranges))
        judge = _Judge(explored)
        judge.all()
        found.update(judge.found)
    return found


class _Judge:
    """What the configurations of one machine say of its obligations."""

    def __init__(self, explored: Explored) -> None:
        self.explored = explored
        self.world = explored.world
        self.machine: Machine = explored.world.machine
        self.found: dict[str, Finding] = {}

    def say(self, kind: str, subject: str, length: int | None, *, refuted: bool) -> None:
        key = f"{self.machine.name}.{kind}.{subject}"
        self.found[key] = Finding(
            key=key,
            refuted=refuted,
            length=length,
            certain=self.explored.whole and not self.machine.collections,
        )

    def all(self) -> None:
        """Every kind of obligation."""
        if any(one.where is not None for one in self.machine.variables):
            self.say(
                "parameters", "where", None, refuted=not any(True for _ in self.world.contexts())
            )
        for one in self.machine.invariants:
            length = self.explored.broken.get(one.name)
            self.say("invariant", one.name, length, refuted=length is not None)
        self.rows()
        self.pairs()
        self.deadlock()
        for row in self.machine.transitions:
            for sent in row.members:
                subject = f"{row.id}.{sent.collection}.{sent.state}"
                length = self.explored.blocked.get(subject)
                self.say("members", subject, length, refuted=length is not None)
        if self.machine.progress is not None:
            self.progress()

    def decided(self) -> Iterable[Transition]:
        return (one for one in self.machine.transitions if not one.ignored)

    def rows(self) -> None:
        """Which rows are taken, and which guards may say no."""
        for row in self.decided():
            self.say("row", row.id, None, refuted=row.id not in self.explored.taken)
        for row in self.decided():
            if row.written is not None and not row.otherwise and self.comes(row):
                self.say("guard", row.id, None, refuted=not self.refuses(row))

    def comes(self, row: Transition) -> bool:
        """True if the event of the row can come at all."""
        return any(row in rows for _, rows, _ in self.world.pairs.get(row.source, ()))

    def refuses(self, row: Transition) -> bool:
        """True if the guard says no somewhere, as far as what is declared tells."""
        assert row.written is not None
        holds = function_of(row.written)
        payloads = next(
            payloads for _, rows, payloads in self.world.pairs[row.source] if row in rows
        )
        return any(
            not holds(context, payload)
            for context in self.world.conceivable(row.source, row.written)
            for payload in payloads
        )

    def pairs(self) -> None:
        """Overlaps and gaps, each with the least distance of where it is seen."""
        both: dict[tuple[str, str], int] = {}
        none: dict[tuple[str, str], int] = {}
        for node, distance in self.explored.distance.items():
            for offer in self.world.offers(node):
                at = node.state, offer.event
                enabled = sum(offer.enabled)
                if enabled > 1:
                    both[at] = min(distance, both.get(at, distance))
                if enabled == 0:
                    none[at] = min(distance, none.get(at, distance))
        for (state, event), rows in self.machine.pairs.items():
            decided = [one for one in rows if not one.ignored]
            if not decided or not self.comes(decided[0]):
                continue
            subject = f"{state}.{event}"
            length = both.get((state, event))
            if len(decided) > 1:
                self.say("deterministic", subject, length, refuted=length is not None)
            closed = any(one.partial or one.otherwise or one.guard is None for one in decided)
            if not closed:
                length = none.get((state, event))
                self.say("gap", subject, length, refuted=length is not None)

    def deadlock(self) -> None:
        """States in which nothing can happen, though they are no ends."""
        stuck: dict[str, int] = {}
        for node, distance in self.explored.distance.items():
            if not self.moves(node):
                stuck[node.state] = min(distance, stuck.get(node.state, distance))
        for state in self.machine.states:
            if not state.final and not state.perpetual:
                length = stuck.get(state.name)
                self.say("deadlock", state.name, length, refuted=length is not None)

    def moves(self, node: Node) -> bool:
        """True if some row is enabled there, or some member can do what is accepted."""
        if any(any(offer.enabled) for offer in self.world.offers(node)):
            return True
        if self.world.some_enabled(node):
            return True
        return any(step.row is not None for step in self.world.others(node))

    def progress(self) -> None:
        """Cycles on which the measures do not fall, and measures below zero on some cycle."""
        progress = self.machine.progress
        assert progress is not None
        excepted = set(progress.excepted)
        measures = [function_of(one) for one in progress.decreases]
        values: dict[Node, tuple[int, ...]] = {}
        for node in self.explored.steps:
            context = self.world.context(node)
            values[node] = tuple(int(one(context, {})) for one in measures)
        ahead = {
            node: [
                step.target
                for step in steps
                if step.row is None or not step.own or step.row.event not in excepted
                if step.target in self.explored.steps
            ]
            for node, steps in self.explored.steps.items()
        }
        own = {
            (node, step.target)
            for node, steps in self.explored.steps.items()
            for step in steps
            if step.own
        }
        cyclic = self.cyclic(excepted)
        rising: int | None = None
        below: dict[int, int] = {}
        for node, distance in self.explored.distance.items():
            if node not in ahead or node.state not in cyclic:
                continue
            for index, value in enumerate(values[node]):
                if value < 0:
                    below[index] = min(distance, below.get(index, distance))
            if rising is None or distance + 1 < rising:
                length = self.cycle(node, ahead, own, values, cyclic)
                if length is not None and (rising is None or distance + length < rising):
                    rising = distance + length
        self.say("progress", "measures", rising, refuted=rising is not None)
        for index in range(len(measures)):
            length = below.get(index)
            self.say("bounded", str(index + 1), length, refuted=length is not None)

    def cyclic(self, excepted: set[str]) -> set[str]:
        """The states on a circle of rows of other events."""
        edges: dict[str, set[str]] = {}
        for row in self.decided():
            if row.event not in excepted:
                edges.setdefault(row.source, set()).add(row.target)
        return {state for state in edges if state in _reached(edges, edges[state])}

    def cycle(
        self,
        start: Node,
        ahead: Mapping[Node, list[Node]],
        own: set[tuple[Node, Node]],
        values: Mapping[Node, tuple[int, ...]],
        cyclic: set[str],
    ) -> int | None:
        """The length of the shortest way back to the state with measures that have not fallen.

        A way counts once it has a step of the machine's own.
        """
        seen = {(start, False): 0}
        queue = deque([(start, False)])
        while queue:
            node, moved = queue.popleft()
            for target in ahead.get(node, ()):
                if target.state not in cyclic:
                    continue
                after = target, moved or (node, target) in own
                if after in seen:
                    continue
                seen[after] = seen[node, moved] + 1
                if after[1] and target.state == start.state and values[target] >= values[start]:
                    return seen[after]
                queue.append(after)
        return None


def _reached(edges: Mapping[str, set[str]], first: Iterable[str]) -> set[str]:
    reached = set(first)
    pending = list(reached)
    while pending:
        for target in edges.get(pending.pop(), ()):
            if target not in reached:
                reached.add(target)
                pending.append(target)
    return reached
