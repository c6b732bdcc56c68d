"""The roles of a machine, as far as names go: what they mean is for the compiler to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from milepost.definition.notation import listed
from milepost.definition.problems import all_known, known, within

__all__ = ["OF_STATES", "check_roles"]

OF_STATES: Final = ("waiting", "held", "done", "failed", "dead", "skipped", "paused")
"""The roles that states have."""
_BY_STATE: Final = ("phases", "resume", "outcomes")
_OF_VARIABLES: Final = ("attempts", "crashes")
_OUTCOMES: Final = ("succeeded", "failed", "cancelled")


def check_roles(
    told: Mapping[str, Any], sets: Mapping[str, tuple[str, ...]], enums: Mapping[str, Any]
) -> None:
    """Raise NotUnderstood for a role of that machine which names what there is not.

    `sets` has the states by the names that stand for them.
    """
    for role, said in (told.get("roles") or {}).items():
        if said is not None:
            with within(f"role '{role}'", "roles", role):
                _check_role(role, said, told, sets, enums)


def _check_role(
    role: str,
    said: Any,
    told: Mapping[str, Any],
    sets: Mapping[str, tuple[str, ...]],
    enums: Mapping[str, Any],
) -> None:
    events, context = told.get("events", {}), told.get("context", {})
    if role in OF_STATES:
        all_known("state", said, sets)
    elif role in _BY_STATE:
        all_known("state", list(said), told["states"])
        kind, names = ("outcome", _OUTCOMES) if role == "outcomes" else ("event", events)
        for state, name in said.items():
            with within("", state):
                known(kind, name, names)
    elif role in _OF_VARIABLES:
        named = said.values() if isinstance(said, Mapping) else (said,)
        all_known("variable", [name for name in named if name is not None], context)
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
    all_known("cause", [cause for cause in named if cause is not None], causes)
