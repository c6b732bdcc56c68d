"""The roles of a machine, as far as names go: what they mean is for the compiler to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from milepost.definition.problems import all_known, known, places, within

__all__ = ["OF_STATES", "check_roles"]

OF_STATES: Final = ("waiting", "held", "done", "failed", "dead", "skipped", "paused")
"""The roles that states have."""
_BY_STATE: Final = ("phases", "resume", "outcomes")
_OF_VARIABLES: Final = ("attempts", "crashes")
_DOTTED: Final = ("result", "stored", "crash", "variables")
"""Those that name an event, or a field of its payload."""
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
        kind, names = ("outcome", _OUTCOMES) if role == "outcomes" else ("event", events)
        for state, name in said.items():
            with within("", state):
                known("state", state, told["states"])
                known(kind, name, names)
    elif role in _OF_VARIABLES:
        all_known("variable", _given(said), context)
    else:
        parts = said if isinstance(said, Mapping) else {"event": said}
        for path, one in places(parts["event"]):
            event, dot, field = one.partition(".") if role in _DOTTED else (one, "", "")
            with within("", *(("event",) if parts is said else path)):
                payload = (events[known("event", event, events)] or {}).get("payload", {})
                if dot:
                    known("payload field", field, payload)
            _check_parts(parts, payload, context, enums)


def _given(said: Any) -> Any:
    """A mapping without those of its names that are null; what is none as it is."""
    if not isinstance(said, Mapping):
        return said
    return {part: name for part, name in said.items() if name is not None}


def _check_parts(
    parts: Mapping[str, Any],
    payload: Mapping[str, Any],
    context: Mapping[str, Any],
    enums: Mapping[str, Any],
) -> None:
    for part, name in parts.items():
        if part in ("event", "causes") or name is None:
            continue
        with within("", part):
            if part in ("counts", "marks"):
                known("variable", name, context)
            else:
                known("payload field", name, payload)
    given = parts.get("cause")
    fields = [given] if given else [n for n, of in payload.items() if of["type"] in enums]
    causes = [one for name in fields for one in enums.get(payload[name]["type"], ())]
    with within("", "causes"):
        all_known("cause", _given(parts.get("causes", {})), causes)
