"""Whether an executor can call the function for items at all, told before an item begins."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

from milepost.executors.returned import Generated, callee_of

__all__ = ["gives_instead", "misfit"]

_DEEPEST: Final = 5


def misfit(function: Callable[..., object], *, awaits: bool, executor: str) -> str:
    """Why `executor` cannot call `function` for any item; empty where nothing speaks against it.

    `awaits` says that it awaits what can be awaited. A partial, a method and an object that is
    called are looked into, and so is a function of one line that returns the call of another.
    """
    gives = gives_instead(function)
    if gives == "a coroutine" and not awaits:
        return (
            f"map_fn gives a coroutine, and {executor} awaits none:"
            " give executor=CoroutineExecutor, of milepost.executors"
        )
    if gives and gives != "a coroutine":
        return f"map_fn gives {gives}: return one result for an item, a list of parts for one"
    return ""


def gives_instead(function: object) -> str:
    """What a function gives that is no result: a coroutine or generator; empty if not known."""
    return _gives(function, 0)


def _gives(function: Any, depth: int) -> str:  # Any: whatever can be called
    """What of the kind that is no result the function gives; empty where that is not known."""
    for _ in range(_DEEPEST):
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
    if isinstance(function, Generated):
        return _by_flags(function.code.co_flags)
    if inspect.isasyncgenfunction(function):
        return "an asynchronous generator"
    if inspect.isgeneratorfunction(function):
        return "a generator"
    if inspect.iscoroutinefunction(function):
        return "a coroutine"
    if isinstance(function, FunctionType):
        callee = callee_of(function) if depth < _DEEPEST else None
        return "" if callee is None else _gives(callee, depth + 1)
    if isinstance(function, type) or not isinstance(
        call := inspect.getattr_static(type(function), "__call__", None), FunctionType
    ):
        return ""
    return _gives(call, depth + 1)


def _by_flags(flags: int) -> str:
    if flags & inspect.CO_ASYNC_GENERATOR:
        return "an asynchronous generator"
    if flags & inspect.CO_GENERATOR:
        return "a generator"
    return "a coroutine" if flags & inspect.CO_COROUTINE else ""
