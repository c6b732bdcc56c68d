"""Names of a module that are loaded when they are first used: the one way in which this is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

__all__ = ["loaded_when_used"]


def loaded_when_used(
    module: str,
    names: Mapping[str, str] = MappingProxyType({}),
    modules: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a module whose names are loaded when they are first used.

    The module says the same names twice more, for whoever reads it without running it: in
    `__all__`, and as imports under `TYPE_CHECKING`, by which checkers know the types and the import
    contracts see each dependency. A test holds the three to each other.

    Threads that ask for a name at once wait for one import, which Python locks by module, and get
    the same object. It is put in its place then, and later uses do not come by here.

    Args:
        module: The `__name__` of the module.
        names: By name, the module that defines it.
        modules: By name, the module that is meant by it.
    """

    def load(name: str) -> object:
        if name in names:
            found: object = getattr(import_module(names[name]), name)
        elif name in modules:
            found = import_module(modules[name])
        else:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        setattr(sys.modules[module], name, found)
        return found

    def listed() -> list[str]:
        return sorted((*names, *modules))

    return load, listed
