"""The instances of the model that are explored, what each comes to, and the faults of each trace.

One place for the counts: the model in Python and the one in TLA+ must both come to them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.protocol.model import Fault, World


class Counts(NamedTuple):
    """How many states there are, how many steps, and from how many states no job can finish."""

    states: int
    steps: int
    stuck: int


EXPLORED: Final[dict[str, tuple[World, Counts]]] = {
    "three results, four leases": (
        World(results=3, fences=4, corrections=0, cuts=0),
        Counts(125_247, 674_720, 14_838),
    ),
    "a power cut, a corrected clock": (
        World(results=2, fences=3),
        Counts(71_874, 451_320, 7_884),
    ),
    "a power cut with 'process'": (
        World(results=2, fences=2, corrections=0, durability="process"),
        Counts(45_322, 263_231, 3_741),
    ),
    "three executors, a power cut": (
        World(executors=3, results=1, fences=3, corrections=0),
        Counts(30_131, 229_660, 2_360),
    ),
}
"""Explored at every run of the tests."""

EXPLORED_LONG: Final[dict[str, tuple[World, Counts]]] = {
    "three results, four leases, a power cut": (
        World(results=3, fences=4, corrections=0),
        Counts(251_878, 1_476_479, 30_020),
    ),
    "three leases, a power cut with 'process'": (
        World(results=2, fences=3, corrections=0, durability="process"),
        Counts(325_962, 2_073_225, 20_597),
    ),
    "three executors, two results": (
        World(executors=3, results=2, fences=3, corrections=0, cuts=0),
        Counts(94_600, 683_997, 11_141),
    ),
}
"""Explored by `make soak`."""

DRIVEN: Final[dict[str, tuple[World, int]]] = {
    "two leases": (World(results=1, fences=2, corrections=0, cuts=0), 2_954),
    "two results, a power cut": (World(results=2, fences=1, corrections=0), 965),
    "a power cut with 'process'": (
        World(results=1, fences=1, corrections=0, durability="process"),
        1_605,
    ),
    "a corrected clock": (World(results=1, fences=1, cuts=0), 608),
}
"""Those of which the real store is driven along every step, and how many steps there are."""

DRIVEN_LONG: Final[dict[str, tuple[World, int]]] = {
    "two leases, a power cut": (World(results=1, fences=2, corrections=0), 6_587),
    "two leases, a corrected clock": (World(results=1, fences=2, cuts=0), 10_156),
}
"""The same, by `make soak`."""

FAULTS: Final[dict[Fault, tuple[str, int]]] = {
    "no fence": ("INV-FENCE: a commit of one whose fence is stale", 5),
    "check in another transaction": ("INV-FENCE: a commit of one whose fence is stale", 7),
    "no compare": ("INV-ONCE: an item's result is recorded twice", 6),
    "lost sync": ("INV-ACK: a result that was acknowledged is not there", 6),
    "wall clock": ("a holder that renews keeps its job", 3),
    "checkpoint ahead": ("INV-FOLD: a checkpoint is ahead of the log", 5),
    "fence kept": ("INV-FENCE: two hold one fence", 3),
    "settled by seq": ("INV-ACK: a result that was acknowledged is not there", 8),
}
"""What each fault breaks, and how long a shortest trace to that is."""

FAULTY: Final = World(results=2, fences=3)
"""The instance that faults are put into."""
