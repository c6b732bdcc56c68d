"""The engine of whatever a run was given as its executor, found by its type.

A type is looked for among the modules that the caller has imported: nothing is imported here that
was not there before, but the adapter of what was found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeAlias, TypeGuard

from milepost import arguments
from milepost.executors.coroutines import CoroutineExecutor
from milepost.executors.engines import coroutines, stdlib
from milepost.executors.engines.protocol import Engine

__all__ = ["Adapter", "engine_of", "known", "register"]

_ADAPTERS: Final = "milepost.executors.engines."
_WANTED: Final = "an executor, or something that makes one,"


class Adapter(Protocol):
    """Makes the engine of an object. `owned`: a run made the object, and closes it."""

    def __call__(self, given: Any, /, *, owned: bool) -> Engine:
        """The engine of `given`. Any: each adapter takes objects of its own type."""
        ...


class _Place(NamedTuple):
    """A type by the public name that its package gives it."""

    module: str
    name: str

    def holds(self, given: object) -> bool:
        kind = getattr(sys.modules.get(self.module), self.name, None)
        return isinstance(kind, type) and isinstance(given, kind)


_Known: TypeAlias = tuple[_Place, str]

_KNOWN: Final[tuple[_Known, ...]] = (
    (_Place("loky", "ProcessPoolExecutor"), "loky"),
    (_Place("joblib.externals.loky", "ProcessPoolExecutor"), "loky"),
    (_Place("distributed", "Client"), "dask"),
    (_Place("distributed.cfexecutor", "ClientExecutor"), "dask"),
    (_Place("pebble", "ProcessPool"), "pebble"),
)
"""Types of other packages, and the modules here whose `adapt` makes their engines."""

_INSTEAD: Final[tuple[_Known, ...]] = (
    (_Place("multiprocessing.pool", "Pool"), "give partial(process_pool, workers)"),
    (_Place("distributed.deploy", "Cluster"), "give the Client of it"),
    (_Place("distributed", "Scheduler"), "give the Client of it"),
    (_Place("ray.util.multiprocessing", "Pool"), "give RayEngine(), of milepost.executors.engines"),
    (_Place("pebble", "ThreadPool"), "give ThreadPoolExecutor, of concurrent.futures"),
    (_Place("asyncio", "AbstractEventLoop"), "give CoroutineExecutor, of milepost.executors"),
)
"""Types that are no engines, though one may take them for that, and what to give instead."""

_REGISTERED: Final[dict[type, Adapter]] = {}


def register(kind: type, adapter: Adapter) -> None:
    """Have `run` take objects of a type for engines.

    An object that is an `Engine` itself, and an executor with a method `slots()`, need no adapter.

    Args:
        kind: The type, whose subclasses are adapted too.
        adapter: Is called with the object, and with `owned=True` if the run made the object and has
            to close it.

    Raises:
        ArgumentInvalid: The first is no type, or the second cannot be called.
    """
    arguments.calls("adapter", adapter)
    _REGISTERED[arguments.instance("kind", kind, type, "a type")] = adapter


def known(given: object) -> bool:
    """True if `given` is an engine, or has one; a function that makes one has none."""
    return _is_engine(given) or isinstance(given, Executor) or _adapter_of(given) is not None


def engine_of(given: object, *, owned: bool) -> Engine:
    """The engine of `given`, which a run has made if it is `owned`. Raises ArgumentInvalid."""
    adapter = _adapter_of(given)
    if adapter is not None:
        return arguments.instance(
            "adapter", adapter(given, owned=owned), Engine, "something that makes an engine"
        )
    if _is_engine(given):
        return given
    if not isinstance(given, Executor):
        refuse(given, "something that makes an executor" if owned else _WANTED)
    return stdlib.ExecutorEngine(given, owned=owned)


def _is_engine(given: object) -> TypeGuard[Engine]:
    """True for an engine; a class of engines has all that one has, and makes one."""
    return isinstance(given, Engine) and not isinstance(given, type)


def refuse(given: object, wanted: str = _WANTED) -> NoReturn:
    """Raise ArgumentInvalid for what has no engine, and say what to give instead."""
    found = next((instead for place, instead in _INSTEAD if place.holds(given)), "")
    arguments.refuse("executor", given, f"{wanted.rstrip(',')}: {found}" if found else wanted)


def _adapter_of(given: object) -> Callable[..., Engine] | None:
    """What makes the engine of `given`: what was registered for the nearest of its types first."""
    for kind in type(given).__mro__:
        if kind in _REGISTERED:
            return _REGISTERED[kind]
    for place, name in _KNOWN:
        if place.holds(given):
            adapter: Callable[..., Engine] = import_module(_ADAPTERS + name).adapt
            return adapter
    if isinstance(given, CoroutineExecutor):
        return coroutines.adapt
    if isinstance(given, ThreadPoolExecutor | ProcessPoolExecutor):
        return stdlib.adapt
    return None
