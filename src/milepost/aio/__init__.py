"""`AsyncStateManager`, the manager for coroutines; their writes go in together. For executors."""

from milepost.aio.manager import AsyncStateManager

__all__ = ["AsyncStateManager"]
