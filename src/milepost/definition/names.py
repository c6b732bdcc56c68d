"""The names in a definition: each must be there, stand where it may, and mean one thing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from milepost.definition.formulas import NotUnderstood

__all__ = ["check_names", "groups_of", "known", "listed", "target_of", "within"]

_OPAQUE: Final = ("str", "json", "bytes", "timestamp")
_READABLE: Final = ("bool", "int")
_WORDS: Final = frozenset(
    {"and", "or", "not", "if", "else", "implies", "true", "false", "event", "otherwise"}
)
_MOST_TOLD: Final = 12


def check_names(data: Mapping[str, Any]) -> None:
    """Raise NotUnderstood unless all that a definition of the right shape names is there.

    Expressions are not looked at.
    """
    enums: Mapping[str, Any] = data.get("enums", {})
    for enum, members in enums.items():
        if enum in (*_READABLE, *_OPAQUE):
            raise NotUnderstood(f"the enum '{enum}' has the name of a type")
        _once("member", members)
        _speakable("member", members)
    machines: Mapping[str, Any] = data["machines"]
    for name, told in machines.items():
        with within(f"machine '{name}'"):
            _check_machine(told, enums, machines)
    for name in machines:
        if name in _owned(name, machines):
            raise NotUnderstood(f"machine '{name}' owns itself")
    _check_migrations(data, enums)


@contextmanager
def within(where: str) -> Iterator[None]:
    """Say where that is, before what is raised in it."""
    try:
        yield
    except NotUnderstood as error:
        raise NotUnderstood(f"{where}: {error}") from error


def known(kind: str, name: str, names: Collection[str]) -> str:
    """`name`, if it is one of `names`. Raises NotUnderstood."""
    if name not in names:
        told = f" (there are: {', '.join(names) or 'none'})" if len(names) <= _MOST_TOLD else ""
        raise NotUnderstood(f"unknown {kind} '{name}'{told}")
    return name


def listed(names: Any) -> list[str]:
    """Names that may stand as one alone, or in a list."""
    return [names] if isinstance(names, str) else list(names)


def target_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The state that a row leads to, or the group whose history decides, and its default."""
    to = {"state": row["to"]} if isinstance(row["to"], str) else row["to"]
    return to.get("state") or "", to.get("history") or "", to.get("default") or ""


