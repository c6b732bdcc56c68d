"""Every trace taken in a store, step by step, with every illegal pair tried where it can be.

A trace of a member is taken in a job that brings the member along: where the owner does not accept
the event that is next, it goes first, by the shortest run that the definition allows, to where it
accepts it, or sends it.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from milepost.state.manager import StateManager
from milepost.testing.definition import (
    Collection,
    Definition,
    Event,
    Job,
    Refused,
)
from milepost.testing.lifecycle.coverage import Coverage
from milepost.testing.lifecycle.doing import Outcome, do
from milepost.testing.lifecycle.looking import agree
from milepost.testing.lifecycle.telling import asked_told, place_told
from milepost.testing.lifecycle.values import (
    created_with,
    filled,
    legal_events,
    params_for,
)
from milepost.text.wording import bounded

__all__ = ["Tour"]

_MEMBER: Final = re.compile(r"(\w+)\[(\d+)\]\.(.+)")
_ABSENT: Final = "-"
_LOOKED_AT: Final = 500
_SEEDS: Final = 3

Trace = Mapping[str, Any]


@dataclass(slots=True)
class Tour:
    """The tour of one store. `steps` counts what was asked, `jobs` in how many jobs."""

    manager: StateManager
    definition: Definition
    coverage: Coverage
    steps: int = 0
    jobs: int = 0
    _last: dict[str | None, str] = field(default_factory=dict)
    """The row that was taken last, by the member, None for the job itself."""
    _tried: set[tuple[str, str, str, str]] = field(default_factory=set)
    _asked_of: list[list[Event]] = field(default_factory=list)
    """What was asked of the job of this trace, but for what both refused."""

    def take(self, traces: Sequence[Trace]) -> None:
        """Take all of `traces` that show anything new, the longest first.

        Raises AssertionError where a step does anything else than the trace and the definition say.
        """
        covered = [one for one in traces if one["outcome"] == "covered"]
        for trace in sorted(covered, key=lambda one: -len(one["steps"])):
            if trace["key"] in self.coverage.taken[trace["kind"]]:
                continue
            self._asked_of.clear()
            try:
                if trace["machine"] == self.definition.root.name:
                    self._owner(trace)
                else:
                    self._member(trace)
            except AssertionError as error:
                asked = ", then ".join(map(asked_told, self._asked_of)) or "nothing"
                error.add_note(
                    f"this was the trace {trace['key']}, in a new job, of which"
                    f" was asked: {bounded(asked)}"
                )
                raise

    # A trace of the job itself

    def _owner(self, trace: Trace) -> None:
        job, job_id = self._begun(_at_the_start(self.definition, trace))
        numbers: dict[str, list[str]] = {name: [] for name in self.definition.collections}
        for member, at in job.members.items():
            numbers[at.collection].append(member.rpartition("/")[2])
        for step in trace["steps"]:
            if not step["row"]:
                job = self._joined(job, job_id, step, numbers)
                continue
            key = None
            if step["subject"]:
                name, _, number = step["subject"].rstrip("]").partition("[")
                key = self.definition.key(name, number)
            job = self._step(job, job_id, key, step)
            _is_where(job, step)
        self._asked(trace, job, job_id, None)
        assert trace["key"] in self.coverage.taken[trace["kind"]], trace["key"]

    def _joined(self, job: Job, job_id: str, step: Trace, numbers: dict[str, list[str]]) -> Job:
        for name, known in numbers.items():
            new = sorted(_numbered(step["changed"], name) - {*known})
            if new:
                job = job.add(name, new)
                collection = name if len(numbers) > 1 else None
                self.manager.add_items(job_id, new, collection=collection)
                known.extend(new)
        agree(self.manager.get_state(job_id), job)
        return job

    # A trace of a member

    def _member(self, trace: Trace) -> None:
        for collection in self.definition.collections.values():
            if collection.machine.name != trace["machine"]:
                continue
            for seed in range(_SEEDS):
                led = _led(self.definition, collection, trace, seed)
                if led is not None:
                    self._follow(trace, *led)
                    return

    def _follow(self, trace: Trace, begun: Job, acts: Sequence[Event], key: str) -> None:
        job, job_id = self._begun(begun)
        for one in acts:
            job = self._step(job, job_id, one.key, {"event": one.event, "payload": one.payload})
        self._asked(trace, job, job_id, key)
        assert trace["key"] in self.coverage.taken[trace["kind"]], trace["key"]

    # What both have

    def _begun(self, job: Job) -> tuple[Job, str]:
        self.jobs += 1
        self._last.clear()
        job_id = f"tour-{self.jobs}"
        agree(self.manager.create_job(job_id=job_id, **created_with(job)), job)
        self._illegal(job, job_id)
        return job, job_id

    def _step(self, job: Job, job_id: str, key: str | None, step: Trace) -> Job:
        """The job after a step, which both must take."""
        payload = filled(job.machine_of(key), step["event"], step["payload"])
        after = self._do(job, Event(step["event"], payload, key), job_id)
        assert isinstance(after, Job), (
            f"a step of the trace is refused by the module and by the definition: {step['event']}"
            f" {payload}, where {place_told(job)}"
        )
        self._note(after)
        self.steps += 1
        agree(self.manager.get_state(job_id), after)
        self._illegal(after, job_id)
        return after

    def _do(self, job: Job, event: Event, job_id: str) -> Outcome:
        """Ask it of both, and give the definition's outcome."""
        self._asked_of.append([event])
        after = do(self.manager, job, [event], job_id)
        if not isinstance(after, Job):
            self._asked_of.pop()
        return after

    def _note(self, job: Job) -> None:
        """Count the rows that were just taken, each after the one before it of the same machine."""
        for one in job.taken:
            row = self.definition.machines[one.machine].by_id(one.row)
            if row.ignored:
                self.coverage.taken["ignored"].add(
                    f"{one.machine}.ignored.{row.source}.{row.event}"
                )
                continue
            self.coverage.taken["row"].add(f"{one.machine}.row.{row.id}")
            before = self._last.get(one.key)
            if before is not None:
                self.coverage.taken["pair"].add(f"{one.machine}.pair.{before}+{row.id}")
            self._last[one.key] = row.id

    def _asked(self, trace: Trace, job: Job, job_id: str, key: str | None) -> None:
        """What is asked where a trace of a condition ends: the row that it takes, or none."""
        asked = trace.get("asked")
        if not asked:
            return
        payload = filled(job.machine_of(key), asked["event"], asked["payload"])
        event = Event(asked["event"], payload, key)
        if key is not None and asked["event"] not in job.collection_of(key).accepts.get(
            job.state, ()
        ):
            (event,) = _sending(job, key, asked["event"])[:1] or [event]
        after = self._do(job, event, job_id)
        self.steps += 1
        taken = [one.row for one in after.taken if one.key == key] if isinstance(after, Job) else []
        wanted = [asked["takes"]] if asked["takes"] else []
        assert taken == wanted, (
            f"asked for {asked_told([event])}, where {place_told(job)}, the definition takes"
            f" the rows {taken}, and the trace {wanted}"
        )
        if isinstance(after, Job):
            self._note(after)
            job = after
        agree(self.manager.get_state(job_id), job)
        self.coverage.taken["condition"].add(trace["key"])

    def _illegal(self, job: Job, job_id: str) -> None:
        """Try what has no row where the job and its members are, and what changes nothing."""
        for key in (None, *job.members):
            machine = job.machine_of(key)
            state = job.state if key is None else job.members[key].state
            for event in machine.events:
                accepted = key is None or job.accepts(key, event)
                rows = machine.of_pair(state, event)
                if rows and not rows[0].ignored and accepted:
                    continue
                where = (machine.name, state, event, "" if accepted else job.state)
                if where not in self._tried:
                    self._tried.add(where)
                    self._try(job, job_id, key, event)
                    if not rows:
                        self.coverage.taken["illegal"].add(
                            f"{machine.name}.illegal.{state}.{event}"
                        )

    def _try(self, job: Job, job_id: str, key: str | None, event: str) -> None:
        machine = job.machine_of(key)
        payload = filled(machine, event, {})
        if key is not None and job.collection_of(key).result is not None:
            brings, name = job.collection_of(key).result or ("", "")
            if brings == event and name in payload and machine.events[event][name].type == "json":
                payload[name] = {"of": "another"}
        after = self._do(job, Event(event, payload, key), job_id)
        if isinstance(after, Job):
            self._note(after)
            same = (after.state, after.context, after.members)
            assert same == (job.state, job.context, job.members), f"{event} was to change nothing"
        self.steps += 1
        agree(self.manager.get_state(job_id), job)


