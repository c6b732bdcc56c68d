"""A plain interpreter of statemachine.yaml: the reference that the real thing is compared with.

It reads the file as text, walks expressions as Python syntax trees and keeps items one by one in a
list. It shares no code with the compiler, the generated module or the state modules.
"""

from __future__ import annotations

import ast
import operator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEFINITION = Path(__file__).parents[2] / "statemachine.yaml"

_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class Refused(Exception):
    """The table has no enabled row."""


def read_definition() -> dict[str, Any]:
    """The file as mappings, lists and text; nothing is converted."""
    return yaml.BaseLoader(DEFINITION.read_text(encoding="utf-8")).get_single_data()


@cache
def parsed(text: str) -> ast.expr:
    """The tree of an expression, made once."""
    return ast.parse(text, mode="eval").body


def evaluate(text: str, names: dict[str, Any], guards: dict[str, str], members: set[str]) -> Any:
    """The value of an expression: names are variables, guards or members of enums."""

    def walk(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id="true" | "false" as name):
                return name == "true"
            case ast.Name(id=name):
                if name in names:
                    return names[name]
                if name in guards:
                    return walk(parsed(guards[name]))
                assert name in members, name
                return name
            case ast.Attribute(value=ast.Name(id=owner), attr=attr):
                return names[f"{owner}.{attr}"]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return walk(left) + walk(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return walk(left) - walk(right)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not walk(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(walk(value) for value in values)
            case ast.BoolOp(op=ast.Or(), values=values):
                return any(walk(value) for value in values)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                at = walk(left)
                for op, right in zip(ops, rights, strict=True):
                    after = walk(right)
                    if not _COMPARE[type(op)](at, after):
                        return False
                    at = after
                return True
            case _:
                raise AssertionError(ast.dump(node))

    return walk(parsed(text))


def literal(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.lstrip("-").isdigit() else text


class Table:
    """One machine of the file, its rows as (source, event, condition, target, set, members)."""

    def __init__(self, name: str, definition: dict[str, Any]) -> None:
        spec = definition["machines"][name]
        self.name = name
        self.spec = spec
        self.initial: str = spec["initial"]
        self.states: list[str] = list(spec["states"])
        self.events: list[str] = list(spec["events"])
        self.groups: dict[str, list[str]] = spec.get("groups", {})
        self.guards: dict[str, str] = spec.get("guards", {})
        self.payloads: dict[str, dict[str, Any]] = {
            event: (told or {}).get("payload", {}) if isinstance(told, dict) else {}
            for event, told in spec["events"].items()
        }
        self.members = {m for values in definition["enums"].values() for m in values}
        self.rows: list[dict[str, Any]] = []
        for row in spec["transitions"]:
            sources = row["from"] if isinstance(row["from"], list) else [row["from"]]
            flat = [s for source in sources for s in self.groups.get(source, [source])]
            self.rows += [{**row, "from": source} for source in flat]

    def context(self, params: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, variable in self.spec.get("context", {}).items():
            given = variable.get("default", variable.get("initial"))
            found[name] = params.get(name, literal(given))
        return found

    def told(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """What rows may read of a payload, defaults filled in."""
        fields = self.payloads.get(event, {}).items()
        readable = {name: spec for name, spec in fields if spec["type"] in ("bool", "int")}
        return {
            f"event.{name}": payload.get(name, literal(spec.get("default", "false")))
            for name, spec in readable.items()
        }

    def row(self, state: str, event: str, names: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The target and the row that `event` takes. Raises Refused."""
        of_pair = [r for r in self.rows if (r["from"], r["on"]) == (state, event)]
        plain = [r for r in of_pair if r.get("when") != "otherwise"]
        enabled = [
            r for r in plain if evaluate(r.get("when", "true"), names, self.guards, self.members)
        ]
        enabled = enabled or [r for r in of_pair if r.get("when") == "otherwise"]
        if not enabled:
            raise Refused(f"{self.name}: {event} in {state}")
        assert len(enabled) == 1, enabled
        target = enabled[0]["to"]
        if isinstance(target, dict):
            target = names[f"history.{target['history']}"]
        return target, enabled[0]

    def assigned(self, row: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
        return {
            name: evaluate(text, names, self.guards, self.members)
            for name, text in row.get("set", {}).items()
        }

    def legal_pairs(self) -> set[tuple[str, str]]:
        return {(row["from"], row["on"]) for row in self.rows}

    def illegal_pairs(self) -> set[tuple[str, str]]:
        return {(s, e) for s in self.states for e in self.events} - self.legal_pairs()

    def triples(self) -> set[tuple[str, str, str]]:
        """Every (state, event, target) that the rows allow, histories spread over their group."""
        found = set()
        for row in self.rows:
            targets = [row["to"]]
            if isinstance(row["to"], dict):
                targets = self.groups[row["to"]["history"]]
            found |= {(row["from"], row["on"], target) for target in targets}
        return found


DEFINED = read_definition()
JOB = Table("job", DEFINED)
ITEM = Table("item", DEFINED)
