"""An executor that calls at once, so that a run makes the same commits whenever it is made."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

__all__ = ["Inline"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Inline(Executor):
    """Calls at once, in the thread that submits. Give `run` `workers=1` and `ahead=0` with it.

    What a call raises, `submit` raises: the worker functions of a run raise nothing of their own.
    """

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """A future that has its result already."""
        future: Future[_T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
