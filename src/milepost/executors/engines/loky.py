"""Engines of loky's process pools, its own and the copy that joblib carries."""

from __future__ import annotations

from typing import Any

from milepost.executors.engines.protocol import Engine
from milepost.executors.engines.stdlib import PoolEngine

__all__ = ["LokyEngine", "adapt"]


class LokyEngine(PoolEngine):
    """A process pool of loky. It ends its workers, where the standard library drops futures."""

    def __init__(self, executor: Any, *, owned: bool) -> None:  # Any: loky has no types
        super().__init__(executor, owned=owned, notes="host")
        self._loky = executor

    def _shut(self, *, wait: bool) -> None:
        self._loky.shutdown(wait=wait, kill_workers=not wait)


def adapt(given: Any, *, owned: bool) -> Engine:
    """The engine that makes its calls on a process pool of loky."""
    return LokyEngine(given, owned=owned)
