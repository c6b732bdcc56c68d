"""A job as a plain value: one dictionary entry a member, one step of the table at a time.

What is compared with it keeps members in sets by their state and context, and moves many at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from milepost import ItemEvent, JobEvent, JobState, StateManager, TransitionRefused
from milepost.machine import Lifecycle, Machine

__all__ = ["Act", "Member", "Model", "act", "agree", "following", "refused"]

Act: TypeAlias = "tuple[JobEvent | ItemEvent, ...]"
"""What is asked for in one commit."""

_PARTS = ("waiting", "held", "done", "failed", "dead", "skipped")


class Member(NamedTuple):
    """One item: of which collection, in which state, with which context."""

    collection: str
    state: str
    context: Mapping[str, Any]


@dataclass
class Model:
    """What a job of any lifecycle must be like after each step."""

    lifecycle: Lifecycle
    phase: str
    context: dict[str, Any]
    members: dict[str, Member]
    params: Mapping[str, Mapping[str, Any]]
    results: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    variables: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def begun(
        lifecycle: Lifecycle,
        items: Mapping[str, Iterable[str]],
        params: Mapping[str, Mapping[str, Any]],
    ) -> Model:
        """A new job; `items` are keys by collection, `params` parameters by machine."""
        root = lifecycle.machines[lifecycle.root]
        several = len(lifecycle.collections) > 1
        members = {}
        for name, collection in lifecycle.collections.items():
            machine = lifecycle.machines[collection.machine]
            context = _own(machine, machine.context(**params.get(machine.name, {})))
            for key in items.get(name, ()):
                members[f"{name}/{key}" if several else key] = Member(
                    name, machine.initial, context
                )
        context = _own(root, root.context(**params.get(root.name, {})))
        return Model(lifecycle, root.initial, context, members, params)

    @property
    def root(self) -> Machine:
        """The machine of the job itself."""
        return self.lifecycle.machines[self.lifecycle.root]

    def machine_of(self, key: str) -> Machine:
        """The machine of one item."""
        collection = self.lifecycle.collections[self.members[key].collection]
        return self.lifecycle.machines[collection.machine]

    def seen(self) -> dict[str, Any]:
        """What the job's guards read: its context, and how many members are in which state."""
        counts = {name: 0 for name in self.root.entries if not name.startswith("history.")}
        for member in self.members.values():
            counts[f"{member.collection}.{member.state}"] += 1
            counts[f"{member.collection}.total"] += 1
        return {**self.context, **counts}

    def accepts(self, key: str) -> tuple[str, ...]:
        """The events that the job takes of that item now."""
        collection = self.lifecycle.collections[self.members[key].collection]
        return collection.accepts.get(self.phase, ())

    def take(self, act: Act) -> Model:
        """The job after `act`. Raises TransitionRefused, and this one is as it was in any case."""
        after = copy.copy(self)
        after.members, after.results = dict(self.members), dict(self.results)
        after.variables = dict(self.variables)
        for request in act:
            if isinstance(request, JobEvent):
                after._fire(request)
            else:
                after._record(request)
        return after

    def _fire(self, request: JobEvent) -> None:
        payload = self.root.payload(request.event, request.payload)
        step = self.root.step(self.phase, request.event, self.seen(), payload)
        before = dict(self.members)
        for sent in step.members:
            for key, member in before.items():
                if (member.collection, member.state) == (sent.collection, sent.state):
                    self._step(key, sent.event, {})
        role = self.root.roles.result
        if role is not None and role.event == request.event:
            self.result = payload.get(role.field)
        for set_by in self.root.roles.variables:
            if set_by.event == request.event:
                self.variables.update(payload[set_by.field])
        self.phase, self.context = step.state, _own(self.root, step.context)

    def _record(self, request: ItemEvent) -> None:
        key = str(request.item)
        machine = self.machine_of(key)
        payload = machine.payload(request.event, request.payload)
        role = machine.roles.result
        is_result = role is not None and role.event == request.event
        if is_result and self.members[key].state in machine.roles.done:
            assert role is not None
            if not role.field or self.results[key] == payload[role.field]:
                return  # the same result again
        if request.event not in self.accepts(key):
            raise machine.refusal(self.members[key].state, request.event, {}, payload, "not now")
        self._step(key, request.event, payload)
        if is_result and role is not None:
            self.results[key] = payload[role.field] if role.field else None

    def _step(self, key: str, event: str, payload: Mapping[str, Any]) -> None:
        machine, member = self.machine_of(key), self.members[key]
        step = machine.step(member.state, event, member.context, machine.payload(event, payload))
        self.members[key] = Member(member.collection, step.state, step.context)
        if step.state not in machine.roles.done:
            self.results.pop(key, None)  # what it gave was taken back

    def part(self, key: str) -> str:
        """The one part of a plan or of the progress that the item is in."""
        roles, state = self.machine_of(key).roles, self.members[key].state
        for name in _PARTS:
            if state in getattr(roles, name):
                return name
        return "ended" if state in self.machine_of(key).final else "unassigned"

    def parts(self) -> dict[str, set[str]]:
        """The items by the part that they are in."""
        found: dict[str, set[str]] = {}
        for key in self.members:
            found.setdefault(self.part(key), set()).add(key)
        return found