def _led(
    definition: Definition, collection: Collection, trace: Trace, seed: int
) -> tuple[Job, list[Event], str] | None:
    """A job with one member, and what is asked of both so that the member takes the trace.

    None if no such run was found.
    """
    name, machine, start = collection.name, collection.machine, trace["start"]
    chance = random.Random(seed)  # noqa: S311 no secret
    params = {each: params_for(of.machine, chance) for each, of in definition.collections.items()}
    params[""] = params_for(definition.root, chance)
    params[name] = {
        each: start[each] for each, variable in machine.variables.items() if variable.param
    }
    try:
        begun = Job.begun(definition, {name: ["1"]}, params)
    except Refused:
        return None
    key, acts, job = definition.key(name, "1"), list[Event](), begun
    for step in trace["steps"]:
        run = _run_to(job, key, step["event"], step["payload"])
        if run is None:
            return None
        for one in run:
            job = job.take([one])
            acts.append(one)
        if [one.row for one in job.taken if one.key == key] != [step["row"]]:
            return None
    asked = trace.get("asked")
    if asked:
        run = _run_to(job, key, asked["event"], asked["payload"], last=False)
        if run is None:
            return None
        acts += run
    return begun, acts, key


def _run_to(
    job: Job, key: str, event: str, payload: Mapping[str, Any], *, last: bool = True
) -> list[Event] | None:
    """The shortest run of the job itself to where the member takes the event, and the event.

    Without `last` it ends before the event. None if there is none among the first that are met.
    """
    collection, member = job.collection_of(key), job.members[key]
    event_itself = Event(event, filled(collection.machine, event, payload), key)
    queue, met = deque([(job, list[Event]())]), {_key_of(job)}
    while queue:
        at, run = queue.popleft()
        if at.accepts(key, event):
            return [*run, event_itself] if last else run
        sending = _sending(at, key, event)
        if sending:
            return [*run, sending[0]] if last else run
        for seed in range(_SEEDS):
            chance = random.Random(seed)  # noqa: S311 no secret
            for one in legal_events(at, chance, members=False):
                after = at.take([one])
                if after.members[key] == member and _key_of(after) not in met:
                    met.add(_key_of(after))
                    queue.append((after, [*run, one]))
        if len(met) > _LOOKED_AT:
            return None
    return None


