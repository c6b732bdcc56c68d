"""The parts of a definition: which keys each may have, what stands there, and how names look."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from milepost.definition.problems import NotUnderstood, Path, among, within

__all__ = ["check_shape"]

_Check: TypeAlias = Callable[[Any, Path], None]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,38}")
_ENUM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,38}")
_ID: Final = re.compile(r"(?=.{1,127}\Z)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


def check_shape(data: Any) -> None:
    """Raise NotUnderstood unless every part has the keys that it may have, and what fits there."""
    with within("it is no definition"):
        if not isinstance(data, Mapping):
            raise NotUnderstood("one begins with 'lifecycle', 'version' and 'machines'")
        _LIFECYCLE(data, ())


def _no(where: Path, wanted: str) -> NotUnderstood:
    return NotUnderstood(f"'{_told(where)}' must be {wanted}", where)


def _told(where: Path) -> str:
    return ".".join(str(one + 1) if isinstance(one, int) else one for one in where)


def _any(_: Any, where: Path) -> None:
    """Whatever stands there."""


def _text(value: Any, where: Path) -> None:
    if not isinstance(value, str):
        raise _no(where, "text")


def _truth(value: Any, where: Path) -> None:
    if not isinstance(value, bool):
        raise _no(where, "true or false")


def _version(value: Any, where: Path) -> None:
    if type(value) is not int or value < 1:
        raise _no(where, "a whole number from 1 on")


def _expression(value: Any, where: Path) -> None:
    if not isinstance(value, str | bool | int):
        raise _no(where, "an expression")


def _matching(pattern: re.Pattern[str]) -> _Check:
    def check(value: Any, where: Path) -> None:
        _text(value, where)
        if not pattern.fullmatch(value):
            raise NotUnderstood(f"'{_told(where)}' has the bad name {value!r}", where)

    return check


def _maybe(check: _Check) -> _Check:
    """What may be null too."""
    return lambda value, where: None if value is None else check(value, where)


def _listed(check: _Check, *, least: int = 0) -> _Check:
    def checked(value: Any, where: Path) -> None:
        if not isinstance(value, list):
            raise _no(where, "a list")
        if len(value) < least:
            raise _no(where, "a list that is not empty")
        for at, one in enumerate(value):
            check(one, (*where, at))

    return checked


def _one_or_many(check: _Check, *, least: int = 0) -> _Check:
    many = _listed(check, least=least)
    return lambda value, where: (check if isinstance(value, str) else many)(value, where)


def _mapped(key: _Check, check: _Check, *, least: int = 0) -> _Check:
    def checked(value: Any, where: Path) -> None:
        if not isinstance(value, Mapping):
            raise _no(where, "a mapping")
        if len(value) < least:
            raise _no(where, "a mapping that is not empty")
        for name, one in value.items():
            key(name, (*where, name))
            check(one, (*where, name))

    return checked


def _part(needed: Mapping[str, _Check], others: Mapping[str, _Check]) -> _Check:
    known = {**needed, **others}

    def checked(value: Any, where: Path) -> None:
        if not isinstance(value, Mapping):
            raise _no(where, "a mapping")
        inside = f" in '{_told(where)}'" if where else ""
        for key in value:
            if key not in known:
                told = f"the key '{key}'{inside} is unknown{among(key, known)}"
                raise NotUnderstood(told, (*where, key))
        for key in needed:
            if key not in value:
                raise NotUnderstood(f"the key '{key}'{inside} is missing", where)
        for key, one in value.items():
            known[key](one, (*where, key))

    return checked


def _short(check: _Check) -> _Check:
    """What may be the name of its event, or of its variable, alone."""
    return _maybe(lambda value, where: None if isinstance(value, str) else check(value, where))


_name: Final = _matching(_NAME)
_names: Final = _one_or_many(_text, least=1)
_maybe_text: Final = _maybe(_text)
_STATE: Final = _part(
    {}, {"doc": _text, "was": _maybe(_name), "final": _truth, "perpetual": _truth}
)
_VARIABLE: Final = _part(
    {"type": _text},
    {
        "initial": _any,
        "default": _any,
        "param": _truth,
        "where": _maybe(_expression),
        "was": _maybe(_name),
        "doc": _text,
    },
)
_FIELD: Final = _part({"type": _text}, {"default": _any, "was": _maybe(_name), "doc": _text})
_EVENT: Final = _part({}, {"doc": _text, "was": _maybe(_name), "payload": _mapped(_name, _FIELD)})
_TARGET: Final = _part({}, {"state": _maybe_text, "history": _maybe_text, "default": _maybe_text})
_ROW: Final = _part(
    {
        "from": _names,
        "on": _text,
        "to": lambda value, where: None if isinstance(value, str) else _TARGET(value, where),
    },
    {
        "id": _maybe(_matching(_ID)),
        "when": _maybe(_expression),
        "set": _mapped(_text, _expression),
        "members": _mapped(_text, _mapped(_text, _text)),
        "partial": _truth,
        "doc": _text,
    },
)
_COLLECTION: Final = _part(
    {"machine": _text},
    {"accepts": _mapped(_text, _names), "grows": _maybe(_one_or_many(_text)), "doc": _text},
)


def _of_event(*fields: str, **others: _Check) -> _Check:
    return _short(_part({"event": _text}, {**dict.fromkeys(fields, _maybe_text), **others}))


_ROLES: Final = _part(
    {},
    {
        **dict.fromkeys(
            ("waiting", "held", "done", "failed", "dead", "skipped", "paused", "variables"),
            _maybe(_names),
        ),
        **dict.fromkeys(
            (
                *("begin", "result", "stored", "release", "lost", "crash", "retry", "give_up"),
                *("requeue", "skip", "pause", "cancel", "reopen"),
            ),
            _maybe_text,
        ),
        **dict.fromkeys(("phases", "resume", "outcomes"), _mapped(_text, _text)),
        "failure": _of_event(
            *("cause", "message", "kind", "details", "permanent"),
            causes=_part({}, dict.fromkeys(("error", "timeout", "lost"), _maybe_text)),
        ),
        "defer": _of_event("until", "everyone", "message", "marks"),
        "note": _of_event("note", "marks"),
        "redo": _of_event("counts", "reason"),
        "recover": _of_event("lost", "reason"),
        "allow_dead": _of_event("more", "reason"),
        "attempts": _short(_part({"counts": _text}, {"most": _maybe_text})),
        "crashes": _maybe(_part({}, dict.fromkeys(("marks", "counts", "most"), _maybe_text))),
    },
)
_MACHINE: Final = _part(
    {"initial": _text, "states": _mapped(_name, _maybe(_STATE), least=1)},
    {
        "doc": _text,
        "groups": _mapped(_name, _names),
        "context": _mapped(_name, _VARIABLE),
        "collections": _mapped(_name, _COLLECTION),
        "events": _mapped(_name, _maybe(_EVENT)),
        "guards": _mapped(_name, _expression),
        "transitions": _listed(_ROW),
        "ignored": _listed(_part({"in": _names, "on": _names}, {"doc": _text})),
        "invariants": _mapped(
            _name, _part({"holds": _expression}, {"in": _maybe(_names), "doc": _text})
        ),
        "progress": _maybe(
            _part(
                {"decreases": _one_or_many(_expression, least=1)},
                {"except": _one_or_many(_text)},
            )
        ),
        "roles": _maybe(_ROLES),
    },
)
_MIGRATION: Final = _part(
    {"from": _version},
    {
        **dict.fromkeys(("states", "events", "old"), _mapped(_name, _mapped(_name, _text))),
        "context": _mapped(_name, _mapped(_text, _expression)),
        "retired": _mapped(_name, _names),
        "doc": _text,
    },
)
_LIFECYCLE: Final = _part(
    {"lifecycle": _name, "version": _version, "machines": _mapped(_name, _MACHINE, least=1)},
    {
        "doc": _text,
        "enums": _mapped(_matching(_ENUM), _listed(_name, least=1)),
        "migrations": _listed(_MIGRATION),
    },
)