def groups_of(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What each name that may stand for states stands for, in the order of the states.

    Groups first, then states, each for itself. Raises NotUnderstood.
    """
    states, groups = tuple(told["states"]), told.get("groups", {})
    found = {name: frozenset({name}) for name in states}

    def members(name: str, above: tuple[str, ...]) -> frozenset[str]:
        if name in above:
            raise NotUnderstood(f"group '{name}' holds itself")
        if name not in found:
            parts = listed(groups[known("state or group", name, (*states, *groups))])
            found[name] = frozenset(s for part in parts for s in members(part, (*above, name)))
        return found[name]

    for name in groups:
        members(name, ())
    spread = {name: tuple(s for s in states if s in found[name]) for name in groups}
    return {**spread, **{name: (name,) for name in states}}


def _once(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise NotUnderstood(f"the {kind} '{name}' is given twice")
        seen.add(name)


def _speakable(kind: str, names: Iterable[str]) -> None:
    for name in names:
        if name in _WORDS:
            raise NotUnderstood(f"no {kind} can be called '{name}', a word of expressions")


def _check_machine(
    told: Mapping[str, Any], enums: Mapping[str, Any], machines: Mapping[str, Any]
) -> None:
    states, events = told["states"], told.get("events", {})
    context, guards = told.get("context", {}), told.get("guards", {})
    collections = told.get("collections", {})
    for name in told.get("groups", {}):
        if name in states:
            raise NotUnderstood(f"'{name}' is a state and a group")
    sets = groups_of(told)
    known("state", told["initial"], states)
    for kind, names in (("variable", context), ("guard", guards), ("collection", collections)):
        _speakable(kind, names)
    for name in guards:
        if name in context:
            raise NotUnderstood(f"'{name}' is a guard and a variable")
    for name, said in context.items():
        _check_variable(name, said, enums)
    for event, said in events.items():
        with within(f"event '{event}'"):
            for name, field in (said or {}).get("payload", {}).items():
                _check_value(name, field, "default", enums)
            _check_earlier("payload field", (said or {}).get("payload", {}))
    for kind, parts in (("state", states), ("event", events), ("variable", context)):
        _check_earlier(kind, parts)
    for name, said in collections.items():
        with within(f"collection '{name}'"):
            known("machine", said["machine"], machines)
            _check_collection(name, said, told, sets, machines[said["machine"]])
    _check_rows(told, sets, machines)
    for name, said in told.get("invariants", {}).items():
        with within(f"invariant '{name}'"):
            _all_known("state", said.get("in") or (), sets)
    _all_known("event", (told.get("progress") or {}).get("except", ()), events)
    with within("roles"):
        _check_roles(told.get("roles") or {}, told, sets, enums)


def _all_known(kind: str, names: Any, there: Collection[str]) -> None:
    for name in listed(names):
        known(kind, name, there)


def _check_variable(name: str, said: Mapping[str, Any], enums: Mapping[str, Any]) -> None:
    param = said.get("param", False)
    right, wrong = ("default", "initial") if param else ("initial", "default")
    what = "parameter" if param else "variable"
    _check_value(name, said, right, enums)
    if said["type"] in _OPAQUE:
        raise NotUnderstood(f"a {what} cannot be of the type {said['type']}, as '{name}' is")
    for key in (wrong,) if param else (wrong, "where"):
        if said.get(key) is not None or (key == wrong and key in said):
            raise NotUnderstood(f"'{name}' is a {what}, which has no '{key}'")
    if not param and right not in said:
        raise NotUnderstood(f"'{name}' has no '{right}' value")


def _check_value(name: str, said: Mapping[str, Any], key: str, enums: Mapping[str, Any]) -> None:
    """Raise NotUnderstood unless the type is one, and the value at `key`, if any, is of it."""
    kind = known("type", said["type"], (*_READABLE, *_OPAQUE, *enums))
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
        raise NotUnderstood(f"the '{key}' of '{name}' is {value!r}, which is no {kind}")


def _check_earlier(kind: str, parts: Mapping[str, Any]) -> None:
    """Raise NotUnderstood for a `was` that names what is there, or what another one was."""
    was = {name: said["was"] for name, said in parts.items() if said and said.get("was")}
    for name, old in was.items():
        if old == name or (old in parts and old not in was):
            raise NotUnderstood(f"{kind} '{name}' was '{old}', which is there")
    _once(f"earlier {kind}", was.values())


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
        known("state", where, sets)
        _all_known("event", events, member.get("events", {}))
    grows = listed(said.get("grows") or ())
    _all_known("state", grows, sets)
    spread = [state for one in grows for state in sets[one]]
    _once("state", spread)
    for state in spread:
        if (told["states"][state] or {}).get("final"):
            raise NotUnderstood(f"it grows in '{state}', which is final")
    histories = {f"history.{group}" for group in _remembered(told)}
    if clash := sorted(histories.intersection(f"{name}.{state}" for state in member["states"])):
        raise NotUnderstood(f"'{clash[0]}' is a number of members and the history of a group")


def _remembered(told: Mapping[str, Any]) -> Iterator[str]:
    """The group of each row that leads back to one."""
    return (target_of(row)[1] for row in told.get("transitions", ()))


def _check_rows(
    told: Mapping[str, Any], sets: Mapping[str, tuple[str, ...]], machines: Mapping[str, Any]
) -> None:
    events = told.get("events", {})
    final = {state for state, said in told["states"].items() if (said or {}).get("final")}
    defaults: dict[str, str] = {}
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for number, row in enumerate(told.get("transitions", ()), 1):
        with within(f"row {number}"):
            _all_known("state", row["from"], sets)
            known("event", row["on"], events)
            _check_target(row, told, sets, defaults)
            for name in row.get("set", {}):
                known("variable", name, told.get("context", {}))
                if told["context"][name].get("param"):
                    raise NotUnderstood(f"'{name}' is a parameter, which is never assigned")
            for name, sent in row.get("members", {}).items():
                known("collection", name, told.get("collections", {}))
                member = machines[told["collections"][name]["machine"]]
                with within(f"members '{name}'"):
                    _check_sent(sent, member)
            for state in {state for one in listed(row["from"]) for state in sets[one]}:
                if state in final:
                    raise NotUnderstood(f"it leads out of '{state}', which is final")
                rows.setdefault((state, row["on"]), []).append(row)
    for pair, those in rows.items():
        _check_pair(pair, those)
    ignored = set()
    for one in told.get("ignored", ()):
        _all_known("state", one["in"], sets)
        _all_known("event", one["on"], events)
        states = {state for name in listed(one["in"]) for state in sets[name]}
        for pair in ((state, event) for state in states for event in listed(one["on"])):
            if pair in rows or pair in ignored:
                told_twice = "has a row" if pair in rows else "is ignored twice"
                raise NotUnderstood(f"'{pair[1]}' in '{pair[0]}' is ignored, and {told_twice}")
            ignored.add(pair)


def _check_target(
    row: Mapping[str, Any],
    told: Mapping[str, Any],
    sets: Mapping[str, tuple[str, ...]],
    defaults: dict[str, str],
) -> None:
    state, history, default = target_of(row)
    if bool(state) == bool(history) or (state and default):
        raise NotUnderstood("'to' must be a state, or a history with a default")
    if state:
        known("state", state, told["states"])
        return
    known("group", history, told.get("groups", {}))
    if default:
        known("state", default, sets[history])
        if defaults.setdefault(history, default) != default:
            raise NotUnderstood(f"the history of '{history}' has two defaults")


def _check_sent(sent: Mapping[str, str], member: Mapping[str, Any]) -> None:
    sets, events = groups_of(member), member.get("events", {})
    rows = [(row["from"], [row["on"]]) for row in member.get("transitions", ())]
    rows += [(one["in"], listed(one["on"])) for one in member.get("ignored", ())]
    for state, event in sent.items():
        known("state", state, member["states"])
        known("event", event, events)
        if not any(
            event in on and state in sets.get(name, ())
            for where, on in rows
            for name in listed(where)
        ):
            raise NotUnderstood(f"they have no row for '{event}' in '{state}'")
        payload = (events[event] or {}).get("payload", {})
        if needed := [name for name, field in payload.items() if "default" not in field]:
            raise NotUnderstood(f"'{event}' needs {', '.join(needed)}, which nobody gives it there")


def _check_pair(pair: tuple[str, str], rows: list[Mapping[str, Any]]) -> None:
    """Raise NotUnderstood for rows that say the same, or an `otherwise` that says nothing."""
    told = f"'{pair[1]}' in '{pair[0]}'"
    said = [{key: of for key, of in row.items() if key in _SAID} for row in rows]
    if any(one in said[:at] for at, one in enumerate(said)):
        raise NotUnderstood(f"there is a second row for {told}")
    guards = [row.get("when") for row in rows]
    others = [one for one in guards if not _is_otherwise(one)]
    if len(guards) - len(others) > 1:
        raise NotUnderstood(f"there is a second 'otherwise' for {told}")
    if len(others) < len(guards) and others and not any(one is not None for one in others):
        raise NotUnderstood(f"there is an 'otherwise' beside a row for {told} that has no guard")


_SAID: Final = frozenset({"on", "to", "when", "set", "members"})


def _is_otherwise(when: Any) -> bool:
    return isinstance(when, str) and when.strip() == "otherwise"


def _owned(name: str, machines: Mapping[str, Any]) -> set[str]:
    """The machines that a machine owns, by itself or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in machines[waiting.pop()].get("collections", {}).values():
            if one["machine"] not in found:
                found.add(one["machine"])
                waiting.append(one["machine"])
    return found


_OF_STATES: Final = ("waiting", "held", "done", "failed", "dead", "skipped", "paused")
_BY_STATE: Final = ("phases", "resume", "outcomes")
_OF_VARIABLES: Final = ("attempts", "crashes")


def _check_roles(
    roles: Mapping[str, Any],
    told: Mapping[str, Any],
    sets: Mapping[str, tuple[str, ...]],
    enums: Mapping[str, Any],
) -> None:
    """Raise NotUnderstood for names that are unknown; what roles mean is not looked at."""
    events, context = told.get("events", {}), told.get("context", {})
    for role, said in roles.items():
        if said is None:
            continue
        if role in _OF_STATES:
            _all_known("state", said, sets)
        elif role in _BY_STATE:
            _all_known("state", list(said), told["states"])
            _all_known("event", [] if role == "outcomes" else list(said.values()), events)
        elif role in _OF_VARIABLES:
            named = said.values() if isinstance(said, Mapping) else (said,)
            _all_known("variable", [name for name in named if name is not None], context)
        else:
            parts = said if isinstance(said, Mapping) else {"event": said}
            for one in listed(parts["event"]):
                event, dot, field = one.partition(".")
                payload = (events[known("event", event, events)] or {}).get("payload", {})
                if dot:
                    known("payload field", field, payload)
                _check_parts(parts, payload, context, enums)


def _check_parts(
    parts: Mapping[str, Any],
    payload: Mapping[str, Any],
    context: Mapping[str, Any],
    enums: Mapping[str, Any],
) -> None:
    for part, name in parts.items():
        if part in ("event", "causes") or name is None:
            continue
        if part in ("counts", "marks"):
            known("variable", name, context)
        else:
            known("payload field", name, payload)
    given = parts.get("cause")
    fields = [given] if given else [n for n, of in payload.items() if of["type"] in enums]
    causes = [one for name in fields for one in enums.get(payload[name]["type"], ())]
    named = parts.get("causes", {}).values()
    _all_known("cause", [cause for cause in named if cause is not None], causes)


def _check_migrations(data: Mapping[str, Any], enums: Mapping[str, Any]) -> None:
    machines, seen = data["machines"], set()
    for one in data.get("migrations", ()):
        version = one["from"]
        with within(f"the migration from {version}"):
            if version >= data["version"] or version in seen:
                older = "has one already" if version in seen else "is not older than this one"
                raise NotUnderstood(f"version {version} {older}")
            seen.add(version)
            for key in ("states", "context", "events", "old", "retired"):
                _all_known("machine", list(one.get(key, {})), machines)
            for kind, key in (("state", "states"), ("event", "events")):
                for name, told in one.get(key, {}).items():
                    _all_known(kind, list(told.values()), machines[name].get(key, {}))
            for told in one.get("old", {}).values():
                _all_known("type", list(told.values()), (*_READABLE, *_OPAQUE, *enums))
