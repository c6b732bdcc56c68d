"""The read model: a module a command, and answers that say themselves what is in them."""

from __future__ import annotations

import importlib
import inspect as looking
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from milepost import inspect
from milepost.cli import commands
from milepost.cli.commands import COMMANDS, command
from milepost.inspect.states import StateName
from milepost.job.progress import Progress

HOMES = ("builtins", "collections.abc", "datetime", "msgspec", "typing", "types")


def modules() -> list[str]:
    return [found.name for found in pkgutil.iter_modules(inspect.__path__)]


def views() -> list[type]:
    """Every answer: a class with the name of its schema."""
    found: dict[str, type] = {}
    for name in modules():
        module = importlib.import_module(f"milepost.inspect.{name}")
        for each in vars(module).values():
            if (
                looking.isclass(each)
                and "SCHEMA" in vars(each)
                and each.__module__ == module.__name__
            ):
                found[each.__name__] = each
    return list(found.values())


def foreign(of: type) -> Iterator[str]:
    """The fields of an answer, and of its parts, whose types are neither plain nor its own."""
    seen: set[type] = set()
    left: list[type] = [of]
    while left:
        each = left.pop()
        if each in seen:
            continue
        seen.add(each)
        for name, hint in get_type_hints(each).items():
            for part in parts(hint):
                home = getattr(part, "__module__", "typing")
                if part is StateName:  # a text in JSON, whatever it means inside
                    continue
                if home.startswith("milepost.inspect."):
                    left.append(part)
                elif home not in HOMES:
                    yield f"{each.__name__}.{name}: {part}"


def parts(hint: Any) -> Iterator[Any]:
    """The types that a hint is made of."""
    inner = get_args(hint)
    if not inner:
        yield hint
    for each in inner:
        yield from parts(each)


@pytest.mark.parametrize(
    "name",
    [
        found.name
        for found in pkgutil.iter_modules(commands.__path__)
        if found.name != "completion"  # which is for a shell, and asks no store
    ],
)
def test_a_command_asks_the_module_of_its_own_name(name: str) -> None:
    """`cli/commands/X.py` beside `inspect/X.py`; each is a command of the program."""
    assert name in modules()
    assert name.removesuffix("_jobs").replace("_", "-") in COMMANDS
    module = importlib.import_module(f"milepost.inspect.{name}")
    if name != "diagram":  # it draws; the path that it draws has a module of its own
        assert {name, f"{name}_page"} <= set(module.__all__)


def test_every_command_has_its_module() -> None:
    own = {name for name in COMMANDS if command(name).callback is not None}
    names = (each.name for each in pkgutil.iter_modules(commands.__path__))
    found = {name.removesuffix("_jobs").replace("_", "-") for name in names}
    assert own == found


def test_answers_declare_what_is_in_them() -> None:
    """So that a name that changes inside the engine changes no JSON."""
    found = views()
    assert len(found) >= 25
    assert [each for view in found for each in foreign(view)] == []


def test_answers_are_named_for_what_they_answer() -> None:
    """Each class ends with View, and no two have one schema."""
    found = views()
    assert all(view.__name__.endswith("View") for view in found)
    schemas = [vars(view)["SCHEMA"] for view in found]
    assert len(set(schemas)) == len(schemas)


def test_a_type_of_the_engine_is_noticed() -> None:
    """Control: an answer that holds one of the engine's own, inside a tuple."""

    class Answer:
        SCHEMA = "milepost.control/1"

    Answer.__annotations__ = {"job": str, "counted": tuple[Progress, ...]}
    assert list(foreign(Answer)) == [f"Answer.counted: {Progress}"]
