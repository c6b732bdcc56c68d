"""Edits that come with a migration, right ones and wrong ones, and what is left of a stored job.

A migration's value may be read in two ways: as what a stored job holds from then on, and as what
the new lifecycle would have held anyway. A difference that is there either way is answered by none.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from milepost_codegen.model import Answers, Lifecycle
from tests.unit.compiler.diff.truth import (
    Job,
    Told,
    function_of,
    is_lawful,
    member_of,
    root_of,
    starts,
    steps,
    taken,
)

__all__ = ["CHANGES", "Change", "unanswered"]

Data = dict[str, Any]
Change = Callable[[Data, str, Lifecycle, random.Random], bool]


# ---- edits: each changes the definition and answers for it, rightly or wrongly


def value(data: Data, name: str, _: Lifecycle, chance: random.Random) -> bool:
    """A value for what the definition had before; a row may change with it."""
    machine = data["machines"][name]
    context = machine.get("context", {})
    known = [one for one in context if one in ("x", "y", "p", "q")]
    if not known:
        return False
    entry = chance.choice(known)
    number = context[entry]["type"] == "int"
    told = ["{}", "{} + 1", "0", "2", "1 - {}"] if number else ["{}", "not {}", "true", "false"]
    _answer(data, name)["context"] = {name: {entry: chance.choice(told).format(entry)}}
    old = {one: context[one]["type"] for one in known}
    data["migrations"][0]["old"] = {name: old}
    row = chance.choice(machine["transitions"])
    what = chance.random()
    if what < 0.3 and number and not isinstance(row["to"], dict):
        row.setdefault("set", {})[entry] = chance.choice([f"{entry} + 1", "1", "0"])
    elif what < 0.5:
        row["to"] = chance.choice(list(machine["states"]))
    elif what < 0.6:
        context[entry]["initial"] = 3 if number else not context[entry]["initial"]
    return True


def new_variable(data: Data, name: str, _: Lifecycle, chance: random.Random) -> bool:
    """A variable that a row asks about, and perhaps sets, with a value for stored jobs."""
    machine = data["machines"][name]
    machine.setdefault("context", {})["w"] = {"type": "int", "initial": 0}
    rows = [row for row in machine["transitions"] if row.get("when") != "otherwise"]
    if not rows:
        return False
    row = chance.choice(rows)
    asked = chance.choice(["w >= 0", "w == 0", "w <= 1", "w >= 1"])
    row["when"] = f"({row['when']}) and {asked}" if "when" in row else asked
    row["partial"] = True
    if chance.random() < 0.5:
        chance.choice(machine["transitions"]).setdefault("set", {})["w"] = chance.choice(
            ["w + 1", "0", "1"]
        )
    given = chance.choice(["0", "0", "1", "5", "0 - 1"])
    _answer(data, name)["context"] = {name: {"w": given}}
    return True


def renamed_state(data: Data, name: str, _: Lifecycle, chance: random.Random) -> bool:
    """A state has another name; the migration, or `was`, says which, or names another one."""
    machine = data["machines"][name]
    if any(one.get("machine") == name for one in _collections(data)):
        return False
    old = chance.choice([one for one in machine["states"] if one != "z"])
    data["machines"][name] = machine = _renamed(machine, old, "t9")
    what = chance.random()
    if what < 0.3:
        machine["states"]["t9"] = {**machine["states"]["t9"], "was": old}
        return True
    to = "t9" if what < 0.75 else chance.choice(list(machine["states"]))
    _answer(data, name)["states"] = {name: {old: to}}
    return True


def moved_state(data: Data, name: str, _: Lifecycle, chance: random.Random) -> bool:
    """Jobs in a state go on in another one, and a row of the definition may be gone."""
    machine = data["machines"][name]
    old, to = chance.sample(list(machine["states"]), 2)
    _answer(data, name)["states"] = {name: {old: to}}
    if chance.random() < 0.5:
        machine["transitions"].remove(chance.choice(machine["transitions"]))
    return True


def retired(data: Data, name: str, old: Lifecycle, chance: random.Random) -> bool:
    """A row is gone that the migration retires, or it retires another one."""
    machine = data["machines"][name]
    before = next(one for one in old.machines if one.name == name)
    at = chance.randrange(len(machine["transitions"]))
    gone = machine["transitions"].pop(at)
    ids = [
        one.id
        for one in before.transitions
        if (one.source, one.event) == (gone["from"], gone["on"])
    ]
    if chance.random() < 0.4:
        ids = [chance.choice(before.transitions).id]
    _answer(data, name)["retired"] = {name: list(dict.fromkeys(ids))}
    return True


def renamed_event(data: Data, name: str, _: Lifecycle, chance: random.Random) -> bool:
    """An event has another name, or stands for one that was there before."""
    machine = data["machines"][name]
    if any(one.get("machine") == name for one in _collections(data)):
        return False
    old = chance.choice(list(machine["events"]))
    machine["events"] = {("t9" if k == old else k): v for k, v in machine["events"].items()}
    for row in (*machine["transitions"], *machine.get("ignored", ())):
        if row["on"] == old:
            row["on"] = "t9"
    for part in ("progress",):
        machine.pop(part, None)
    to = "t9" if chance.random() < 0.7 else chance.choice(list(machine["events"]))
    _answer(data, name)["events"] = {name: {old: to}}
    return True


CHANGES: list[Change] = [
    *(value, value, new_variable, new_variable, renamed_state, moved_state, retired, renamed_event)
]


def _answer(data: Data, name: str) -> Data:
    found: Data = {"from": 1}
    data["migrations"] = [found]
    assert name in data["machines"]
    return found


def _collections(data: Data) -> Iterator[Data]:
    for machine in data["machines"].values():
        yield from machine.get("collections", {}).values()


def _renamed(told: Any, old: str, new: str) -> Any:
    """Plain data with a state renamed, in names and in expressions; not what members are sent."""
    if isinstance(told, dict):
        return {
            _renamed(key, old, new): below if key == "members" else _renamed(below, old, new)
            for key, below in told.items()
        }
    if isinstance(told, list):
        return [_renamed(one, old, new) for one in told]
    return re.sub(rf"(?<![.\w]){old}\b", new, told) if isinstance(told, str) else told


# ---- truth


class _Upgrade:
    """What an upgrade makes of a job, with some of the given values read as what was there."""

    def __init__(self, old: Lifecycle, new: Lifecycle, kept: frozenset[tuple[str, str]]) -> None:
        self.old = {one.name: one for one in old.machines}
        self.new = {one.name: one for one in new.machines}
        self.kept = kept
        answers = new.migrations[0].answers if new.migrations else ()
        self.answers: Mapping[str, Answers] = {one.machine: one for one in answers}

    def states(self, name: str) -> Mapping[str, str]:
        own = {one.was or one.name: one.name for one in self.new[name].states}
        own |= {one.name: one.name for one in self.new[name].states if one.name not in own.values()}
        return own | dict(self.answers[name].states) if name in self.answers else own

    def event(self, name: str, event: str) -> str:
        found = dict(self.answers[name].events) if name in self.answers else {}
        return found.get(event, event)

    def given(self, name: str) -> Mapping[str, Any]:
        values = self.answers[name].values if name in self.answers else ()
        return {one.name: one.value for one in values}

    def excused(self, name: str, ids: frozenset[str]) -> bool:
        """True if one of the rows is retired, or an end of it is moved."""
        if name not in self.answers:
            return False
        answers = self.answers[name]
        own = {one.was or one.name: one.name for one in self.new[name].states}
        moved = {old for old, new in answers.states if own.get(old) != new}
        rows = [one for one in self.old[name].transitions if one.id in ids]
        return any(
            row.id in answers.retired or bool({row.source, row.target} & moved) for row in rows
        )

    def moves(self, name: str, state: str) -> bool:
        """True if the migration answers what becomes of the state, and thus of all done in it."""
        return name in self.answers and state in dict(self.answers[name].states)

    def job(self, name: str, job: Job) -> Job | None:
        """The job as it is upgraded; None where it is stranded."""
        machine, states = self.new[name], self.states(name)
        before = dict(job.values)
        given = self.given(name)
        values: dict[str, Any] = {}
        for one in machine.variables:
            if one.name in given and (name, one.name) not in self.kept:
                values[one.name] = function_of(given[one.name])(before, {})
            elif one.name in before:
                values[one.name] = before[one.name]
            else:
                values[one.name] = one.initial
        for history in machine.histories:
            if history.entry in before:
                values[history.entry] = states.get(str(before[history.entry]), "")
            else:
                values[history.entry] = history.initial
        members = [self.job(member_of(self.old).name, one) for one in job.members]
        if job.state not in states or None in members:
            return None
        whole = tuple(one for one in members if one is not None)
        return Job(states[job.state], tuple(sorted(values.items())), whole)


def unanswered(old: Lifecycle, new: Lifecycle, *, most: int, exactly: bool = False) -> str:
    """A step of a stored job that differs in whichever way the values are read, or `""`.

    `exactly`: that differs with the values that are given, in anything at all.
    """
    upgrade = _Upgrade(old, new, frozenset())
    before = {one.name: {v.name for v in one.variables} for one in old.machines}
    given = [
        (name, entry)
        for name in upgrade.answers
        for entry in upgrade.given(name)
        if entry in before[name]
    ]
    first = ""
    for chosen in itertools.product((False, True), repeat=0 if exactly else len(given)):
        kept = frozenset(one for one, keep in zip(given, chosen, strict=False) if keep)
        found = _Lockstep(_Upgrade(old, new, kept), exactly=exactly).difference(most)
        if not found:
            return ""
        first = first or found
    return first


class _Lockstep:
    """A stored job and what it was upgraded to, which are to take the same steps."""

    def __init__(self, upgrade: _Upgrade, *, exactly: bool) -> None:
        self.upgrade = upgrade
        self.exactly = exactly
        self.root = root_of(upgrade.old)

    def difference(self, most: int) -> str:
        queue: deque[tuple[Job, Job]] = deque()
        seen: set[tuple[Job, Job]] = set()

        def come(job: Job, now: Job) -> None:
            if (job, now) not in seen:
                seen.add((job, now))
                queue.append((job, now))

        stored: set[Job] = set()
        for job in self._reached(most):
            stored.add(job)
            now = self.upgrade.job(self.root.name, job)
            if now is None:
                return f"{job} is stranded"
            if not is_lawful(self.upgrade.new, now):
                return f"{job} becomes {now}, which is not legal"
            come(job, now)
        while queue and len(seen) < 2 * most:
            job, now = queue.popleft()
            for told, after, rows in steps(self.upgrade.old, job):
                if after not in stored:
                    continue
                if not self.exactly and any(self.upgrade.excused(*one) for one in rows):
                    continue
                if (
                    not self.exactly
                    and told[0] >= 0
                    and self.upgrade.moves(self.root.name, job.state)
                ):
                    continue  # its members may do then what they may where it is moved to
                then = taken(self.upgrade.new, now, self._told(told))
                if then is None:
                    return f"{job}, now {now}: {told} led to {after}, now it is refused"
                if not self._alike(after, then):
                    return f"{job}, now {now}: {told} led to {after}, now to {then}"
                come(after, then)
        return ""

    def _reached(self, most: int) -> Iterator[Job]:
        seen = dict.fromkeys(
            one for one in starts(self.upgrade.old) if is_lawful(self.upgrade.old, one)
        )
        queue = deque(seen)
        while queue and len(seen) < most:
            for _, after, _ in steps(self.upgrade.old, queue.popleft()):
                if after not in seen:
                    seen[after] = None
                    queue.append(after)
        return iter(seen)

    def _told(self, told: Told) -> Told:
        at, event, payload = told
        name = self.root.name if at < 0 else member_of(self.upgrade.old).name
        return at, self.upgrade.event(name, event), payload

    def _alike(self, after: Job, then: Job) -> bool:
        """True if NEW came to what the job would be upgraded to, but for what is given."""
        wanted = self.upgrade.job(self.root.name, after)
        if wanted is None or self.exactly:
            return wanted == then
        return self._plain(wanted) == self._plain(then)

    def _plain(self, job: Job) -> object:
        def of(name: str, one: Job) -> object:
            given = self.upgrade.given(name)
            return one.state, tuple(part for part in one.values if part[0] not in given)

        return of(self.root.name, job), tuple(
            of(member_of(self.upgrade.new).name, one) for one in job.members
        )
