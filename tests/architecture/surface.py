"""The public surface as users meet it: its modules, its functions, every type that they name."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import milepost
from milepost import ItemEvent, RetentionPolicy, Scope, StateManager, Write
from milepost.executors import Stop, run

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "reference" / "api.md"
_MODULE = re.compile(r"^## `(milepost[\w.]*)`", re.MULTILINE)


def public_modules() -> list[str]:
    """The modules that the page on the API names: what users import, they import from these."""
    return _MODULE.findall(API.read_text(encoding="utf-8"))


def exported() -> dict[str, object]:
    """Everything that the public modules offer, under its whole name."""
    found: dict[str, object] = {}
    for name in public_modules():
        module = importlib.import_module(name)
        found |= {f"{name}.{each}": getattr(module, each) for each in module.__all__}
    return found


def functions(kind: type) -> Iterator[tuple[str, FunctionType]]:
    """The public methods and properties of a class that are ours, as functions."""
    for name, member in inspect.getmembers_static(kind):
        if isinstance(member, classmethod | staticmethod):
            function: object = member.__func__
        elif isinstance(member, property):
            function = member.fget
        else:
            function = getattr(member, "func", member)  # of a cached property
        ours = isinstance(function, FunctionType) and function.__module__.startswith("milepost")
        if ours and not name.startswith("_"):
            yield name, typing.cast("FunctionType", function)


def named_types(hint: object) -> Iterator[type]:
    """The classes of ours in an annotation."""
    arguments = hint if isinstance(hint, list) else typing.get_args(hint)
    for each in arguments:
        yield from named_types(each)
    found = typing.get_origin(hint) or hint
    if isinstance(found, type) and found.__module__.startswith("milepost"):
        yield found


def hints(thing: Any) -> dict[str, object]:
    """The annotations of a function or a class, resolved."""
    return typing.get_type_hints(thing, localns=names_in(thing.__module__))


@cache
def names_in(module_name: str) -> dict[str, object]:
    """The names of a module, with those that it imports for checkers alone."""
    module = sys.modules[module_name]
    names = dict(vars(module))
    for block in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for node in block.body:
                if isinstance(node, ast.ImportFrom) and node.module:
                    origin = importlib.import_module(node.module)
                    names |= {a.asname or a.name: getattr(origin, a.name) for a in node.names}
                elif isinstance(node, ast.Import):
                    names |= {a.name: importlib.import_module(a.name) for a in node.names}
    return names


def types_met(kind: type) -> Iterator[tuple[str, type]]:
    """The classes that the public fields and methods of `kind` name, with where they do."""
    for name, hint in hints(kind).items():
        if not name.startswith("_"):
            yield from ((f"{kind.__name__}.{name}", each) for each in named_types(hint))
    for name, function in functions(kind):
        for hint in hints(function).values():
            yield from ((f"{kind.__name__}.{name}", each) for each in named_types(hint))


def all_types() -> dict[type, str]:
    """Every class that users can meet, with the place where it is named first."""
    found: dict[type, str] = {}
    waiting: list[tuple[str, type]] = []
    for name, thing in exported().items():
        if isinstance(thing, type):
            waiting.append((name, thing))
        elif isinstance(thing, FunctionType):
            met = [each for hint in hints(thing).values() for each in named_types(hint)]
            waiting += [(name, each) for each in met]
    while waiting:
        where, kind = waiting.pop()
        if kind not in found and not kind.__name__.startswith("_") and "." not in kind.__qualname__:
            found[kind] = where
            waiting += types_met(kind)
    return found


LONG = "reason " * 140


def objects(folder: Path) -> Iterator[object]:
    """Objects of every kind that the manager gives, of a job that a good deal happened to."""
    store = folder / "jobs.db"
    with StateManager.open(store, durability="process") as manager:
        items = {f"{n:04}" + "k" * 300: {"value": LONG * 9} for n in range(40)}
        yield manager.create_job(items, job_id="j", variables={LONG: LONG * 9})
        with manager.lease("j", LONG[:200]) as lease:
            yield lease
            yield manager.holder("j")
            manager.fire("j", "start_map", {"variables": {"v": LONG}})
            for n in range(6):
                started = ItemEvent(n, "start")
                ended = ItemEvent(n, "succeed", {"result": LONG})
                if n % 2:
                    ended = ItemEvent(n, "fail", {"cause": "error", "message": LONG})
                yield started
                yield ended
                yield Write("j", [started, ended])
                manager.record("j", [started, ended])
            manager.record("j", [ItemEvent(7, "start")])
            yield manager.create_checkpoint("j", reason=LONG[:100])
        for n in (1, 3, 5):
            for _ in range(2):
                manager.record("j", [ItemEvent(n, "retry"), ItemEvent(n, "start")])
                failed = {"cause": "error", "message": LONG}
                manager.record("j", [ItemEvent(n, "fail", failed)])
            manager.record("j", [ItemEvent(n, "give_up")])
        yield from manager.dead_letters("j")
        yield from manager.failures("j").values()
        yield from manager.get_state_history("j")
        yield from manager.list_checkpoints("j")
        yield from manager.list_jobs()
        yield manager.recover_from_checkpoint("j", reason=LONG)
        yield manager.recover_from_checkpoint("j", scope=Scope.keys(*items))
        yield manager.plan_rewind("j", 3, reason=LONG)
        yield manager.diff("j", 1, 9)
        yield manager.compare_inputs("j", {**items, "new" * 100: 1})
        yield manager.keep("j", for_=timedelta(days=3), reason=LONG)
        yield manager.kept("j")
        yield manager.plan_retention(RetentionPolicy())
        yield run(manager, "j")
        yield manager.sizes("j")
        yield manager.compact("j")
        yield manager.repair("j")
        yield manager.repair("j", apply=True)
        yield from manager.verify()
        yield manager.store_format()
        yield manager.vacuum()
        yield manager.fork("j", 5, "fork")
        yield manager.get_state("j")
        yield from _doors(manager)


def _doors(manager: StateManager) -> Iterator[object]:
    """The objects that people call, rather than read."""
    yield manager
    yield manager.limits
    yield manager.upkeep
    soon = milepost.AsyncStateManager(manager)
    yield soon
    yield soon.upkeep
    stop = Stop()
    stop.request(LONG)
    yield stop


def reached(thing: object, seen: set[int], depth: int = 6) -> Iterator[object]:
    """`thing`, and what its public attributes, fields and entries hold, of our classes."""
    if id(thing) in seen or depth == 0:
        return
    seen.add(id(thing))
    if type(thing).__module__.startswith("milepost"):
        yield thing
        names = {
            name
            for name, member in inspect.getmembers_static(type(thing))
            if not name.startswith("_") and not callable(member)
        }
        names |= {f.name for f in dataclasses.fields(thing)} if _is_record(thing) else set()
        for name in sorted(names):
            yield from reached(getattr(thing, name, None), seen, depth - 1)
    if isinstance(thing, list | tuple):
        for each in thing[:5]:
            yield from reached(each, seen, depth - 1)
    elif isinstance(thing, dict) or type(thing).__name__ == "mappingproxy":
        for each in list(typing.cast("dict[object, object]", thing).values())[:5]:
            yield from reached(each, seen, depth - 1)


def _is_record(thing: object) -> typing.TypeGuard[Any]:
    return dataclasses.is_dataclass(thing)
