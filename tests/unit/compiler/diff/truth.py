"""What runs of two versions do, by brute force: every run of few numbers and members."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from milepost_codegen.expressions import Expression
from milepost_codegen.model import Lifecycle, Machine, Transition
from tests.prove.formulas import Function, Value
from tests.prove.formulas import function_of as made_of

__all__ = [
    "Job",
    "Rows",
    "Told",
    "first_difference",
    "function_of",
    "is_lawful",
    "member_of",
    "root_of",
    "starts",
    "steps",
    "taken",
]

Values = dict[str, Value]
Told = tuple[int, str, tuple[tuple[str, Value], ...]]  # which member or -1, event, payload
Rows = tuple[tuple[str, frozenset[str]], ...]  # by machine the ids of rows that a step takes

NUMBERS = (-1, 0, 1, 3)

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


def first_difference(before: Lifecycle, after: Lifecycle, *, most: int = 1500) -> str:
    """A step of some run of OLD that NEW does not take alike, or `""`.

    Every run with up to two members is followed, breadth first, up to `most` configurations.
    """
    old = {one.name: one for one in before.machines}
    new = {one.name: one for one in after.machines}
    queue: deque[Job] = deque()
    seen: set[Job] = set()
    for job in starts(old):
        if not is_lawful(old, job):
            continue
        if job not in set(starts(new, job)) or not is_lawful(new, job):
            return f"begins otherwise: {job}"
        queue.append(job)
        seen.add(job)
    while queue and len(seen) < most:
        job = queue.popleft()
        for told, then, _ in steps(old, job):
            now = taken(new, job, told)
            if now != then:
                return f"{job}: {told} led to {then}, now to {now}"
            if then not in seen:
                seen.add(then)
                queue.append(then)
    return ""


def root_of(machines: Mapping[str, Machine]) -> Machine:
    """The machine that a job is of."""
    return next(iter(one for one in machines.values() if one.collections), None) or next(
        iter(machines.values())
    )


def member_of(machines: Mapping[str, Machine]) -> Machine:
    """The machine that its members are of."""
    (collection,) = root_of(machines).collections
    return machines[collection.machine]


def starts(machines: Mapping[str, Machine], like: Job | None = None) -> Iterator[Job]:
    """Every job that begins; if `like` is given, those with its parameters and its members."""
    root = root_of(machines)
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


def is_lawful(machines: Mapping[str, Machine], job: Job) -> bool:
    """True if all that is declared holds of the job and of its members."""
    root = root_of(machines)
    items = [machines[one.machine] for one in root.collections]
    return _holds(root, job) and all(_holds(items[0], one) for one in job.members)


def _holds(machine: Machine, job: Job) -> bool:
    context = job.context(machine)
    return all(
        bool(function_of(one.holds)(context, {}))
        for one in machine.invariants
        if one.states is None or job.state in one.states
    )


def steps(machines: Mapping[str, Machine], job: Job) -> Iterator[tuple[Told, Job, Rows]]:
    """Every step that a job may take, and by which rows."""
    root = root_of(machines)
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
                after = _step(machines, job, told)
                if after is not None:
                    yield told, *after


def _options(kind: str, found: tuple[str, ...]) -> tuple[Value, ...]:
    return found or ((False, True) if kind == "bool" else NUMBERS)


def taken(machines: Mapping[str, Machine], job: Job, told: Told) -> Job | None:
    """The configuration after a step, None where it is refused."""
    after = _step(machines, job, told)
    return after and after[0]


def _step(machines: Mapping[str, Machine], job: Job, told: Told) -> tuple[Job, Rows] | None:
    at, event, payload = told
    root = root_of(machines)
    by: dict[str, set[str]] = {}
    if at < 0:
        own = _own(root, job, event, dict(payload))
        if own is None:
            return None
        moved, row = own
        by[root.name] = {row.id}
        members = list(job.members)
        for number, one in enumerate(members):
            send = next((part.event for part in row.members if part.state == one.state), None)
            if send is not None:
                step = _own(member_of(machines), one, send, {})
                if step is None:
                    return None
                members[number] = step[0]
                by.setdefault(member_of(machines).name, set()).add(step[1].id)
        found = Job(moved.state, moved.values, tuple(members))
    else:
        (collection,) = root.collections
        if event not in dict(collection.accepts).get(job.state, ()):
            return None
        step = _own(member_of(machines), job.members[at], event, dict(payload))
        if step is None:
            return None
        by[collection.machine] = {step[1].id}
        members = list(job.members)
        members[at] = step[0]
        found = Job(job.state, job.values, tuple(members))
    if not is_lawful(machines, found):
        return None
    return found, tuple((name, frozenset(ids)) for name, ids in by.items())


def _own(machine: Machine, job: Job, event: str, payload: Values) -> tuple[Job, Transition] | None:
    context = job.context(machine)
    for row in machine.pairs.get((job.state, event), ()):
        if row.guard is None or function_of(row.guard)(context, payload):
            values = dict(job.values)
            for one in row.assignments:
                values[one.name] = function_of(one.value)(context, payload)
            return Job(row.target, tuple(sorted(values.items())), job.members), row
    return None
