"""A name that changes everywhere but in `roles` is a finding, for every name of the lifecycle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest

from milepost.lifecycles import mapreduce
from milepost.roles import Outcome, Roles
from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError, Findings
from milepost_codegen.source import read_source

from .lifecycles import ROOT

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BY_STATE = ("phases", "resume", "outcomes")  # the roles whose keys are names


def definition() -> Any:
    path = ROOT / "statemachine.yaml"
    source = read_source(path.read_bytes(), path.name, Findings())
    assert source is not None
    return source.data


def names(data: Any) -> Iterator[tuple[str, str]]:
    """The kind and the name of all that has a name in the definition."""
    for enum, members in data["enums"].items():
        yield "enum", enum
        yield from (("member", one) for one in members)
    for name, machine in data["machines"].items():
        yield "machine", name
        kinds = {
            "state": "states",
            "group": "groups",
            "collection": "collections",
            "event": "events",
            "variable": "context",
            "guard": "guards",
        }
        for kind, key in kinds.items():
            yield from ((kind, one) for one in machine.get(key, {}))
        for event in machine["events"].values():
            yield from (("field", one) for one in event.get("payload", {}))


NAMES = sorted(set(names(definition())))


def renamed(data: Any, old: str, new: str, *, roles: bool) -> Any:
    """The definition with another name for `old`, wherever it stands; in roles only if asked."""
    if isinstance(data, dict):
        return {
            word(key, old, new): value
            if key == "doc" or (key == "roles" and not roles)
            else named(value, old, new)
            if key == "roles"
            else renamed(value, old, new, roles=roles)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [renamed(one, old, new, roles=roles) for one in data]
    return word(data, old, new)


def named(data: Any, old: str, new: str, *, keys: bool = False) -> Any:
    """Roles with another name for `old`; of the keys only those that are states."""
    if isinstance(data, dict):
        return {
            (word(key, old, new) if keys else key): named(value, old, new, keys=key in BY_STATE)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [named(one, old, new) for one in data]
    return word(data, old, new)


def word(text: Any, old: str, new: str) -> Any:
    if not isinstance(text, str):
        return text
    return WORD.sub(lambda found: new if found[0] == old else found[0], text)


def named_in_roles(data: Any) -> set[str]:
    """All names that the roles of the definition name."""
    found: set[str] = set()

    def collect(value: Any, *, keys: bool = False) -> None:
        if isinstance(value, dict):
            found.update(value if keys else ())
            for key, inner in value.items():
                collect(inner, keys=key in BY_STATE)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        else:
            found.update(WORD.findall(str(value)))

    for machine in data["machines"].values():
        collect(machine["roles"])
    return found


def roles_of(data: Any) -> dict[str, Roles]:
    lifecycle = compile_definition(json.dumps(data, indent=1).encode(), "r.yaml").lifecycle
    found = {one.name: one.roles for one in lifecycle.machines}
    return {name: one.roles for name, one in found.items() if one is not None}


def told(value: Any, old: str = "", new: str = "") -> Any:
    """What a role holds as plain data, with another name for `old`."""
    if isinstance(value, Mapping):
        return {word(key, old, new): told(inner, old, new) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [told(inner, old, new) for inner in value]
    return value if isinstance(value, Outcome) else word(value, old, new)


DATA = definition()
IN_ROLES = named_in_roles(DATA)


@pytest.mark.parametrize("name", sorted({name for _, name in NAMES}))
def test_a_name_that_changes_everywhere_but_in_roles_is_a_finding(name: str) -> None:
    """Where a role names it; where none does, the lifecycle compiles, and roles follow the rows."""
    changed = renamed(DATA, name, f"other_{name}", roles=False)
    if name not in IN_ROLES:
        machines = {word(one, name, f"other_{name}") for one in DATA["machines"]}
        assert set(roles_of(changed)) == machines
        return
    with pytest.raises(DefinitionError) as caught:
        roles_of(changed)
    found = caught.value.findings
    assert {one.code for one in found} <= {"E202", "E203", "E205", "E208"}
    assert all(f"'{name}'" in one.message for one in found)
    text = json.dumps(changed, indent=1).splitlines()
    heads = [index for index, line in enumerate(text, start=1) if line == '   "roles": {']
    assert all(any(head < one.place.line for head in heads) for one in found)


@pytest.mark.parametrize("name", sorted({name for _, name in NAMES}))
def test_a_name_that_changes_everywhere_is_no_finding(name: str) -> None:
    """The roles are the same by the new name."""
    changed = roles_of(renamed(DATA, name, f"other_{name}", roles=True))
    before = {one: machine.roles for one, machine in mapreduce.LIFECYCLE.machines.items()}
    for machine, roles in before.items():
        now = changed[word(machine, name, f"other_{name}")]
        for part in fields(Roles):
            expected = told(getattr(roles, part.name), name, f"other_{name}")
            assert told(getattr(now, part.name)) == expected


def test_most_names_of_events_and_states_are_named_in_roles() -> None:
    """The control: what the tests above are about is not empty."""
    by_kind = {kind: {name for one, name in NAMES if one == kind} & IN_ROLES for kind, _ in NAMES}
    assert len(by_kind["event"]) > 15
    assert {"setup", "map", "reduce", "paused", "failed"} <= by_kind["state"]
    assert by_kind["variable"] == {
        "attempts", "max_attempts", "suspect", "crashes", "max_crashes", "permanent", "deferred",
        "noted", "redone",
    }  # fmt: skip
    assert {"result", "cause", "message", "lost", "reason", "variables"} <= by_kind["field"]
    assert by_kind["member"] >= {"error", "timeout", "executor_lost"}
    assert not by_kind["guard"]
