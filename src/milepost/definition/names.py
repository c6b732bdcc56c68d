"""The names in a definition: each must be there, stand where it may, and mean one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from milepost.definition.earlier import check_earlier_names, check_migrations
from milepost.definition.notation import OPAQUE, READABLE, groups_of, target_of
from milepost.definition.problems import (
    NotUnderstood,
    Path,
    all_known,
    known,
    once,
    places,
    within,
)
from milepost.definition.roles import check_roles
from milepost.definition.rows import check_rows

__all__ = ["check_names"]

_WORDS: Final = frozenset(
    {"and", "or", "not", "if", "else", "implies", "true", "false", "event", "otherwise"}
)


def check_names(data: Mapping[str, Any]) -> None:
    """Raise NotUnderstood unless all that a definition of the right shape names is there.

    Expressions are not looked at.
    """
    enums: Mapping[str, Any] = data.get("enums", {})
    for enum, members in enums.items():
        with within(f"enum '{enum}'", "enums", enum):
            if enum in (*READABLE, *OPAQUE):
                raise NotUnderstood("it has the name of a type")
            once("member", places(members))
            _speakable("member", places(members))
    machines: Mapping[str, Any] = data["machines"]
    for name, told in machines.items():
        with within(f"machine '{name}'", "machines", name):
            _check_machine(told, enums, machines)
    _check_owners(machines)
    check_migrations(data, enums)


def _speakable(kind: str, names: Iterable[tuple[Path, str]]) -> None:
    for path, name in names:
        if name in _WORDS:
            told = f"no {kind} can be called '{name}', a word of expressions"
            raise NotUnderstood(told, path)


def _check_machine(
    told: Mapping[str, Any], enums: Mapping[str, Any], machines: Mapping[str, Any]
) -> None:
    states, events = told["states"], told.get("events", {})
    context, guards = told.get("context", {}), told.get("guards", {})
    collections = told.get("collections", {})
    for name in told.get("groups", {}):
        if name in states:
            raise NotUnderstood(f"'{name}' is a state and a group", ("groups", name))
    sets = groups_of(told)
    with within("", "initial"):
        known("state", told["initial"], states)
    for key, kind in (
        ("context", "variable"),
        ("guards", "guard"),
        ("collections", "collection"),
    ):
        with within("", key):
            _speakable(kind, (((name,), name) for name in told.get(key, {})))
    for name in guards:
        if name in context:
            raise NotUnderstood(f"'{name}' is a guard and a variable", ("guards", name))
    for name, said in context.items():
        with within("", "context", name):
            _check_variable(name, said, enums)
    for event, said in events.items():
        with within(f"event '{event}'", "events", event, "payload"):
            payload = (said or {}).get("payload", {})
            for name, field in payload.items():
                with within("", name):
                    _check_value(name, field, "default", enums)
            check_earlier_names("payload field", payload)
    for key, kind in (("states", "state"), ("events", "event"), ("context", "variable")):
        with within("", key):
            check_earlier_names(kind, told.get(key, {}))
    for name, said in collections.items():
        with within(f"collection '{name}'", "collections", name):
            with within("", "machine"):
                known("machine", said["machine"], machines)
            _check_collection(name, said, told, sets, machines[said["machine"]])
    check_rows(told, sets, machines)
    for name, said in told.get("invariants", {}).items():
        with within(f"invariant '{name}'", "invariants", name, "in"):
            all_known("state", said.get("in") or (), sets)
    with within("progress", "progress", "except"):
        all_known("event", (told.get("progress") or {}).get("except", ()), events)
    check_roles(told, sets, enums)


def _check_variable(name: str, said: Mapping[str, Any], enums: Mapping[str, Any]) -> None:
    param = said.get("param", False)
    right, wrong = ("default", "initial") if param else ("initial", "default")
    what = "parameter" if param else "variable"
    if said["type"] in OPAQUE:
        raise NotUnderstood(
            f"a {what} cannot be of the type {said['type']}, as '{name}' is", ("type",)
        )
    _check_value(name, said, right, enums)
    for key in (wrong,) if param else (wrong, "where"):
        if said.get(key) is not None or (key == wrong and key in said):
            raise NotUnderstood(f"'{name}' is a {what}, which has no '{key}'", (key,))
    if not param and right not in said:
        raise NotUnderstood(f"'{name}' has no '{right}' value")


def _check_value(name: str, said: Mapping[str, Any], key: str, enums: Mapping[str, Any]) -> None:
    """Raise NotUnderstood unless the type is one, and the value at `key`, if any, is of it."""
    with within("", "type"):
        kind = known("type", said["type"], (*READABLE, *OPAQUE, *enums))
    if key not in said or kind == "json":
        return
    value = said[key]
    if kind in enums:
        fits = isinstance(value, str) and value in enums[kind]
    elif kind in ("bool", "str"):
        fits = isinstance(value, bool if kind == "bool" else str)
    else:
        fits = kind != "bytes" and type(value) is int
    if not fits:
        raise NotUnderstood(f"the '{key}' of '{name}' is {value!r}, which is no {kind}", (key,))


def _check_collection(
    name: str,
    said: Mapping[str, Any],
    told: Mapping[str, Any],
    sets: Mapping[str, tuple[str, ...]],
    member: Mapping[str, Any],
) -> None:
    if "total" in member["states"]:
        raise NotUnderstood(f"its members have the state 'total', as their number '{name}.total'")
    for where, events in said.get("accepts", {}).items():
        with within("", "accepts", where):
            known("state", where, sets)
            all_known("event", events, member.get("events", {}))
    grows = said.get("grows") or ()
    with within("", "grows"):
        all_known("state", grows, sets)
        states = [(path, state) for path, one in places(grows) for state in sets[one]]
        once("state", states)
        for path, state in states:
            if (told["states"][state] or {}).get("final"):
                raise NotUnderstood(f"it grows in '{state}', which is final", path)
    histories = {f"history.{target_of(row)[1]}" for row in told.get("transitions", ())}
    if clash := sorted(histories.intersection(f"{name}.{state}" for state in member["states"])):
        raise NotUnderstood(f"'{clash[0]}' is a number of members and the history of a group")


def _check_owners(machines: Mapping[str, Any]) -> None:
    """Raise NotUnderstood for a machine that owns itself, be it through others."""
    owned = {
        name: {one["machine"]: by for by, one in told.get("collections", {}).items()}
        for name, told in machines.items()
    }
    try:
        TopologicalSorter(owned).prepare()
    except CycleError as error:
        of, name, *_ = error.args[1]
        path = ("machines", name, "collections", owned[name][of])
        raise NotUnderstood(f"machine '{name}' owns itself", path) from None
