"""The engine of coroutines: calls on one event loop, each of which can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.engines.protocol import Engine
from milepost.executors.engines.stdlib import PoolEngine

__all__ = ["CoroutineEngine", "adapt"]

_T = TypeVar("_T")


class CoroutineEngine(PoolEngine):
    """A CoroutineExecutor. A coroutine that is stopped keeps its slot until it has really ended."""

    awaits = True

    def __init__(self, executor: CoroutineExecutor, *, owned: bool) -> None:
        super().__init__(executor, owned=owned, notes="here")
        self._coroutines = executor

    def submit_each(
        self,
        call: Callable[[Any], _T],
        given: Sequence[Any],
        /,
        *,
        ended: Callable[[Future[_T]], object],
        timeout_s: float | None,
    ) -> Sequence[Future[_T]]:
        """See Engine."""
        del timeout_s
        return self._coroutines.submit_each(call, given, ended)

    def stop(self, future: Future[Any]) -> bool:
        """See Engine."""
        self._coroutines.abandon(future)
        return False


def adapt(given: CoroutineExecutor, *, owned: bool) -> Engine:
    """The engine that makes its calls on a CoroutineExecutor."""
    return CoroutineEngine(given, owned=owned)
