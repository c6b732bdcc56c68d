"""Names of a module that are loaded when they are first used: the one way in which this is done.

Loads go one at a time. Python locks each module by itself, and two threads that load modules which
need each other's packages would otherwise come to wait for one another, which Python ends by giving
one of them a module that is half there. A fork waits for the load that is under way, so that no
child has such a module for ever. It waits before it takes the locks of the two modules below that
hold locks during forks, since loads take those too: hooks run in the reverse order of their
registration. What is loaded uses no late name while it is loaded itself, which a test holds:
whoever has the lock waits for nobody who wants it.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 registered its lock before ours
import logging  # noqa: F401 registered its lock before ours
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import RLock
from types import MappingProxyType
from typing import Any, Final

__all__ = ["called_when_used", "loaded_when_used"]

_loading: Final = RLock()

os.register_at_fork(
    before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release
)


def loaded_when_used(
    module: str,
    names: Mapping[str, str] = MappingProxyType({}),
    modules: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a module whose names are loaded when they are first used.

    The module says the same names twice more, for whoever reads it without running it: in
    `__all__`, and as imports under `TYPE_CHECKING`, by which checkers know the types and the import
    contracts see each dependency. A test holds the three to each other. What was loaded is put in
    its place, and later uses do not come by here.

    Args:
        module: The `__name__` of the module.
        names: By name, the module that defines it.
        modules: By name, the module that is meant by it.
    """

    def load(name: str) -> object:
        if name not in names and name not in modules:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        with _loading:
            if name in names:
                found: object = getattr(import_module(names[name]), name)
            else:
                found = import_module(modules[name])
            setattr(sys.modules[module], name, found)
        return found

    def listed() -> list[str]:
        return sorted((*names, *modules))

    return load, listed


def called_when_used(module: str, function: str) -> Callable[[Any], str]:
    """A method that is `function` of `module`, which joins by name and is loaded by the first call.

    For what a value looks like to a tool that asks it: who draws knows the value, and the value
    does not know who draws, so that imports go one way.

    Args:
        module: The full name of the module that draws.
        function: The name of its function, which takes the value and returns text.
    """

    def method(self: Any) -> str:  # Any: whichever class has the method
        with _loading:
            found: Callable[[Any], str] = getattr(import_module(module), function)
        return found(self)

    return method
