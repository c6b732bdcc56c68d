"""The best of a few layouts of one graph: other spacings, and other places where arrows end."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from milepost.drawings.layout import Layout

__all__ = ["arranged"]

_SPACINGS: Final = (  # between nodes, and between ranks, in inches, and the pains with crossings
    *(("0.5", "0.55", "1"), ("0.6", "0.55", "1"), ("0.5", "0.9", "1"), ("0.7", "0.9", "1")),
    *(("0.5", "0.55", "5"), ("0.5", "0.9", "5")),
)
_ENDS: Final = (
    *(f"{end}port={side}" for end in ("tail", "head") for side in ("w", "e", "n", "s")),
    *("minlen=2", "weight=8"),
)
_MOST: Final = 32  # layouts, since the last that was better
_LARGE: Final = 40  # arrows; a larger graph is laid out once


def arranged(dot: str, lay_out: Callable[[str], Layout]) -> str:
    """`dot` with the spacing, and sides for ends of arrows, whose layout has the fewest faults.

    Of equally good ones the first counts, so that the answer depends on the text alone. What has
    faults that were not met before, and no more of them, is looked into first.

    Cost: one layout if that has no faults or more than 40 arrows, else until there is one without,
    or 32 in turn were no better.
    """
    met = Counter[object]()  # the same faults again are looked into later
    texts: Iterator[str] = (_spaced(dot, *spacing) for spacing in _SPACINGS)
    pending: list[tuple[int, int, int, Iterator[str]]] = [(-1, 0, 0, texts)]
    best: _Try | None = None
    count = 0
    better = 0
    while best is None or (pending and count < better + _MOST):
        faults, tried, order, texts = heapq.heappop(pending)
        text = next(texts, None)
        if text is None:
            continue
        count += 1
        one = _Try(text, lay_out)
        if best is None or len(one.faults) < len(best.faults):
            best, better = one, count
        if not one.faults or len(one.layout.lines) > _LARGE:
            break
        heapq.heappush(pending, (faults, tried + 1, order, texts))
        others = _other_sides(text, one.faults)
        heapq.heappush(pending, (len(one.faults), met[one.faults], count, others))
        met[one.faults] += 1
    return best.text


class _Try:
    """A text, and what is wrong with its layout."""

    def __init__(self, text: str, lay_out: Callable[[str], Layout]) -> None:
        self.text = text
        self.layout = lay_out(text)
        self.faults = self.layout.faults


def _spaced(dot: str, nodes: str, ranks: str, pains: str) -> str:
    head, brace, rest = dot.partition("{")
    return f"{head}{brace}\n\tgraph [nodesep={nodes} ranksep={ranks} mclimit={pains}]{rest}"


def _other_sides(dot: str, faults: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """`dot` with an end of an arrow of the first fault at one of the sides of its box."""
    for name in dict.fromkeys(faults[0]):
        own = re.compile(rf'(?<=[ \[])id="?{re.escape(name)}"?(?=[ \]])')
        for other in _ENDS:
            yield own.sub(rf"\g<0> {other}", dot)
