"""Walks through the states of a model that together take every step of it, each once at least."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from tests.protocol.explore import Graph
from tests.protocol.model import Step

_AHEAD: Final = (
    4  # how far a walk goes over steps that were taken before, to reach one that was not
)


def walks(graph: Graph) -> Iterator[list[tuple[Step, int]]]:
    """Walks from the first state, in a fixed order; each a list of steps and where they lead to.

    A walk goes on while a step that no walk took is near, so there are far fewer than steps.
    """
    left = [set(range(len(nexts))) for nexts in graph.after]
    for number in range(len(graph.states)):
        while left[number]:
            way = _way_to(graph, number)
            at = 0
            for step, at_next in way:
                _took(graph, left, at, step, at_next)
                at = at_next
            while (more := _near(graph, left, at)) is not None:
                for index in more:
                    left[at].discard(index)
                    step, at = graph.after[at][index]
                    way.append((step, at))
            yield way


def _way_to(graph: Graph, number: int) -> list[tuple[Step, int]]:
    way: list[tuple[Step, int]] = []
    origin = graph.found[number]
    while origin is not None:
        way.append((origin[1], number))
        number = origin[0]
        origin = graph.found[number]
    way.reverse()
    return way


def _took(graph: Graph, left: list[set[int]], at: int, step: Step, to: int) -> None:
    left[at].discard(graph.after[at].index((step, to)))


def _near(graph: Graph, left: list[set[int]], start: int) -> list[int] | None:
    """The shortest way from a state that ends with a step that was not taken yet, if it is near."""
    reached = {start}
    ways: deque[tuple[int, list[int]]] = deque([(start, [])])
    while ways:
        at, way = ways.popleft()
        if left[at]:
            return [*way, min(left[at])]
        if len(way) < _AHEAD - 1:
            for index, (_, to) in enumerate(graph.after[at]):
                if to not in reached:
                    reached.add(to)
                    ways.append((to, [*way, index]))
    return None
