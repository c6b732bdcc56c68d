"""Every message of every error is safe to show, whatever the error was built from."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

import pytest

import milepost
from milepost import errors
from milepost.errors import StateError
from milepost.machine import MilepostError
from tests.hostile import HALF_PAIRS, HOSTILE, misbehaving

_LATE = {"datetime": datetime, "timedelta": timedelta, "Path": Path}
"""What modules import for checkers alone."""

_MANY_LINES = {("LifecycleChanged", "report")}
"""Texts that are made of lines; all others stand on one."""


def _errors(kind: type[MilepostError] = MilepostError) -> Iterator[type[MilepostError]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("milepost."):
            yield one
            yield from _errors(one)


def _import_all() -> None:
    for module in pkgutil.walk_packages(milepost.__path__, "milepost."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


_import_all()
ERRORS = {one.__name__: one for one in _errors()}


def _value(hint: Any, text: str) -> object:
    """Something of the type `hint` that holds `text` wherever it can."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is str or hint is Any:
        return text
    if hint is datetime:
        return datetime(2026, 1, 31, tzinfo=UTC)
    if origin in (Union, types.UnionType):
        return _value(str if str in args else args[0], text)
    if origin is tuple:
        return tuple(_value(each, text) for each in args if each is not ...)
    if isinstance(hint, type) and issubclass(hint, tuple):
        return hint(*(_value(each, text) for each in get_type_hints(hint).values()))
    if origin in (dict, list) or (origin is not None and hasattr(origin, "__iter__")):
        return {text: text} if len(args) == 2 else [text]
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return hint(**{name: _value(each, text) for name, each in get_type_hints(hint).items()})
    return hint() if isinstance(hint, type) else None


def built(kind: type[MilepostError], text: str) -> MilepostError:
    """An error of that kind, with `text` wherever it takes one."""
    hints = {
        name: hint
        for name, hint in get_type_hints(kind, localns=_LATE).items()
        if get_origin(hint) is not ClassVar
    }
    texts = dict.fromkeys(hints, text)
    for class_name, name in _MANY_LINES:
        if kind.__name__ == class_name:
            texts[name] = text.replace("\n", " ")
    return kind(**{name: _value(hint, texts[name]) for name, hint in hints.items()})


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_messages_are_safe_to_show(name: str) -> None:
    """Built from hostile texts alone. Where this fails: `printable(...)` around the message."""
    lines = len(str(built(ERRORS[name], "x")).split("\n"))
    for kind, text in {**HOSTILE, **HALF_PAIRS}.items():
        message = str(built(ERRORS[name], text))
        assert misbehaving(message) == [], kind
        assert len(message.split("\n")) == lines, kind


class _Spiteful:
    """Whatever a message asks of it raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("spite")

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __bool__ = _raise


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_messages_are_short_and_never_raise(name: str) -> None:
    """Whatever an error was built from: texts of any length, numbers of a mile, spite."""
    kind = ERRORS[name]
    for given in ("x" * 100_000, 10**5_000, [[10**5_000] * 1_000], _Spiteful(), None, b"\xff"):
        hints = get_type_hints(kind, localns=_LATE)
        named = [name for name, hint in hints.items() if get_origin(hint) is not ClassVar]
        error = kind(**dict.fromkeys(named, given))
        assert len(repr(error)) <= 200
        for told in (str(error), repr(error)):
            assert len(told) < 2_000
            assert misbehaving(told.replace("\n", " ")) == []
    long = built(kind, "é" * 10_000)
    assert len(str(long)) < 2_000
    assert str(pickle.loads(pickle.dumps(long))) == str(long)


def test_a_message_of_any_length_would_be_found() -> None:
    """The negative control: the same error outside the tree, with the words of one in it."""

    class Unbounded(ValueError):
        key = "x" * 1_000_000
        __str__ = errors.ItemAbsent.__dict__["__str__"].__wrapped__
        job_id, item, count, collections = "j", key, 1, ()

    assert len(str(Unbounded())) > 2_000


def test_all_errors_are_met() -> None:
    """The names of the public errors are among those that were built."""
    assert len(ERRORS) > 35
    assert set(errors.__all__) - {"MilepostError"} <= set(ERRORS)


def test_a_raw_message_would_be_found() -> None:
    """The negative control: a message that holds what was given as it is."""

    class Raw(StateError):
        def __init__(self, *, key: str) -> None:
            super().__init__(f"no item {key}")

    assert misbehaving(str(Raw(key=HOSTILE["red"]))) != []
