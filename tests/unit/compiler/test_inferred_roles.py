"""Roles of random definitions: what is inferred agrees with an independent reading of the rows."""

from __future__ import annotations

import ast
import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.roles import NO_ROLES, Outcome, Roles
from milepost_codegen.compiler import compile_definition
from milepost_codegen.definition import read_definition
from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.findings import DefinitionError, Findings
from milepost_codegen.model import Lifecycle, MachineRoles
from milepost_codegen.python import emit_python
from milepost_codegen.resolve import resolve
from milepost_codegen.source import read_source

Data = dict[str, Any]
STATES = ["s0", "s1", "s2", "s3", "end", "gone"]
FINAL = {"end", "gone"}
EVENTS = ["e0", "e1", "e2", "e3", "e4", "e5"]
OF_STATES = ("waiting", "held", "done", "failed", "dead", "skipped")
MEMBER_EVENTS = ("begin", "result", "failure", "retry", "give_up", "requeue", "skip", "lost")
OWNER_EVENTS = ("pause", "cancel", "result", "failure", "recover")

rows = st.lists(
    st.builds(
        lambda source, event, target: {"from": source, "on": event, "to": target},
        st.sampled_from([*STATES[:4], "early", ["s0", "s2"]]),
        st.sampled_from(EVENTS),
        st.sampled_from(STATES),
    ),
    min_size=3,
    max_size=14,
    unique_by=lambda row: (str(row["from"]), row["on"], row["to"]),
)
"""Rows from states, groups and several states; some pairs have several, which may overlap."""
events = st.sampled_from(EVENTS)
some_states = st.lists(st.sampled_from(STATES), min_size=1, max_size=2, unique=True)


def machine(transitions: list[Data], roles: Data) -> Data:
    return {
        "initial": "s0",
        "states": {name: {"final": True} if name in FINAL else {} for name in STATES},
        "groups": {"early": ["s0", "s1"]},
        "events": {name: {"payload": {"data": {"type": "json", "default": {}}}} for name in EVENTS},
        "transitions": transitions,
        "ignored": [{"in": "end", "on": [EVENTS[0]]}],
        "roles": roles,
    }


@st.composite
def definitions(draw: st.DrawFn) -> Data:
    """An owner of members, both with random rows and roles."""
    member: Data = {key: draw(events) for key in MEMBER_EVENTS if draw(st.booleans())}
    for key in OF_STATES:
        if draw(st.integers(0, 4)) == 0:
            member[key] = draw(some_states)
    owner: Data = {key: draw(events) for key in OWNER_EVENTS if draw(st.booleans())}
    owner["phases"] = draw(st.dictionaries(st.sampled_from(STATES[:4]), events, max_size=3))
    owner["resume"] = draw(st.dictionaries(st.sampled_from(STATES[:4]), events, max_size=2))
    owner["variables"] = draw(st.lists(events, min_size=1, max_size=3, unique=True))
    if draw(st.booleans()):
        owner["paused"] = draw(some_states)
    outcomes = st.sampled_from([str(outcome) for outcome in Outcome])
    owner["outcomes"] = draw(st.dictionaries(st.sampled_from(STATES), outcomes, max_size=2))
    accepts = st.dictionaries(
        st.sampled_from(STATES[:4]), st.lists(events, min_size=1, unique=True), max_size=3
    )
    boss = machine(draw(rows), owner)
    boss["collections"] = {
        "parts": {"machine": "part", "accepts": draw(accepts)},
        "more": {"machine": "part", "accepts": draw(accepts)},
    }
    return {
        "lifecycle": "any",
        "version": 1,
        "machines": {"part": machine(draw(rows), member), "boss": boss},
    }


def resolved(data: Data) -> Lifecycle:
    """The lifecycle as resolved, whatever the checks would say of it."""
    findings = Findings()
    source = read_source(json.dumps(data).encode(), "any.yaml", findings)
    assert source is not None
    written = read_definition(source, findings)
    assert written is not None
    found = resolve(written, source, findings).lifecycle
    assert not findings.fatal, findings.sorted()
    return found


