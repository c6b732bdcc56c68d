"""The engine of pebble: a process pool that ends the worker of a call that is stopped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from milepost.executors.engines.protocol import Engine, Lost, is_one_of

__all__ = ["PebbleEngine", "adapt"]

_T = TypeVar("_T")


class PebbleEngine(Engine):
    """A ProcessPool of pebble. It puts another worker in the place of one that is lost or ended."""

    name = "pebble"
    kills = True
    notes = "host"

    def __init__(self, pool: Any, *, owned: bool) -> None:  # Any: half typed
        self._pool = pool
        self._owned = owned
        self._left: set[Future[Any]] = set()

    def submit(
        self, call: Callable[..., _T], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[_T]:
        """See Engine. The run keeps the time itself, and stops the call."""
        del token, timeout_s
        future: Future[_T] = self._pool.schedule(call, args=args)
        self._left.add(future)
        future.add_done_callback(self._left.discard)
        return future

    def slots(self) -> int | None:
        """See Engine."""
        context = getattr(self._pool, "_context", None)  # pebble says it nowhere else
        found = getattr(context, "workers", None)
        return found if isinstance(found, int) else None

    def begun(self, future: Future[Any]) -> bool:
        """See Engine: pebble hears from a worker as it begins."""
        return future.running() if not future.done() else super().begun(future)

    def take_back(self, future: Future[Any]) -> bool:
        """See Engine. A call may have begun of which pebble has not heard yet, so none is."""
        del future
        return False

    def lost(self, error: BaseException) -> Lost | None:
        """See Engine."""
        if is_one_of(error, frozenset({"ProcessExpired"})):
            return Lost.WORKER
        return super().lost(error)

    def stop(self, future: Future[Any]) -> bool:
        """See Engine: pebble kills the worker of a call that is cancelled."""
        future.cancel()
        return True

    def close(self, *, wait: bool) -> None:
        """See Engine; a pool of the caller's stays open."""
        for future in list(self._left):
            self.stop(future)
        if not self._owned:
            return
        if wait:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()


def adapt(given: Any, *, owned: bool) -> Engine:
    """The engine that makes its calls on a ProcessPool of pebble."""
    return PebbleEngine(given, owned=owned)