def _own(machine: Machine, context: Mapping[str, Any]) -> dict[str, Any]:
    """`context` without the counts of members."""
    counted = {name for name in machine.entries if not name.startswith("history.")}
    return {name: value for name, value in context.items() if name not in counted}


def following(model: Model, state: JobState) -> Model:
    """The job of `model` as it is found in `state`: its results are those that it had."""
    members = {}
    for key in model.members:
        member, context = state.item(key)
        members[key] = Member(model.members[key].collection, member, context)
    return replace(
        model,
        phase=state.phase,
        context=dict(state.context),
        members=members,
        variables=dict(state.variables),
    )


def act(manager: StateManager, job_id: str, asked: Act) -> JobState:
    """`asked` of the job, in one commit: fired if it is one event of the job alone."""
    if len(asked) == 1 and isinstance(asked[0], JobEvent):
        return manager.fire(job_id, asked[0].event, asked[0].payload)
    return manager.record(job_id, [one for one in asked if isinstance(one, ItemEvent)])


def agree(state: JobState, model: Model) -> None:
    """The state of the job is that of the model, in all that is asked of it."""
    assert state.phase == model.phase
    assert dict(state.context) == model.context
    assert state.variables == model.variables
    assert state.items.count == len(model.members)
    for ordinal, (key, member) in enumerate(model.members.items()):
        assert state.inputs.key(ordinal) == key
        assert state.item(key) == (member.state, member.context)
        assert state.collection_of(ordinal) == member.collection
    parts = model.parts()
    for name in (*_PARTS, "ended", "unassigned"):
        found = {state.inputs.key(ordinal) for ordinal in getattr(state, name)}
        assert found == parts.get(name, set()), name
    progress, counted = state.progress, {name: len(keys) for name, keys in parts.items()}
    assert (progress.total, progress.pending, progress.running) == (
        len(model.members),
        counted.get("waiting", 0),
        counted.get("held", 0),
    )
    assert [progress.done, progress.failed, progress.dead, progress.skipped, progress.ended] == [
        counted.get(name, 0) for name in ("done", "failed", "dead", "skipped", "ended")
    ]
    assert progress.other == counted.get("ended", 0) + counted.get("unassigned", 0)
    assert progress.left == len(model.members) - sum(
        counted.get(name, 0) for name in ("done", "dead", "skipped", "ended")
    )
    assert state.finished == (model.phase in model.root.final)
    assert state.allowed() == model.root.enabled(model.phase, model.seen())
    for key in model.members:
        machine = model.machine_of(key)
        for event in machine.events:
            takes = event in model.accepts(key) and event in machine.enabled(
                model.members[key].state, model.members[key].context
            )
            if not machine.uses_payload(model.members[key].state, event):
                assert (state.inputs.ordinal(key) in state.takers(event)) == takes, (key, event)


def refused(model: Model, asked: Act) -> bool:
    """True if the table does not allow it."""
    try:
        model.take(asked)
    except TransitionRefused:
        return True
    return False
