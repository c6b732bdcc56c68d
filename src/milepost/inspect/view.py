"""A view: the answer of a command as data, which its JSON shows field by field."""

from __future__ import annotations

from typing import ClassVar, Protocol

__all__ = ["View"]


class View(Protocol):
    """A frozen struct of plain values and of structs of this package.

    Structs take a tenth of the time of dataclasses to define, and commands are short.

    `SCHEMA` names it with its version, within which fields are only ever added.
    """

    SCHEMA: ClassVar[str]
