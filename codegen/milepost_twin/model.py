"""The neutral model of a class that has a twin: its public methods, and the names that they use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

__all__ = ["Import", "Kind", "Method", "Parameter", "Source", "Twin", "TwinFault"]


class TwinFault(Exception):
    """A source that has no twin as it stands."""


class Kind(Enum):
    """How the twin of a method calls it."""

    PROPERTY = auto()
    """It is read at once."""
    PART = auto()
    """A property that holds an object with a twin of its own."""
    OPENER = auto()
    """A class method that makes the object."""
    BY_HAND = auto()
    """The base class of the twin has it, under the same name after `_`."""
    BLOCK = auto()
    """It is entered by `with`, its twin by `async with`."""
    STREAM = auto()
    """It gives an iterator, its twin an asynchronous one."""
    CALL = auto()
    """It is called in a thread."""


class Import(NamedTuple):
    """Where a name comes from: `from module import name`, or `import module` without `name`."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter, its annotation and default as Python text; `default` is None for none."""

    name: str
    annotation: str
    default: str | None
    keyword_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One public method or property, with the lines of its docstring as they stand."""

    name: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    returns: str
    doc: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read of a class and its bases: methods in order, imports by local name.

    `digest` is of these: a change in the body of a method leaves it as it is.
    """

    methods: tuple[Method, ...]
    imports: dict[str, Import]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A class and its twin: `module` and `name` of each.

    `base` is the twin's base class as it is written, `Part[Upkeep]` say, which is kept by hand.
    """

    module: str
    name: str
    twin_module: str
    twin_name: str
    base_module: str
    base: str
    doc: str
    through: str
    """The expression by which a method of the twin reaches the object that it calls."""

    @property
    def base_name(self) -> str:
        """The base class of the twin, without its parameters."""
        return self.base.partition("[")[0]
