"""Random edits of random definitions, with and without migrations."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from milepost_codegen.diff.report import Verdict
from milepost_codegen.model import Lifecycle
from tests.prove.random_definitions import definition_of, text_of
from tests.prove.reading import resolved
from tests.unit.compiler.diff.migrations import CHANGES, unanswered
from tests.unit.compiler.diff.truth import first_difference

__all__ = ["Edited", "edited_definitions", "refuted"]

Data = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A definition before and after one edit, and what the edit is called."""

    edit: str
    old: Lifecycle
    new: Lifecycle
    texts: tuple[str, str]
    migrated: bool = False


def edited_definitions(count: int, *, seed: int = 0, migrations: float = 0.0) -> Iterator[Edited]:
    """`count` sound pairs, the same for the same seed; that share comes with a migration."""
    made, number = 0, 0
    while made < count:
        number += 1
        chance = random.Random(f"{seed}.{number}")  # noqa: S311 no secrets
        before = definition_of(chance)
        known = _resolved(before)
        if known is None:
            continue
        for _ in range(10):
            after = copy.deepcopy(before)
            after["version"] = 2
            migrated = chance.random() < migrations
            name = chance.choice(list(after["machines"]))
            if migrated:
                change = chance.choice(CHANGES)
                called, done = change.__name__, change(after, name, known, chance)
            else:
                edit = chance.choice(EDITS)
                called, done = edit.__name__, edit(after["machines"][name], chance)
            changed = _resolved(after) if done else None
            if changed is None:
                continue
            texts = text_of(before), text_of(after)
            made += 1
            yield Edited(edit=called, old=known, new=changed, texts=texts, migrated=migrated)
            if made == count:
                return


def refuted(pair: Edited, verdict: Verdict, *, most: int) -> str:
    """What some job of OLD does otherwise, if the verdict says that none does; or `""`.

    Of a verdict of breaking: what would refute the better one.
    """
    if not pair.migrated:
        return first_difference(pair.old, pair.new, most=most)
    return unanswered(pair.old, pair.new, most=most, exactly=verdict == "compatible")


def _resolved(data: Data) -> Lifecycle | None:
    """The lifecycle; None where it is unsound in itself."""
    try:
        return resolved(text_of(data))[0]
    except AssertionError:
        return None


# ---- edits: each changes the machine, or says that it cannot


def guard(machine: Data, chance: random.Random) -> bool:
    rows = [row for row in machine["transitions"] if row.get("when") not in (None, "otherwise")]
    if not rows:
        return False
    row = chance.choice(rows)
    told = chance.choice(["({}) and {}", "({}) or {}", "not ({})", "({}) and true"])
    row["when"] = told.format(row["when"], _condition(machine, chance))
    return True


def swap_guards(machine: Data, chance: random.Random) -> bool:
    rows = [row for row in machine["transitions"] if row.get("when") not in (None, "otherwise")]
    if len(rows) < 2:
        return False
    one, other = chance.sample(rows, 2)
    one["when"], other["when"] = other["when"], one["when"]
    return True


def swap_sets(machine: Data, chance: random.Random) -> bool:
    rows = [row for row in machine["transitions"] if row.get("set")]
    if len(rows) < 2:
        return False
    one, other = chance.sample(rows, 2)
    one["set"], other["set"] = other["set"], one["set"]
    return True


def swap_pair(machine: Data, chance: random.Random) -> bool:
    """Two rows of a pair change places."""
    rows = machine["transitions"]
    at = chance.randrange(len(rows))
    same = [n for n, row in enumerate(rows) if _pair(row) == _pair(rows[at]) and n != at]
    if not same:
        return False
    other = chance.choice(same)
    rows[at], rows[other] = rows[other], rows[at]
    return True


def target(machine: Data, chance: random.Random) -> bool:
    row = chance.choice(machine["transitions"])
    row["to"] = chance.choice(list(machine["states"]))
    return True


def change_set(machine: Data, chance: random.Random) -> bool:
    row = chance.choice(machine["transitions"])
    names = [name for name, one in machine.get("context", {}).items() if one["type"] == "int"]
    names = [name for name in names if not machine["context"][name].get("param")]
    if not names:
        return False
    name = chance.choice(names)
    row.setdefault("set", {})[name] = chance.choice(["0", f"{name} + 1", f"1 + {name}", name])
    return True


