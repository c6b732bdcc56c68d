"""Jobs of lifecycles of any shape against a model that steps one member at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, JobState, StateManager
from milepost.errors import ItemsRefused, RecordConflict, TransitionRefused
from milepost.machine import Lifecycle, Machine
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import APPROVAL, SHIPPING, compiled, edited

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))

LINES_ONLY = edited(
    SHIPPING,
    ("lifecycle: shipping", "lifecycle: lines_only"),
    (SHIPPING[SHIPPING.index("  parcel:\n") : SHIPPING.index("  order:\n")], ""),
    (
        SHIPPING[
            SHIPPING.index("      parcels:\n        mach") : SHIPPING.index(
                "    events:\n      pick"
            )
        ],
        "",
    ),
    ("      parcels_done: parcels.waiting + parcels.moving == 0\n", ""),
    ("lines_done and parcels_done", "lines_done"),
    (", parcels: {waiting: burn, moving: burn}", ""),
)
"""The order of SHIPPING with one collection."""

TWINS = edited(
    LINES_ONLY,
    ("lifecycle: lines_only", "lifecycle: twins"),
    (
        "      lines:\n        machine: line\n",
        (
            "      gifts: {machine: line, accepts: {sent: [pack, pack_done, miss, again, drop]}}\n"
            "      lines:\n        machine: line\n"
        ),
    ),
    ("{lines: {open: drop", "{gifts: {open: drop}, lines: {open: drop"),
)
"""Two collections of one machine, which the owner accepts different things of."""

Asked: TypeAlias = tuple[type[Exception] | None, Callable[[], JobState]]
"""The error that a request should meet, None for none, and the request."""

SHAPES = {
    "none": compiled(APPROVAL),
    "one": compiled(LINES_ONLY),
    "two": compiled(SHIPPING),
    "twins": compiled(TWINS),
}


@dataclass
class Member:
    collection: str
    key: str
    state: str
    context: Any
    result: Any = None


@dataclass
class Model:
    """What a job is, one member after the other, by the tables alone."""

    lifecycle: Lifecycle
    phase: str
    context: dict[str, Any]
    members: list[Member] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(lifecycle: Lifecycle) -> Model:
        root = lifecycle.machines[lifecycle.root]
        context = {n: v for n, v in root.context().items() if "." not in n}
        return Model(lifecycle, root.initial, context)

    @property
    def root(self) -> Machine:
        return self.lifecycle.machines[self.lifecycle.root]

    def machine(self, collection: str) -> Machine:
        return self.lifecycle.machines[self.lifecycle.collections[collection].machine]

    def add(self, collection: str, keys: list[str]) -> None:
        machine = self.machine(collection)
        prefix = f"{collection}/" if len(self.lifecycle.collections) > 1 else ""
        self.members += [
            Member(collection, prefix + key, machine.initial, dict(machine.context()))
            for key in keys
        ]

    def take(self, member: Member, event: str, payload: dict[str, Any], *, done: bool) -> None:
        """One event of one member, which was `done` before. Raises as the manager should."""
        machine = self.machine(member.collection)
        role = machine.roles.result
        if role and event == role.event and done:
            if payload[role.field] != member.result:
                raise RecordConflict(job_id="", item="", recorded_digest="", digest="")
            return
        accepted = self.lifecycle.collections[member.collection].accepts.get(self.phase, ())
        if event not in accepted:
            raise machine.refusal(member.state, event, member.context, payload)
        step = machine.step(member.state, event, member.context, payload)
        member.state, member.context = step.state, step.context
        if role and event == role.event:
            member.result = payload[role.field]

    def fire(self, event: str, payload: dict[str, Any]) -> None:
        counts: dict[str, int] = {}
        for name in self.lifecycle.collections:
            mine = [m.state for m in self.members if m.collection == name]
            counts |= {f"{name}.{s}": mine.count(s) for s in self.machine(name).states}
            counts[f"{name}.total"] = len(mine)
        step = self.root.step(self.phase, event, {**self.context, **counts}, payload)
        for sent in step.members:
            machine = self.machine(sent.collection)
            for member in self.members:
                if (member.collection, member.state) == (sent.collection, sent.state):
                    after = machine.step(member.state, sent.event, member.context, {})
                    member.state, member.context = after.state, after.context
        self.phase = step.state
        self.context = {n: v for n, v in step.context.items() if n not in counts}
        for named, name in self.root.roles.variables:
            if named == event:
                self.variables |= payload[name]

    def grows(self, collection: str) -> bool:
        machine = self.machine(collection)
        accepts = self.lifecycle.collections[collection].accepts.get(self.phase, ())
        return self.phase not in self.root.final and (
            self.phase == self.root.initial or set(machine.allowed(machine.initial)) <= {*accepts}
        )

    def refuses(self, steps: list[Callable[[], None]]) -> type[Exception] | None:
        """Take all of `steps`; or none, and the error that one of them gives."""
        kept = [replace(member) for member in self.members]
        others = self.phase, self.context, dict(self.variables)
        try:
            for step in steps:
                step()
        except (TransitionRefused, RecordConflict) as error:
            for member, before in zip(self.members, kept, strict=True):
                vars(member).update(vars(before))
            self.phase, self.context, self.variables = others
            return type(error)
        return None

    def seen(self) -> Any:
        members = [(m.key, m.state, dict(m.context)) for m in self.members]
        return self.phase, dict(self.context), dict(self.variables), members


def payload_of(machine: Machine, event: str, draw: Any, *, root: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for part in machine.event_specs[event].fields:
        if part.members:
            payload[part.name] = draw(st.sampled_from(part.members))
        elif part.type in ("int", "json"):
            payload[part.name] = draw(st.integers(1, 2))
        else:
            payload[part.name] = "text"
        if root and (event, part.name) in machine.roles.variables:
            payload[part.name] = {"v": payload[part.name]}
    return payload


def seen(state: JobState) -> Any:
    """A state as the model is seen."""
    members = []
    for ordinal in range(state.items.count):
        name, context = state.items.member(ordinal)
        members.append((state.inputs.key(ordinal), name, dict(context)))
    return state.phase, dict(state.context), dict(state.variables), members


def check_parts(model: Model, state: JobState) -> None:
    """The sets by role are a partition, and each is what the states of the members say."""
    parts = ("waiting", "held", "done", "failed", "dead", "skipped", "ended", "unassigned")
    found = [ordinal for name in parts for ordinal in getattr(state, name)]
    assert sorted(found) == list(range(len(model.members)))
    for name in parts[:6]:
        expected = [
            ordinal
            for ordinal, member in enumerate(model.members)
            if member.state in getattr(model.machine(member.collection).roles, name)
        ]
        assert list(getattr(state, name)) == expected
    takers = {ordinal for _, hit in state.takers_of("begin") for ordinal in hit}
    assert takers == {
        ordinal
        for ordinal, member in enumerate(model.members)
        for machine in (model.machine(member.collection),)
        if machine.roles.begin in machine.enabled(member.state, member.context)
        and machine.roles.begin
        in model.lifecycle.collections[member.collection].accepts.get(model.phase, ())
    }
    for ordinal, member in enumerate(model.members):
        assert state.collection_of(ordinal) == member.collection


class Trial:
    """One job and its model, which take the same requests."""

    def __init__(self, lifecycle: Lifecycle, draw: Any) -> None:
        self.lifecycle, self.draw = lifecycle, draw
        self.model = Model.of(lifecycle)
        self.keys = iter(map(str, range(1000)))
        self.lists = {
            name: [next(self.keys) for _ in range(draw(st.integers(0, 4)))]
            for name in lifecycle.collections
        }
        for name, listed in self.lists.items():
            self.model.add(name, listed)
        self.store, self.clock = open_store("memory:"), FakeClock()
        self.manager = self.opened()
        given = self.lists if draw(st.booleans()) else dict(reversed(self.lists.items()))
        self.state = self.manager.create_job(collections=given, job_id="job")
        self.past = {1: self.model.seen()}

    def opened(self) -> StateManager:
        return StateManager(self.store, lifecycle=self.lifecycle, clock=self.clock)

    def act(self) -> None:
        """One request of the job, and the same of the model."""
        kinds = ["fire", "fire", "checkpoint", "reopen"]
        kinds += ["record"] * 6 if self.model.members else []
        kinds += ["add"] if self.lifecycle.collections else []
        kind = self.draw(st.sampled_from(kinds))
        expected, request = getattr(self, kind)()
        if expected is None:
            self.state = request()
        else:
            with pytest.raises(expected):
                request()
            self.state = self.manager.get_state("job")
        assert seen(self.state) == self.model.seen()
        check_parts(self.model, self.state)
        self.past[self.state.seq] = self.model.seen()

    def fire(self) -> Asked:
        root = self.model.root
        event = self.draw(st.sampled_from(root.events))
        payload = payload_of(root, event, self.draw, root=True)
        refused = self.model.refuses([partial(self.model.fire, event, payload)])
        return refused, partial(self.manager.fire, "job", event, payload)

    def record(self) -> Asked:
        events, steps = [], []
        for _ in range(self.draw(st.integers(1, 4))):
            ordinal = self.draw(st.integers(0, len(self.model.members) - 1))
            member = self.model.members[ordinal]
            machine = self.model.machine(member.collection)
            event = self.draw(st.sampled_from(machine.events))
            payload = payload_of(machine, event, self.draw, root=False)
            named = self.draw(st.sampled_from([ordinal, member.key]))
            events.append(ItemEvent(named, event, payload))
            done = member.state in machine.roles.done
            steps.append(partial(self.model.take, member, event, payload, done=done))
        return self.model.refuses(steps), partial(self.manager.record, "job", events)

    def add(self) -> Asked:
        name = self.draw(st.sampled_from(list(self.lifecycle.collections)))
        more = [next(self.keys) for _ in range(self.draw(st.integers(0, 2)))]
        request = partial(self.manager.add_items, "job", more, collection=name)
        if not self.model.grows(name):
            return ItemsRefused, request
        self.model.add(name, more)
        return None, request

    def checkpoint(self) -> Asked:
        self.manager.create_checkpoint("job")
        return None, partial(self.manager.get_state, "job")

    def reopen(self) -> Asked:
        self.manager = self.opened()
        return None, partial(self.manager.get_state, "job")

    def end(self) -> None:
        """What was read at any time can be read again, here and in a fork, and all is sound."""
        assert all(found.sound for found in self.manager.verify())
        seq = self.draw(st.sampled_from(sorted(self.past)))
        assert seen(self.manager.state_at("job", seq)) == self.past[seq]
        assert seen(self.manager.fork("job", seq, "fork")) == self.past[seq]
        fresh = self.opened()
        assert fresh.get_state("job") == self.state
        assert all(found.sound for found in fresh.verify())
        more = len(self.model.members) > sum(map(len, self.lists.values()))
        verdict = fresh.compare_inputs("job", collections=self.lists).verdict
        assert verdict == ("shrank" if more else "same")


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=35 * SOAK, deadline=None)
@given(data=st.data())
def test_whatever_happens_to_a_job(shape: str, data: st.DataObject) -> None:
    """Each write does what the model does, or is refused as there; every state is read back."""
    trial = Trial(SHAPES[shape], data.draw)
    for _ in range(data.draw(st.integers(1, 12))):
        trial.act()
    trial.end()


def test_the_model_tells_a_difference() -> None:
    """A member that is not where the model has it is found: the trial can fail."""
    trial = Trial(SHAPES["two"], lambda _: 1)
    check_parts(trial.model, trial.state)
    trial.model.members[1].collection = "lines"
    with pytest.raises(AssertionError):
        check_parts(trial.model, trial.state)
    trial.model.members[1].state = "packed"
    trial.past[1] = trial.model.seen()
    with pytest.raises(AssertionError):
        trial.end()
