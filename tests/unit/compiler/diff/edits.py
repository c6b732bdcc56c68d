"""Random edits of random definitions, and by brute force what they do to recorded histories."""

from __future__ import annotations

import copy
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from milepost_codegen.expressions import Expression
from milepost_codegen.model import Lifecycle, Machine
from tests.prove.formulas import Function, Value
from tests.prove.formulas import function_of as made_of
from tests.prove.random_definitions import definition_of, text_of
from tests.prove.reading import resolved

__all__ = ["Edited", "edited_definitions", "first_difference"]

Data = dict[str, Any]
Values = dict[str, Value]

NUMBERS = (-1, 0, 1, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A definition before and after one edit, and what the edit is called."""

    edit: str
    old: Lifecycle
    new: Lifecycle
    texts: tuple[str, str]


def edited_definitions(count: int, *, seed: int = 0) -> Iterator[Edited]:
    """`count` sound pairs, the same for the same seed."""
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
            edit = chance.choice(EDITS)
            machine = chance.choice(list(after["machines"].values()))
            changed = _resolved(after) if edit(machine, chance) else None
            if changed is None:
                continue
            texts = text_of(before), text_of(after)
            made += 1
            yield Edited(edit=edit.__name__, old=known, new=changed, texts=texts)
            if made == count:
                return


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


# ---- truth

_MADE: dict[int, tuple[Expression, Function]] = {}


def function_of(tree: Expression) -> Function:
    """`tree` as a function; looked up by identity, since to hash a tree costs more than a step."""
    known = _MADE.get(id(tree))
    if known is None or known[0] is not tree:
        known = _MADE[id(tree)] = tree, made_of(tree)
    return known[1]


@dataclass(frozen=True, slots=True)
class Job:
    """A configuration: state and values, of a machine and of its members."""

    state: str
    values: tuple[tuple[str, Value], ...]
    members: tuple[Job, ...] = ()

    def context(self, machine: Machine) -> Values:
        """All that guards and invariants read."""
        found = dict(self.values)
        for one in machine.collections:
            for state in one.states:
                found[f"{one.name}.{state}"] = sum(m.state == state for m in self.members)
            found[f"{one.name}.total"] = len(self.members)
        return found


def first_difference(pair: Edited, *, most: int = 1500) -> str:
    """A step of some run of OLD that NEW does not take alike, or `""`.

    Every run with up to two members is followed, breadth first, up to `most` configurations.
    """
    old = {one.name: one for one in pair.old.machines}
    new = {one.name: one for one in pair.new.machines}
    queue: deque[Job] = deque()
    seen: set[Job] = set()
    for job in _starts(old):
        if not _lawful(old, job):
            continue
        if job not in set(_starts(new, job)) or not _lawful(new, job):
            return f"begins otherwise: {job}"
        queue.append(job)
        seen.add(job)
    while queue and len(seen) < most:
        job = queue.popleft()
        for told, after in _steps(old, job):
            now = _taken(new, job, told)
            if now != after:
                return f"{job}: {told} led to {after}, now to {now}"
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return ""


def _root(machines: Mapping[str, Machine]) -> Machine:
    return next(iter(one for one in machines.values() if one.collections), None) or next(
        iter(machines.values())
    )


def _starts(machines: Mapping[str, Machine], like: Job | None = None) -> Iterator[Job]:
    """Every job that begins; if `like` is given, those with its parameters and its members."""
    root = _root(machines)
    items = [machines[one.machine] for one in root.collections]
    given = dict(like.values) if like else None
    for values in _beginnings(root, given):
        if not items:
            yield Job(root.initial, values)
            continue
        member = dict(like.members[0].values) if like and like.members else None
        for number in (len(like.members),) if like else range(3):
            for shared in _beginnings(items[0], member):
                one = Job(items[0].initial, shared)
                yield Job(root.initial, values, (one,) * number)


def _beginnings(machine: Machine, given: Values | None) -> Iterator[tuple[tuple[str, Value], ...]]:
    params = [one for one in machine.variables if one.param]
    fixed: Values = {
        one.name: one.initial
        for one in machine.variables
        if not one.param and one.initial is not None
    }
    fixed |= {one.entry: one.initial for one in machine.histories}
    choices = [NUMBERS if given is None else (given[one.name],) for one in params]
    for chosen in itertools.product(*choices):
        values = fixed | {one.name: value for one, value in zip(params, chosen, strict=True)}
        if all(one.where is None or function_of(one.where)(values, {}) for one in params):
            yield tuple(sorted(values.items()))


def _lawful(machines: Mapping[str, Machine], job: Job) -> bool:
    root = _root(machines)
    items = [machines[one.machine] for one in root.collections]
    return _holds(root, job) and all(_holds(items[0], one) for one in job.members)


def _holds(machine: Machine, job: Job) -> bool:
    context = job.context(machine)
    return all(
        bool(function_of(one.holds)(context, {}))
        for one in machine.invariants
        if one.states is None or job.state in one.states
    )


Told = tuple[int, str, tuple[tuple[str, Value], ...]]  # which member or -1, event, payload


def _steps(machines: Mapping[str, Machine], job: Job) -> Iterator[tuple[Told, Job]]:
    root = _root(machines)
    subjects = [(-1, root, job.state)]
    for collection in root.collections:
        member = machines[collection.machine]
        subjects += [(at, member, one.state) for at, one in enumerate(job.members)]
    for at, machine, state in subjects:
        for event in machine.events:
            if (state, event.name) not in machine.pairs:
                continue
            fields = [one for one in event.fields if one.type.readable]
            options = [_options(one.type.name, one.type.members) for one in fields]
            for chosen in itertools.product(*options):
                payload = tuple(zip((one.name for one in fields), chosen, strict=True))
                told = at, event.name, payload
                after = _taken(machines, job, told)
                if after is not None:
                    yield told, after


def _options(kind: str, found: tuple[str, ...]) -> tuple[Value, ...]:
    return found or ((False, True) if kind == "bool" else NUMBERS)


def _taken(machines: Mapping[str, Machine], job: Job, told: Told) -> Job | None:
    """The configuration after a step, None where it is refused."""
    at, event, payload = told
    root = _root(machines)
    if at < 0:
        after = _own(root, job, event, dict(payload))
        if after is None:
            return None
        moved, sends = after
        members = list(job.members)
        for number, one in enumerate(members):
            send = next((e for _, s, e in sends if s == one.state), None)
            if send is not None:
                (collection,) = root.collections
                step = _own(machines[collection.machine], one, send, {})
                if step is None:
                    return None
                members[number] = step[0]
        found = Job(moved.state, moved.values, tuple(members))
    else:
        (collection,) = root.collections
        if event not in dict(collection.accepts).get(job.state, ()):
            return None
        step = _own(machines[collection.machine], job.members[at], event, dict(payload))
        if step is None:
            return None
        members = list(job.members)
        members[at] = step[0]
        found = Job(job.state, job.values, tuple(members))
    return found if _lawful(machines, found) else None


def _own(
    machine: Machine, job: Job, event: str, payload: Values
) -> tuple[Job, list[tuple[str, str, str]]] | None:
    context = job.context(machine)
    for row in machine.pairs.get((job.state, event), ()):
        if row.guard is None or function_of(row.guard)(context, payload):
            values = dict(job.values)
            for one in row.assignments:
                values[one.name] = function_of(one.value)(context, payload)
            sends = [(one.collection, one.state, one.event) for one in row.members]
            return Job(row.target, tuple(sorted(values.items())), job.members), sends
    return None
