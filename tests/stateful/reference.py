"""A plain interpreter of statemachine.yaml: the reference that the real thing is compared with.

It reads the file as text, walks expressions as Python syntax trees and keeps items one by one in a
list. It shares no code with the compiler, the generated module or the state modules.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass, field, replace
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
ACCEPTS: dict[str, list[str]] = JOB.spec["collections"]["items"]["accepts"]
GROWS: list[str] = JOB.spec["collections"]["items"]["grows"]


def seen(context: dict[str, Any]) -> tuple[Any, ...]:
    """What of an item's context its own events change."""
    return tuple(context[name] for name, told in ITEM.spec["context"].items() if "initial" in told)


@dataclass
class ReferenceItem:
    state: str
    context: dict[str, Any]
    result: Any = None

    def take(self, event: str, payload: dict[str, Any]) -> tuple[str, str, str]:
        names = {**self.context, **ITEM.told(event, payload)}
        target, row = ITEM.row(self.state, event, names)
        arc = (self.state, event, target)
        self.context = {**self.context, **ITEM.assigned(row, names)}
        self.state = target
        return arc


@dataclass
class ReferenceJob:
    """A job, its items and its lease, as the file and the design describe them."""

    count: int
    params: dict[str, Any]
    state: str = JOB.initial
    context: dict[str, Any] = field(default_factory=dict)
    history: dict[str, str] = field(default_factory=dict)
    items: list[ReferenceItem] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    fence: int = 0
    owner: str | None = None
    expires_at_us: int = 0
    orphaned: bool = False
    unharmed: bool = False
    rejected: int = 0
    arcs: list[tuple[str, tuple[str, str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.items:
            self.context = JOB.context(self.params)
            self.items = [
                ReferenceItem(ITEM.initial, ITEM.context(self.params)) for _ in range(self.count)
            ]

    def copy(self) -> ReferenceJob:
        """Another job like it. Contexts and results are never changed, so both share them."""
        return replace(
            self,
            history=dict(self.history),
            items=[replace(item) for item in self.items],
            variables=dict(self.variables),
            arcs=list(self.arcs),
        )

    def names(self) -> dict[str, Any]:
        counts = {f"items.{state}": 0 for state in ITEM.states}
        for item in self.items:
            counts[f"items.{item.state}"] += 1
        histories = {f"history.{group}": state for group, state in self.history.items()}
        return {**self.context, **counts, "items.total": len(self.items), **histories}

    def fire(self, event: str, payload: dict[str, Any]) -> None:
        """The job takes `event`, or Refused is raised and nothing has changed."""
        names = {**self.names(), **JOB.told(event, payload)}
        target, row = JOB.row(self.state, event, names)
        after = self.copy()
        after.context = {**self.context, **JOB.assigned(row, names)}
        taking = [
            (item, taken)
            for item in after.items
            for state, taken in row.get("members", {}).get("items", {}).items()
            if item.state == state
        ]
        for item, taken in taking:
            after.arcs.append(("item", item.take(taken, {})))
        for group, members in JOB.groups.items():
            if self.state in members and target not in members:
                after.history[group] = self.state
        after.arcs.append(("job", (self.state, event, target)))
        after.state = target
        after.variables.update(payload.get("variables", {}))
        after.orphaned = after.orphaned and event != "recover"
        after.unharmed = after.unharmed and event != "recover"
        self.__dict__.update(after.__dict__)

    def takes_items(self) -> bool:
        """True in the states that the definition lists."""
        return self.state in GROWS

    def add(self, count: int) -> None:
        """More items, as all are at the beginning; or Refused."""
        if not self.takes_items():
            raise Refused(f"items in {self.state}")
        fresh = [ReferenceItem(ITEM.initial, ITEM.context(self.params)) for _ in range(count)]
        self.items = [*self.items, *fresh]

    def record(self, events: list[tuple[int, str, dict[str, Any]]]) -> None:
        """The items take their events, all of them or none and Refused."""
        after = self.copy()
        for ordinal, event, payload in events:
            before, item = self.items[ordinal], after.items[ordinal]
            if (
                before.state == "done"
                and event == "succeed"
                and (before.result == payload["result"])
            ):
                continue  # INV-ONCE: the same result again
            if event not in ACCEPTS.get(self.state, []):
                raise Refused(f"{event} of an item in {self.state}")
            after.arcs.append(("item", item.take(event, payload)))
            if event == "succeed":
                item.result = payload["result"]
        self.__dict__.update(after.__dict__)

    def conflict(self, events: list[tuple[int, str, dict[str, Any]]]) -> bool:
        """True if a batch brings a result for an item that has another one."""
        return any(
            event == "succeed"
            and self.items[ordinal].state == "done"
            and self.items[ordinal].result != payload["result"]
            for ordinal, event, payload in events
        )

    def alive(self, steady_us: int) -> bool:
        """True if a holder has neither given the job back nor let its lease expire."""
        return self.owner is not None and self.expires_at_us > steady_us

    def lost(self) -> bool:
        """True if what is in flight was in the hands of somebody who died."""
        if self.owner is None and not self.orphaned:
            return self.fence == 0
        return not self.unharmed

    def take(self, owner: str, expires_at_us: int) -> None:
        """`owner` holds the job from now on."""
        running = any(item.state == "running" for item in self.items)
        there = self.owner is not None or not self.lost()  # its process is this one, or it left
        self.unharmed = running and there and (self.unharmed or not self.orphaned)
        self.orphaned = self.orphaned or self.owner is not None
        self.fence += 1
        self.owner, self.expires_at_us = owner, expires_at_us

    def recover(self, *, gone_back: bool = False) -> None:
        """What applying a recovery plan does."""
        if self.state == "failed":
            self.fire("retry", {})
        elif self.state == "paused":
            self.fire("resume", {})
        running = [n for n, item in enumerate(self.items) if item.state == "running"]
        if self.state in JOB.groups["active"] and (running or self.orphaned):
            lost = self.lost() and not gone_back  # nobody died of what was in flight back then
            for ordinal in running:
                if lost and self.items[ordinal].context["suspect"]:
                    self.record([(ordinal, "crash", {"message": ""})])
            self.fire("recover", {"lost": lost})
        failed = [n for n, item in enumerate(self.items) if item.state == "failed"]
        for event in ("retry", "give_up"):
            if event in ACCEPTS.get(self.state, []):
                for ordinal in failed:
                    try:
                        self.record([(ordinal, event, {})])
                    except Refused:
                        continue

    def observed(self) -> dict[str, Any]:
        """What must be equal in the real thing."""
        return {
            "state": self.state,
            "context": dict(self.context),
            "items": [(item.state, *seen(item.context)) for item in self.items],
            "results": {
                n: item.result for n, item in enumerate(self.items) if item.state == "done"
            },
            "variables": self.variables,
            "fence": self.fence,
            "owner": self.owner,
            "rejected": self.rejected,
        }
