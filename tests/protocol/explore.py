"""Every state of a model, breadth first: how many there are, and the shortest way to a bad one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.protocol.model import State, Step, World, broken, finished, first, steps


class PromiseBrokenError(AssertionError):
    """A state that can be reached does not keep a promise; `trace` is a shortest way there."""

    def __init__(self, promise: str, trace: tuple[Step, ...]) -> None:
        self.promise = promise
        self.trace = trace
        super().__init__(
            "\n".join([promise, *(f"{n:3}. {step}" for n, step in enumerate(trace, 1))])
        )


@dataclass(slots=True)
class Graph:
    """The states of a world in the order in which they were met, and the steps between them.

    `after[n]` are the steps of the n-th state, each with the number of the state that it leads to;
    `found[n]` is the state that it was first met from, and by which step.
    """

    world: World
    states: list[State] = field(default_factory=list)
    after: list[list[tuple[Step, int]]] = field(default_factory=list)
    found: list[tuple[int, Step] | None] = field(default_factory=list)

    @property
    def step_count(self) -> int:
        """How many steps there are, over all states."""
        return sum(map(len, self.after))

    def trace(self, number: int) -> tuple[Step, ...]:
        """A shortest way from the first state to the state of that number."""
        way: list[Step] = []
        at = self.found[number]
        while at is not None:
            way.append(at[1])
            at = self.found[at[0]]
        return tuple(reversed(way))

    def stuck(self) -> list[int]:
        """The states from which no way leads to a finished job."""
        before: list[list[int]] = [[] for _ in self.states]
        for number, nexts in enumerate(self.after):
            for _, to in nexts:
                before[to].append(number)
        can = [finished(self.world, state) for state in self.states]
        queue = deque(number for number, so in enumerate(can) if so)
        while queue:
            for number in before[queue.popleft()]:
                if not can[number]:
                    can[number] = True
                    queue.append(number)
        return [number for number, so in enumerate(can) if not so]


def explore(world: World) -> Graph:
    """All states that can be reached. Raises PromiseBrokenError at the first that breaks one."""
    graph = Graph(world)
    numbers: dict[State, int] = {}

    def number_of(state: State, origin: tuple[int, Step] | None) -> int:
        number = numbers.get(state)
        if number is None:
            number = numbers[state] = len(graph.states)
            graph.states.append(state)
            graph.found.append(origin)
            promise = broken(state)
            if promise:
                raise PromiseBrokenError(promise, graph.trace(number))
        return number

    number_of(first(world), None)
    for number, state in enumerate(graph.states):  # it grows as we go
        graph.after.append(
            [(step, number_of(after, (number, step))) for step, after in steps(world, state)]
        )
    return graph
