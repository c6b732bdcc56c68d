"""A view: the answer of a command as data, which its JSON shows field by field."""

from __future__ import annotations

from typing import ClassVar, Protocol

__all__ = ["View"]


class View(Protocol):
    """A frozen dataclass of plain values and of dataclasses of this package.

    `SCHEMA` names it with its version, within which fields are only ever added.
    """

    SCHEMA: ClassVar[str]
