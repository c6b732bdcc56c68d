"""What people see of the public objects in a terminal: a `repr` is a line, help has no walls."""

from __future__ import annotations

import inspect
import pydoc
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from milepost import StateEvent
from milepost.machine import MilepostError
from tests.architecture.surface import (
    all_types,
    exported,
    functions,
    objects,
    reached,
)
from tests.hostile import misbehaving

MAX_REPR = 200
MAX_DEFAULT = 60
MAX_LINE = 200
MAX_SIGNATURE = 1_900


def unreadable(thing: object) -> str:
    """The `repr` of `thing` if it is long, has more than one line or steers a terminal."""
    told = repr(thing)
    return told if len(told) > MAX_REPR or misbehaving(told) else ""


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Every object of ours that can be reached from what the manager gives."""
    seen: set[int] = set()
    things = objects(tmp_path_factory.mktemp("met"))
    kept = [(thing, list(reached(thing, seen))) for thing in things]  # so that no two have one id
    return [each for _, found in kept for each in found]


def test_what_the_manager_gives_is_shown_in_a_line(met: list[object]) -> None:
    """And so is all that hangs on it."""
    kinds = {type(thing).__name__ for thing in met}
    assert {"JobState", "Ledger", "Lifecycle", "Machine", "RecoveryPlan", "DeadLetter"} <= kinds
    assert len(kinds) > 40
    long = {type(thing).__name__: unreadable(thing)[:300] for thing in met if unreadable(thing)}
    assert long == {}


class _Anything:
    """Whatever is asked of it is long and hostile."""

    def __repr__(self) -> str:
        return "\x1b[31m" + "x" * 100_000


def test_a_record_of_anything_is_shown_in_a_line(met: list[object]) -> None:
    """Of every public class whose `repr` shows its fields, whatever they hold.

    Classes that word their `repr` themselves are among those that the manager gave.
    """
    values = ("x" * 10_000, [["y"] * 1_000] * 1_000, 10**5_000, _Anything(), b"\xff" * 999)
    shown = 0
    for kind, where in all_types().items():
        fields = _fields(kind)
        if not fields or issubclass(kind, MilepostError):
            continue
        if kind.__repr__ is not StateEvent.__repr__:
            assert kind.__name__ in BY_HAND or kind in {type(thing) for thing in met}, kind
            continue
        for value in values:
            told = repr(_built(kind, fields, value))
            shown += 1
            assert len(told) <= MAX_REPR, (kind, where, told[:300])
            assert misbehaving(told) == [], (kind, where)
    assert shown > 300


BY_HAND = {"TypedContext", "TypedState", "Signal", "StandIn", "Cutting", "Failing"}
"""Views and payloads that generated modules build on, whose `repr` is their whole value; and
numbers alone, of code that knows nothing of ours."""


def _fields(kind: type) -> list[str]:
    for name in ("__dataclass_fields__", "_fields", "__struct_fields__"):
        if fields := getattr(kind, name, ()):
            return list(fields)
    return []


def _built(kind: type, fields: list[str], value: object) -> object:
    if issubclass(kind, tuple) or hasattr(kind, "__struct_fields__"):
        return kind(**dict.fromkeys(fields, value))
    thing = kind.__new__(kind)
    for name in fields:
        object.__setattr__(thing, name, value)
    return thing


def _joined(lines: list[str]) -> Iterator[str]:
    """The lines of a help, each signature in one: Python 3.13 gives each parameter its own."""
    begun: list[str] = []
    for line in lines:
        text = line.strip(" |")
        if begun:
            begun.append(text)
            if text.startswith(")"):
                yield "".join(begun)
                begun = []
        elif re.fullmatch(r"(class |async )?[\w. =]*\(", text):
            begun = [text]
        else:
            yield line
    yield from begun


def test_no_line_of_help_is_a_wall() -> None:
    """Nor has any signature a default that is longer than a word or two."""
    walls: dict[str, str] = {}
    for name, thing in exported().items():
        if not callable(thing):
            continue
        for line in _joined(pydoc.plain(pydoc.render_doc(thing)).splitlines()):
            most = MAX_SIGNATURE if "(" in line and ")" in line else MAX_LINE
            if len(line) > most:
                walls[name] = line[:200]
        members = functions(thing) if isinstance(thing, type) else ()
        for member, function in members:
            for parameter in inspect.signature(function).parameters.values():
                default = "" if parameter.default is parameter.empty else repr(parameter.default)
                if len(default) > MAX_DEFAULT:
                    walls[f"{name}.{member}"] = default[:200]
    assert walls == {}


def test_a_wall_would_be_found(met: list[object]) -> None:
    """The negative control: a record as the standard library shows it."""

    @dataclass
    class Raw:
        state: object

    assert unreadable(Raw(state=[repr(thing) for thing in met[:20]]))
    assert unreadable(Raw(state=_Anything()))
