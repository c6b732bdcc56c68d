"""Random small definitions, sound in themselves, with every part that a proof has to look at.

A definition is plain data, as YAML has it, so that a test may change one; `text_of` writes it out.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.prove.reading import resolved

__all__ = ["Definition", "definition_of", "definitions", "sound", "text_of"]

Definition = dict[str, Any]  # Any: nested YAML

COLOURS = ("red", "green", "blue")


def definitions(count: int, *, seed: int = 0) -> Iterator[Definition]:
    """`count` sound definitions, the same for the same seed."""
    made, number = 0, 0
    while made < count:
        number += 1
        one = definition_of(random.Random(f"{seed}.{number}"))  # noqa: S311 no secrets
        if sound(one):
            made += 1
            yield one


def sound(definition: Definition) -> bool:
    """True if nothing is wrong with it but what a proof decides."""
    try:
        resolved(text_of(definition))
    except AssertionError:
        return False
    return True


def text_of(definition: Definition) -> str:
    """The definition as YAML: mappings in blocks, what is below its parts in one line."""
    lines: list[str] = []

    def write(value: Any, indent: int) -> None:
        for key, below in value.items():
            pad = "  " * indent
            if isinstance(below, dict) and below and indent < 4:
                lines.append(f"{pad}{key}:")
                write(below, indent + 1)
            elif isinstance(below, list) and below and isinstance(below[0], dict):
                lines.append(f"{pad}{key}:")
                lines.extend(f"{pad}  - {_flow(one)}" for one in below)
            else:
                lines.append(f"{pad}{key}: {_flow(below)}")

    write(definition, 0)
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, str) and value.isidentifier():
        return value
    return json.dumps(value)


def definition_of(chance: random.Random) -> Definition:
    """One definition, which may be unsound: of one machine, or of an owner and its members."""
    machines: dict[str, Any] = {}
    if chance.random() < 0.35:
        member = _Machine(chance, states=chance.randint(2, 3))
        machines["item"] = member.made(member_of="job")
        owner = _Machine(chance, states=chance.randint(2, 4), owns=member)
        machines["job"] = owner.made()
    else:
        machines["m"] = _Machine(chance, states=chance.randint(2, 4)).made()
    definition: Definition = {"lifecycle": "random", "version": 1}
    if "Colour" in json.dumps(machines):
        definition["enums"] = {"Colour": list(COLOURS)}
    return definition | {"machines": machines}


@dataclass(slots=True)
class _Machine:
    """One machine in the making."""

    chance: random.Random
    states: int
    owns: _Machine | None = None
    names: list[str] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    context: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)  # events without payload

    def made(self, member_of: str = "") -> dict[str, Any]:
        chance = self.chance
        self.names = [f"s{number}" for number in range(self.states)] + ["z"]
        self._declare()
        self._connect()
        for _ in range(chance.randint(1, 4)):
            self._pair(chance.choice(self.names[:-1]), chance.choice(list(self.events)))
        states: dict[str, Any] = {name: {} for name in self.names}
        states["z"] = {"final": True}
        if chance.random() < 0.1 and self.states > 1:
            states["s1"] = {"perpetual": True}
        machine: dict[str, Any] = {"initial": "s0", "states": states}
        remembered = not member_of and self.states > 2 and chance.random() < 0.2
        if remembered:
            machine["groups"] = {"g": self.names[:2]}
            self.events["back"] = {}
            self.rows.append({"from": "s2", "on": "back", "to": {"history": "g", "default": "s0"}})
        if self.context:
            machine["context"] = self.context
        if self.owns:
            machine["collections"] = {"items": self._collection()}
            self._send()
        taken = {row["on"] for row in self.rows}
        for name in [one for one in self.events if one not in taken]:
            del self.events[name]
        machine["events"] = self.events
        machine["transitions"] = self.rows
        if chance.random() < 0.15:
            event = chance.choice(list(self.events))
            if not any(row["from"] == "s0" and row["on"] == event for row in self.rows):
                machine["ignored"] = [{"in": "s0", "on": event}]
        invariants = self._invariants()
        if invariants:
            machine["invariants"] = invariants
        progress = self._progress()
        if progress:
            machine["progress"] = progress
        return machine

    # ---- what there is

    def _declare(self) -> None:
        chance = self.chance
        if chance.random() < 0.8:
            self.context["x"] = {"type": "int", "initial": chance.choice([0, 0, 0, 1, 2])}
        if chance.random() < 0.3:
            self.context["y"] = {"type": "int", "initial": chance.choice([0, 1, 3])}
        if chance.random() < 0.4:
            self.context["p"] = {"type": "bool", "initial": chance.random() < 0.5}
        if chance.random() < 0.2:
            self.context["q"] = {"type": "bool", "initial": False}
        if chance.random() < 0.25:
            self.context["c"] = {"type": "Colour", "initial": chance.choice(COLOURS)}
        if chance.random() < 0.35:
            least = chance.choice([0, 1])
            most = least + chance.randint(0, 2)
            where = chance.choice([f"{least} <= most <= {most}", f"most >= {least}"])
            self.context["most"] = {"type": "int", "param": True, "where": where}
        for number in range(chance.randint(2, 4)):
            payload: dict[str, Any] = {}
            if chance.random() < 0.25:
                payload["n"] = {"type": "int"}
            if chance.random() < 0.15:
                payload["b"] = {"type": "bool"}
            if "c" in self.context and chance.random() < 0.3:
                payload["k"] = {"type": "Colour"}
            self.events[f"e{number}"] = {"payload": payload} if payload else {}
            if not payload:
                self.bare.append(f"e{number}")

    def _connect(self) -> None:
        """Rows along all states, so that every one can be reached and can end."""
        for source, target in zip(self.names, self.names[1:], strict=False):
            event = self.chance.choice(list(self.events))
            self._pair(source, event, target)

    def _pair(self, source: str, event: str, target: str = "") -> None:
        """Rows of one pair, if it has none yet."""
        if any(row["from"] == source and row["on"] == event for row in self.rows):
            return
        chance = self.chance
        shapes = ["free", "one", "one", "two", "two", "otherwise", "three"]
        shape = chance.choice(["free"] * 5 * bool(target) + shapes)
        count = {"free": 1, "one": 1, "two": 2, "otherwise": 2, "three": 3}[shape]
        rows: list[dict[str, Any]] = []
        for _ in range(count):
            row: dict[str, Any] = {
                "from": source,
                "on": event,
                "to": target or chance.choice(self.names),
            }
            if shape != "free":
                row["when"] = self._condition(event)
            changes = self._changes(event)
            if changes:
                row["set"] = changes
            rows.append(row)
            target = ""
        if shape == "two" and chance.random() < 0.5:
            rows[1]["when"] = f"not ({rows[0]['when']})"
        if shape == "otherwise":
            rows[-1]["when"] = "otherwise"
        if shape in ("one", "two", "three") and chance.random() < 0.5:
            rows[-1]["partial"] = True
        self.rows.extend(rows)

    # ---- expressions

    def _condition(self, event: str = "", depth: int = 1) -> str:
        chance = self.chance
        if depth and chance.random() < 0.35:
            sign = chance.choice(["and", "or", "implies"])
            parts = [f"({self._condition(event, depth - 1)})" for _ in range(2)]
            return f"{parts[0]} {sign} {parts[1]}"
        choices: list[str] = []
        numbers = self._numbers(event)
        if numbers:
            sign = chance.choice(["<", "<=", "==", "!=", ">", ">="])
            left = chance.choice(numbers)
            right = chance.choice([*numbers, *map(str, range(-1, 5))])
            choices += [f"{left} {sign} {right}"] * 3
            choices.append(f"{left} + {chance.choice(numbers)} {sign} {chance.randint(0, 5)}")
            choices.append(f"{left} - {chance.choice(numbers)} {sign} {chance.randint(-1, 2)}")
            choices.append(f"2 * {left} {sign} {chance.randint(-1, 7)}")
        choices += [name for name in ("p", "q") if name in self.context]
        if "b" in self._fields(event):
            choices.append("event.b")
        if "c" in self.context:
            choices.append(f"c {chance.choice(['==', '!='])} {chance.choice(COLOURS)}")
        if not choices:
            self.context["x"] = {"type": "int", "initial": 0}
            choices.append(f"x < {chance.randint(0, 4)}")
        told = chance.choice(choices)
        return f"not ({told})" if chance.random() < 0.15 else told

    def _fields(self, event: str) -> dict[str, Any]:
        fields: dict[str, Any] = self.events.get(event, {}).get("payload", {})
        return fields

    def _numbers(self, event: str) -> list[str]:
        numbers: list[str] = [name for name in ("x", "y", "most") if name in self.context]
        if "n" in self._fields(event):
            numbers.append("event.n")
        if self.owns:
            numbers.append(f"items.{self.chance.choice([*self.owns.names, 'total'])}")
        return numbers

    def _changes(self, event: str) -> dict[str, Any]:
        chance = self.chance
        changes: dict[str, Any] = {}
        fields = self._fields(event)
        for name in ("x", "y"):
            if name in self.context and chance.random() < 0.55:
                told = [f"{name} + 1", f"{name} + 1", f"{name} - 1", f"{name} + 2", "0", "1"]
                if "n" in fields:
                    told += ["event.n"] * 3
                if "p" in self.context:
                    told.append(f"{name} + 1 if p else 0")
                if "most" in self.context:
                    told.append("most")
                changes[name] = chance.choice(told)
        for name in ("p", "q"):
            if name in self.context and chance.random() < 0.3:
                told = ["true", "false", f"not {name}"]
                if "b" in fields:
                    told.append("event.b")
                changes[name] = chance.choice(told)
        if "c" in self.context and chance.random() < 0.4:
            changes["c"] = "event.k" if "k" in fields else chance.choice(COLOURS)
        return changes

    # ---- what must hold

    def _invariants(self) -> dict[str, Any]:
        chance = self.chance
        found: dict[str, Any] = {}
        if "x" in self.context and chance.random() < 0.4:
            told = ["0 <= x", "x <= 3", "x != 4", "0 <= x and x <= 5", "2 * x != 5"]
            told += ["x <= most"] if "most" in self.context else []
            told += ["p implies x > 0"] if "p" in self.context else []
            told += ["x >= y"] if "y" in self.context else []
            found["bounded"] = {"holds": chance.choice(told)}
        if chance.random() < 0.3:
            found["fine"] = {"holds": self._condition()}
        for one in found.values():
            if chance.random() < 0.5:
                states = chance.sample(self.names, chance.randint(1, len(self.names) - 1))
                one["in"] = sorted(states)
        return found

    def _progress(self) -> dict[str, Any]:
        chance = self.chance
        if "x" not in self.context or chance.random() < 0.7:
            return {}
        told = ["3 - x", "x", "5 - x", "most - x"]
        measures = [chance.choice(told[:3] if "most" not in self.context else told)]
        if "y" in self.context and chance.random() < 0.5:
            measures.append("y")
        progress: dict[str, Any] = {"decreases": measures}
        if chance.random() < 0.4:
            progress["except"] = [chance.choice(list(self.events))]
        return progress

    # ---- members

    def _collection(self) -> dict[str, Any]:
        assert self.owns is not None
        chance = self.chance
        states = chance.sample(self.names[:-1], chance.randint(1, len(self.names) - 1))
        events = list(self.owns.events)
        accepts = {
            state: sorted(chance.sample(events, chance.randint(1, len(events))))
            for state in sorted(states)
        }
        return {"machine": "item", "accepts": accepts}

    def _send(self) -> None:
        """Some row sends its members an event."""
        assert self.owns is not None
        taken = [(row["from"], row["on"]) for row in self.owns.rows if row["on"] in self.owns.bare]
        if taken and self.chance.random() < 0.5:
            state, event = self.chance.choice(taken)
            self.chance.choice(self.rows)["members"] = {"items": {state: event}}
