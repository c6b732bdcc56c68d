"""The rows of a machine, as far as names go: where they lead, what they set, whom they send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from milepost.definition.notation import groups_of, in_row, is_otherwise, listed, target_of
from milepost.definition.problems import NotUnderstood, all_known, known, places, within

__all__ = ["check_rows"]

_SAID: Final = frozenset({"on", "to", "when", "set", "members"})


def check_rows(
    told: Mapping[str, Any], sets: Mapping[str, tuple[str, ...]], machines: Mapping[str, Any]
) -> None:
    """Raise NotUnderstood for a row of that machine which names what there is not, or comes twice.

    `sets` has the states by the names that stand for them. Rows that are ignored are looked at too.
    """
    final = {state for state, said in told["states"].items() if (said or {}).get("final")}
    defaults: dict[str, str] = {}
    pairs: dict[tuple[str, str], list[int]] = {}
    rows: Sequence[Mapping[str, Any]] = told.get("transitions", ())
    for at, row in enumerate(rows):
        with in_row(at, row):
            with within("", "from"):
                all_known("state", row["from"], sets)
            with within("", "on"):
                known("event", row["on"], told.get("events", {}))
            with within("", "to"):
                _check_target(row, told, sets, defaults)
            _check_done(row, told, machines)
            sources = {state: path for path, one in places(row["from"]) for state in sets[one]}
            for state, path in sources.items():
                if state in final:
                    told_of = f"it leads out of '{state}', which is final"
                    raise NotUnderstood(told_of, ("from", *path))
                pairs.setdefault((state, row["on"]), []).append(at)
    for pair, those in pairs.items():
        _check_pair(pair, [(at, rows[at]) for at in those])
    _check_ignored(told, sets, pairs)


def _check_done(
    row: Mapping[str, Any], told: Mapping[str, Any], machines: Mapping[str, Any]
) -> None:
    """Raise NotUnderstood for what a row sets, or sends to members, that it cannot."""
    context, collections = told.get("context", {}), told.get("collections", {})
    for name in row.get("set", {}):
        with within("", "set", name):
            if context[known("variable", name, context)].get("param"):
                raise NotUnderstood(f"'{name}' is a parameter, which is never assigned")
    for name, sent in row.get("members", {}).items():
        with within(f"members '{name}'", "members", name):
            known("collection", name, collections)
            _check_sent(sent, machines[collections[name]["machine"]])


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
    with within("", "history"):
        known("group", history, told.get("groups", {}))
    with within("", "default"):
        if default and known("state", default, sets[history]) != defaults.setdefault(
            history, default
        ):
            raise NotUnderstood(f"the history of '{history}' has two defaults")


def _check_sent(sent: Mapping[str, str], member: Mapping[str, Any]) -> None:
    sets, events = groups_of(member), member.get("events", {})
    rows = [(row["from"], [row["on"]]) for row in member.get("transitions", ())]
    rows += [(one["in"], listed(one["on"])) for one in member.get("ignored", ())]
    for state, event in sent.items():
        with within("", state):
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
                told = f"'{event}' needs {', '.join(needed)}, which nobody gives it there"
                raise NotUnderstood(told)


def _check_pair(pair: tuple[str, str], rows: list[tuple[int, Mapping[str, Any]]]) -> None:
    """Raise NotUnderstood for rows that say the same, or an `otherwise` that says nothing."""
    told = f"'{pair[1]}' in '{pair[0]}'"
    said = set[str]()
    others = [at for at, row in rows if is_otherwise(row.get("when"))]
    for at, row in rows:
        says = json.dumps({key: of for key, of in row.items() if key in _SAID}, sort_keys=True)
        if says in said:
            raise NotUnderstood(f"there is a second row for {told}", ("transitions", at))
        said.add(says)
    if len(others) > 1:
        raise NotUnderstood(
            f"there is a second 'otherwise' for {told}", ("transitions", others[1], "when")
        )
    guards = [row.get("when") for at, row in rows if at not in others]
    if others and guards and not any(one is not None for one in guards):
        raise NotUnderstood(
            f"there is an 'otherwise' beside a row for {told} that has no guard",
            ("transitions", others[0], "when"),
        )


def _check_ignored(
    told: Mapping[str, Any],
    sets: Mapping[str, tuple[str, ...]],
    rows: Mapping[tuple[str, str], list[int]],
) -> None:
    ignored = set()
    for at, one in enumerate(told.get("ignored", ())):
        with within(f"ignored {at + 1}", "ignored", at):
            with within("", "in"):
                all_known("state", one["in"], sets)
            with within("", "on"):
                all_known("event", one["on"], told.get("events", {}))
            states = {state for name in listed(one["in"]) for state in sets[name]}
            for path, event in places(one["on"]):
                for pair in ((state, event) for state in states):
                    if pair in rows or pair in ignored:
                        twice = "has a row" if pair in rows else "is ignored twice"
                        told_of = f"'{event}' in '{pair[0]}' is ignored, and {twice}"
                        raise NotUnderstood(told_of, ("on", *path))
                    ignored.add(pair)