def _sending(job: Job, key: str, event: str) -> list[Event]:
    """Events of the job that send this one to the member, where it is now."""
    collection, state = job.collection_of(key), job.members[key].state
    found = []
    for one in legal_events(job, random.Random(0), members=False):  # noqa: S311 no secret
        (taken,) = [each for each in job.take([one]).taken if each.key is None]
        row = job.definition.root.by_id(taken.row)
        if (collection.name, state, event) in row.members:
            found.append(one)
    return found


def _key_of(job: Job) -> Any:
    return (
        job.state,
        tuple(job.context.items()),
        tuple((member.state, tuple(member.context.items())) for member in job.members.values()),
    )


def _at_the_start(definition: Definition, trace: Trace) -> Job:
    """The job of a trace where it begins, with the members that are there."""
    start = trace["start"]
    members, params = {}, {}
    for name, collection in definition.collections.items():
        there = _numbered(start, name)
        members[name] = sorted(n for n in there if start[f"{name}[{n}].state"] != _ABSENT)
        wanted = [each for each, one in collection.machine.variables.items() if one.param]
        given = {each: start.get(f"{name}.{each}") for each in wanted}
        params[name] = given
        if len(params[name]) < len(wanted):
            params[name] = params_for(collection.machine, random.Random(0))  # noqa: S311
    wanted = [each for each, one in definition.root.variables.items() if one.param]
    params[""] = {each: start[each] for each in wanted}
    return Job.begun(definition, members, params)


def _numbered(values: Mapping[str, Any], collection: str) -> set[str]:
    """The numbers of the members of a collection that `values` tell of."""
    found = (_MEMBER.fullmatch(name) for name in values)
    return {match[2] for match in found if match is not None and match[1] == collection}


def _is_where(job: Job, step: Trace) -> None:
    """The job is where a step of the trace says."""
    subject = step["subject"]
    if not subject:
        _is("the job's state", job.state, step["state"], step)
    for name, value in step["changed"].items():
        match = _MEMBER.fullmatch(name)
        if match is None:
            _is(name, job.context[name], value, step)
            continue
        member = job.members[job.definition.key(match[1], match[2])]
        at = member.state if match[3] == "state" else member.context[match[3]]
        _is(name, at, value, step)


def _is(name: str, found: object, wanted: object, step: Trace) -> None:
    told = f"{name} after {step['event']} {dict(step['payload'])}"
    assert found == wanted, f"{told} is {found!r} by the definition, and {wanted!r} by the trace"
