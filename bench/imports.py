"""What importing the compiled lifecycle costs over a bare interpreter, in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from pairing import Figure, Settings, at_most, differences, in_turn, ratios
from starting import environment

ROUNDS: Final = 15
HEAVY: Final = ("pydantic", "jinja2", "graphviz", "yaml", "z3", "click", "rich", "opentelemetry")
BARE: Final = "pass"
LIFECYCLE: Final = "import milepost.lifecycles.mapreduce"
TABLES: Final = "import milepost.machine"
PEER: Final = "import transitions"


def starting(statement: str) -> Callable[[int], float]:
    """Measures a fresh interpreter that runs `statement`, in ms."""

    def measure(_turn: int) -> float:
        began = perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, env=environment())
        return (perf_counter() - began) * 1e3

    return measure


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return set(json.loads(answer.stdout))


def figures(_settings: Settings) -> Iterator[Figure]:
    loaded = modules_after(LIFECYCLE)
    heavy = [name for name in HEAVY if name in loaded]
    assert not heavy, f"imported on the hot path: {heavy}"
    bare, lifecycle, peer = in_turn(ROUNDS, starting(BARE), starting(LIFECYCLE), starting(PEER))
    floor = ("a bare interpreter", bare)
    yield differences(LIFECYCLE, lifecycle, floor, unit="ms", budget=at_most(60))
    yield differences(PEER, peer, floor, unit="ms")
    yield ratios(LIFECYCLE, lifecycle, (PEER, peer), unit="ms")
