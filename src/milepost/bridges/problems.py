"""Why a bridge cannot be built: each error says what is in the way and what to do.

MilepostError
├── PackageMissing (ImportError)   the package of the other side is not installed
└── NameTaken (ValueError)         an event has a name that the other side needs itself
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from milepost.machine import MilepostError
from milepost.text.escapes import printable

__all__ = ["NameTaken", "PackageMissing"]


@dataclass(eq=False, kw_only=True)
class PackageMissing(MilepostError, ImportError):
    """The package that a bridge leads to is not installed."""

    code: ClassVar[str] = "bridge-package-missing"
    package: str

    def __str__(self) -> str:
        return printable(
            f"the package '{self.package}' is not installed: pip install 'milepost[bridges]',"
            f" or pip install {self.package}"
        )


@dataclass(eq=False, kw_only=True)
class NameTaken(MilepostError, ValueError):
    """An event would become a trigger whose name the model has for something else."""

    code: ClassVar[str] = "bridge-name-taken"
    machine: str
    event: str
    trigger: str

    def __str__(self) -> str:
        return printable(
            f"{self.machine}: event '{self.event}' cannot become the trigger '{self.trigger}':"
            " the model has that name already; give triggers a prefix, such as prefix='on_'"
        )