def add_row(machine: Data, chance: random.Random) -> bool:
    states = [name for name, one in machine["states"].items() if not one.get("final")]
    row = {
        "from": chance.choice(states),
        "on": chance.choice(list(machine["events"])),
        "to": chance.choice(list(machine["states"])),
        "when": _condition(machine, chance),
        "partial": True,
    }
    machine["transitions"].insert(chance.randint(0, len(machine["transitions"])), row)
    return True


def drop_row(machine: Data, chance: random.Random) -> bool:
    machine["transitions"].remove(chance.choice(machine["transitions"]))
    return True


def initial_value(machine: Data, chance: random.Random) -> bool:
    names = [name for name, one in machine.get("context", {}).items() if "initial" in one]
    if not names:
        return False
    one = machine["context"][chance.choice(names)]
    one["initial"] = not one["initial"] if one["type"] == "bool" else one["initial"]
    if one["type"] == "int":
        one["initial"] = chance.randint(0, 3)
    return True


def history_default(machine: Data, chance: random.Random) -> bool:
    rows = [row for row in machine["transitions"] if isinstance(row["to"], dict)]
    for row in rows:
        row["to"]["default"] = "s1" if row["to"]["default"] == "s0" else "s0"
    return bool(rows)


def group(machine: Data, chance: random.Random) -> bool:
    groups = machine.get("groups", {})
    for states in groups.values():
        states.append(chance.choice([one for one in machine["states"] if one not in states]))
    return bool(groups)


def where(machine: Data, chance: random.Random) -> bool:
    names = [name for name, one in machine.get("context", {}).items() if one.get("where")]
    for name in names:
        told = chance.choice(["{} >= 0", "{} >= 1", "0 <= {} <= 3", "{} <= 2"])
        machine["context"][name]["where"] = told.format(name)
    return bool(names)


def invariant(machine: Data, chance: random.Random) -> bool:
    claims = machine.setdefault("invariants", {})
    if claims and chance.random() < 0.6:
        one = chance.choice(list(claims.values()))
        told = chance.choice(["({}) or {}", "({}) and {}"])
        one["holds"] = told.format(one["holds"], _condition(machine, chance))
    else:
        claims["more"] = {"holds": _condition(machine, chance)}
    return True


def drop_invariant(machine: Data, chance: random.Random) -> bool:
    claims = machine.get("invariants", {})
    if claims:
        del claims[chance.choice(list(claims))]
    return bool(claims)


def accepts(machine: Data, chance: random.Random) -> bool:
    for one in machine.get("collections", {}).values():
        state = chance.choice(list(one["accepts"]))
        events = one["accepts"][state]
        if chance.random() < 0.5 and len(events) > 1:
            events.remove(chance.choice(events))
        else:
            other = chance.choice(list(machine["states"]))
            one["accepts"][other] = list(events)
    return "collections" in machine


def members(machine: Data, chance: random.Random) -> bool:
    rows = [row for row in machine["transitions"] if "members" in row]
    if not rows:
        return False
    row = chance.choice(rows)
    given = row.pop("members")
    if chance.random() < 0.7:
        chance.choice(machine["transitions"])["members"] = given
    return True


def rename_variable(machine: Data, chance: random.Random) -> bool:
    """Two variables change names, and nothing says so."""
    context = machine.get("context", {})
    if not {"x", "y"} <= set(context):
        return False
    context["x"], context["y"] = context["y"], context["x"]
    return True


def ignore(machine: Data, chance: random.Random) -> bool:
    taken = {_pair(row) for row in machine["transitions"]}
    free = [
        (state, event)
        for state in machine["states"]
        for event in machine["events"]
        if (state, event) not in taken
    ]
    if "ignored" in machine:
        del machine["ignored"]
    elif free:
        state, event = chance.choice(free)
        machine["ignored"] = [{"in": state, "on": event}]
    return bool(free)


def _pair(row: Data) -> tuple[str, str]:
    return str(row["from"]), row["on"]


def _condition(machine: Data, chance: random.Random) -> str:
    context = machine.get("context", {})
    told = [f"x {chance.choice(['<', '>=', '=='])} {chance.randint(-1, 4)}"] * 3
    told = told if "x" in context else []
    told += [name for name in ("p", "q") if name in context]
    told += ["x <= y"] if {"x", "y"} <= set(context) else []
    told += ["items.total >= 1", "items.z == 0"] if "collections" in machine else []
    return chance.choice(told or ["true"])


EDITS: list[Callable[[Data, random.Random], bool]] = [
    *(guard, swap_guards, swap_sets, swap_pair, target, change_set, add_row, drop_row),
    *(initial_value, history_default, group, where, invariant, drop_invariant, accepts, members),
    *(rename_variable, ignore),
]