def roles_of(lifecycle: Lifecycle, name: str) -> MachineRoles:
    found = next(one.roles for one in lifecycle.machines if one.name == name)
    assert found is not None
    return found


class Reading:
    """A machine's rows as a person would read them off the definition, state by state."""

    def __init__(self, data: Data) -> None:
        self.roles = data["roles"]
        self.aside: set[str] = set()
        spread = {"early": ["s0", "s1"]}
        self.rows = [
            (state, row["on"], row["to"])
            for row in data["transitions"]
            for name in (row["from"] if isinstance(row["from"], list) else [row["from"]])
            for state in spread.get(name, [name])
        ]

    def enters(self, role: str, state: str) -> bool:
        return any(on == self.roles.get(role) and to == state for _, on, to in self.rows)

    def leaves(self, role: str, state: str) -> bool:
        return any(on == self.roles.get(role) and from_ == state for from_, on, _ in self.rows)

    def role_of(self, state: str) -> str:
        """The role of a member's state."""
        for role in OF_STATES:
            if state in self.roles.get(role, ()):
                return role
        for role, holds in self._by_the_rows(state):
            if holds and role not in self.roles:
                return role
        return ""

    def _by_the_rows(self, state: str) -> list[tuple[str, bool]]:
        decided = "retry" in self.roles or "give_up" in self.roles
        again = self.leaves("begin", state) or self.leaves("retry", state)
        return [
            ("held", self.enters("begin", state)),
            ("done", self.enters("result", state)),
            ("skipped", self.enters("skip", state)),
            ("dead", self.enters("give_up", state)),
            ("dead", "give_up" not in self.roles and self.leaves("requeue", state) and not again),
            ("dead", self.enters("failure", state) and state in FINAL),
            ("waiting", self.leaves("begin", state)),
            ("failed", decided and (self.leaves("retry", state) or self.leaves("give_up", state))),
            ("failed", not decided and self.enters("failure", state)),
        ]

    def outcome_of(self, state: str) -> str:
        """How a job that is in a state of the owner has ended."""
        if state in self.roles["outcomes"]:
            return str(self.roles["outcomes"][state])
        final = state in FINAL
        ways = {
            "succeeded": final and self.enters("result", state),
            "failed": (final or state in self.roles["resume"]) and self.enters("failure", state),
            "cancelled": final and self.enters("cancel", state),
        }
        said = [outcome for outcome, holds in ways.items() if holds]
        return said[0] if len(said) == 1 else ""


@given(definitions())
@settings(max_examples=80, deadline=None)
def test_inference_agrees_with_a_reading_of_the_rows(data: Data) -> None:
    """Every state of members, every outcome, what rests, what is worked, what sets variables."""
    found = resolved(data)
    part, boss = roles_of(found, "part"), roles_of(found, "boss")
    reading = Reading(data["machines"]["part"])
    written = {role: set(states) for role in OF_STATES if (states := reading.roles.get(role))}
    for state in STATES:
        has = {role for role in OF_STATES if state in getattr(part.roles, role)}
        twice = {role for role, states in written.items() if state in states}
        assert has == (twice or {reading.role_of(state)} - {""}), state
    for role in OF_STATES:
        states = getattr(part.roles, role)
        assert list(states) == [state for state in STATES if state in states]
        assert (role in part.inferred) == (bool(states) and role not in written)
    owner = Reading(data["machines"]["boss"])
    for state in STATES:
        assert boss.roles.outcomes.get(state, "") == owner.outcome_of(state), state
    worked = set(owner.roles["phases"])
    rests = {one for one in STATES if owner.enters("pause", one)} - worked
    assert set(boss.roles.paused) == set(owner.roles.get("paused") or rests)
    begin = reading.roles.get("begin")
    collections = data["machines"]["boss"]["collections"]
    for phase in boss.roles.phases:
        works = [
            name
            for name, one in collections.items()
            if begin and begin in one["accepts"].get(phase.state, ())
        ]
        assert list(phase.works) == works
    assert list(boss.roles.working) == list(owner.roles["phases"])
    staying = [
        event
        for event in owner.roles["variables"]
        if (own := [row for row in owner.rows if row[1] == event])
        and all(from_ == to for from_, _, to in own)
    ]
    setting = boss.roles.set_variables
    assert (setting.event if setting else None) == (staying[0] if staying else None)


