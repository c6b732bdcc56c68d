"""The converted lifecycles, and the tables that they were made from, read without the converter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[3] / "examples" / "lifecycles"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
HISTORIES = sorted(EXAMPLES.glob("history/*/*.yaml"))
TITLES = [f"{path.parent.name}-{path.stem}" for path in HISTORIES]

# What no source says: rows into states that no row of theirs leads to.
ASSUMED = {
    "dask_worker_task": {
        ("released", "=> assumed cancelled", "cancelled"),
        ("released", "=> assumed resumed", "resumed"),
    }
}

Triple = tuple[str, str, str]


@dataclass(frozen=True)
class Table:
    """A table as triples of its source's names; a move without an event is `-> TARGET`."""

    states: frozenset[str]
    rows: frozenset[Triple]
    ignored: frozenset[Triple]


def path_of(name: str) -> Path:
    return EXAMPLES / f"{name}.yaml"


def table(name: str) -> Table:
    """The table; what its sinks do is ignored, as they have nowhere to go."""
    data = json.loads((EXAMPLES / "tables" / f"{name}.json").read_text())
    rows = _triples(data["arcs"])
    leaving = {source for source, _, target in rows if source != target}
    ends = {row for row in rows if row[0] not in leaving}
    return Table(
        states=frozenset(data["states"]),
        rows=frozenset((rows - ends) | ASSUMED.get(name, set())),
        ignored=frozenset(ends | _triples(data.get("ignored", []))),
    )


def _triples(arcs: list[tuple[str, str | None, list[str]]]) -> set[Triple]:
    return {
        (source, event or f"-> {target}", target)
        for source, event, targets in arcs
        for target in targets
    }
