"""Small random systems, and an exact search through all of their runs."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, INT, Scope, Type, evaluate, read_expression
from milepost_codegen.model import Assignment
from milepost_codegen.prove.system import (
    Configuration,
    Entry,
    Input,
    Move,
    System,
    after,
    enabled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.system import Value

SIZE = Type(name="Size", members=("small", "middle", "large"))
ENTRIES = {"x": INT, "y": INT, "on": BOOL, "size": SIZE, "most": INT}
INPUTS = (Input(name="by", type=INT), Input(name="to", type=SIZE), Input(name="sure", type=BOOL))
SCOPE = Scope(entries=ENTRIES, enums=(SIZE,), fields={one.name: one.type for one in INPUTS})
MODES = ("a", "b", "c", "d")
CONDITIONS = (
    *("x < most", "x >= 2", "y <= x", "x + y < 3", "y == 1", "x != y", "on", "not on"),
    *("size == middle", "size != large", "on implies x > 0", "x == most", "2 * y >= x"),
    *("(x if on else y) < 2", "most > 1", "x <= 3 and y <= 3"),
)
ASKED = ("event.by > x", "event.sure", "event.to != size", "event.by + y == 2", "event.sure == on")
VALUES = {
    "x": ("x + 1", "0", "x + event.by", "y", "x - 1", "x - y"),
    "y": ("y + 1", "0", "x", "event.by", "1"),
    "on": ("not on", "true", "event.sure", "x > y"),
    "size": ("large", "middle", "event.to", "small if on else large"),
}
BYS = (0, 1, 2)
"""What `by` may be: every guard that has inputs says so, so that search sees all there is."""
PAYLOADS = tuple(
    {"by": by, "to": to, "sure": sure}
    for by, to, sure in itertools.product(BYS, SIZE.members, (False, True))
)
STARTS = (0, 1, 2)


def condition(text: str) -> Expression:
    """A condition over entries and inputs."""
    return read_expression(text, BOOL, SCOPE)


def chances(seed: int) -> random.Random:
    """What chooses, the same for the same seed."""
    return random.Random(seed)  # noqa: S311 tests need the same choices again


def random_system(chance: random.Random) -> System:
    """Up to four modes and nine moves over five entries, of which one is free at the start."""
    moves = tuple(_move(chance, number) for number in range(chance.randint(3, 9)))
    kept = chance.sample(MODES, chance.randint(0, 3))
    entries = {"x": chance.choice((0, 1)), "y": 0, "on": chance.random() < 0.5, "size": "small"}
    return System(
        name="random",
        modes=MODES,
        initial="a",
        entries=tuple(
            Entry(name=name, type=kind, initial=entries.get(name)) for name, kind in ENTRIES.items()
        ),
        start=condition("0 <= most and most <= 2"),
        facts=condition("true"),
        moves=moves,
        invariants={
            mode: {"kept": condition(chance.choice(("x <= 4", "y >= 0 - 1", "on or y < 3")))}
            for mode in kept
        },
        exact=True,
    )


def _move(chance: random.Random, number: int) -> Move:
    with_inputs = chance.random() < 0.6
    asked = [chance.choice(CONDITIONS) for _ in range(chance.randint(0, 2))]
    if with_inputs:
        asked += ["0 <= event.by and event.by <= 2"]
        asked += chance.sample(ASKED, chance.randint(0, 1))
    sets = []
    for name in chance.sample(sorted(VALUES), chance.randint(0, 2)):
        allowed = [text for text in VALUES[name] if with_inputs or "event." not in text]
        sets.append(Assignment(name=name, value=read_value(name, chance.choice(allowed))))
    return Move(
        name=f"m{number}",
        event=f"e{number}",
        subject="",
        source=MODES[number // 2] if number < 6 else chance.choice(MODES),
        target=chance.choice(MODES),
        inputs=INPUTS if with_inputs else (),
        guard=condition(" and ".join(f"({text})" for text in asked) or "true"),
        sets=tuple(sets),
        transition=None,
    )


def read_value(name: str, text: str) -> Expression:
    """What an entry may be set to."""
    return read_expression(text, ENTRIES[name], SCOPE)


def starts(system: System) -> Iterator[Configuration]:
    """All configurations in which a run may begin."""
    for most in STARTS:
        values = {
            entry.name: most if entry.initial is None else entry.initial for entry in system.entries
        }
        if evaluate(system.start, values, {}):
            yield Configuration(mode=system.initial, values=values)


def payloads(move: Move) -> tuple[dict[str, Value], ...]:
    """All that a move can be given."""
    return tuple(dict(one) for one in PAYLOADS) if move.inputs else ({},)


def sound(system: System, at: Configuration) -> bool:
    """True if the invariants of the mode hold there."""
    kept = system.invariants.get(at.mode, {}).values()
    return all(evaluate(one, at.values, {}) for one in kept)


def key(at: Configuration) -> tuple[object, ...]:
    """What tells configurations apart."""
    return at.mode, *at.values.items()


def layers(system: System, depth: int) -> Iterator[list[Configuration]]:
    """What runs of 0, 1, .. `depth` steps lead to, all before it sound."""
    layer = list(starts(system))
    yield layer
    for _ in range(depth):
        found = {
            key(later): later
            for at in layer
            if sound(system, at)
            for move in system.moves
            for payload in payloads(move)
            if enabled(move, at, payload)
            for later in [after(move, at, payload)]
        }
        layer = list(found.values())
        yield layer


def taken(system: System, at: Configuration) -> Iterator[tuple[Move, dict[str, Value]]]:
    """The moves that can be taken there, with all payloads."""
    for move in system.moves:
        for payload in payloads(move):
            if enabled(move, at, payload):
                yield move, payload