def test_a_wrong_reading_is_told() -> None:
    """The control: a reading by another event than the one that is named says otherwise."""
    rows = [
        {"from": "s0", "on": "e0", "to": "s1"},
        {"from": "s1", "on": "e1", "to": "end"},
    ]
    part, boss = machine(rows, {"begin": "e0", "result": "e1"}), machine(rows, {})
    boss["collections"] = {"parts": {"machine": "part"}}
    data = {"lifecycle": "any", "version": 1, "machines": {"part": part, "boss": boss}}
    found = roles_of(resolved(data), "part").roles
    assert (found.waiting, found.held, found.done) == (("s0",), ("s1",), ("end",))
    assert [Reading(part).role_of(state) for state in ("s0", "s1", "end")] == [
        "waiting", "held", "done",
    ]  # fmt: skip
    part["roles"]["begin"] = "e1"
    assert Reading(part).role_of("s0") == ""


def without_roles(text: str) -> str:
    """The tree of a generated module, all that is said of roles taken out."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [one for one in node.keywords if one.arg != "roles"]
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and node.module == "milepost")
    ]
    return ast.dump(tree)


@given(definitions())
@settings(max_examples=15, deadline=None)
def test_roles_change_no_digest_and_no_step(data: Data) -> None:
    """With them and without, the module is the same but for what it says of roles."""
    bare = copy.deepcopy(data)
    for one in bare["machines"].values():
        del one["roles"]
    with_roles, without = resolved(data), resolved(bare)
    assert digest_of_meaning(with_roles) == digest_of_meaning(without)
    told, plain = emit_python(with_roles), emit_python(without)
    assert "roles" in told
    assert "roles" not in plain
    assert without_roles(told) == without_roles(plain) == ast.dump(ast.parse(plain))


@given(definitions())
@settings(max_examples=30, deadline=None)
def test_the_checks_answer_whatever_the_roles(data: Data) -> None:
    """Contradictory or not, with a place in the file for each finding."""
    try:
        compile_definition(json.dumps(data, indent=1).encode(), "any.yaml")
    except DefinitionError as problem:
        assert all(one.place.line > 1 for one in problem.findings)
        assert str(problem)


def test_without_roles_there_are_none() -> None:
    """Nothing is inferred from nothing, and an empty section says nothing."""
    data: Data = {"lifecycle": "any", "version": 1, "machines": {"part": machine([], {})}}
    found = roles_of(resolved(data), "part")
    assert found.roles == NO_ROLES == Roles()
    assert not found.inferred
    data["machines"]["part"]["roles"] = None
    assert resolved(data).machines[0].roles is None


def ways_to(reading: Reading, goal: str, without: set[str]) -> bool:
    """True if some walk from the beginning comes to `goal`, and through none of `without`."""

    def walk(state: str, before: tuple[str, ...]) -> bool:
        if state in without:
            return False
        return state == goal or any(
            walk(to, (*before, state))
            for from_, on, to in reading.rows
            if from_ == state and to not in before and on not in reading.aside
        )

    return walk("s0", ())


@given(definitions())
@settings(max_examples=60, deadline=None)
def test_phases_are_out_of_order_where_no_walk_follows_them(data: Data) -> None:
    """Walked one by one: ways that need a phase which is listed later, and no others."""
    boss = data["machines"]["boss"]
    boss["roles"] = {"phases": boss["roles"]["phases"], "resume": boss["roles"]["resume"]}
    data["machines"]["part"]["roles"] = {}
    reading = Reading(boss)
    reading.aside = set(boss["roles"]["resume"].values())
    phases = list(boss["roles"]["phases"])
    expected = {
        state
        for index, state in enumerate(phases)
        if ways_to(reading, state, set()) and not ways_to(reading, state, set(phases[index + 1 :]))
    }
    found: set[str] = set()
    try:
        compile_definition(json.dumps(data).encode(), "any.yaml")
    except DefinitionError as problem:
        found = {one.message.split("'")[1] for one in problem.findings if one.code == "E708"}
    assert found == expected
