"""Where the committed drawings of the built-in lifecycle are, installed or in a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import milepost
from milepost.errors import MilepostError
from milepost.text.escapes import printable

__all__ = ["DrawingAbsent", "drawing"]


@dataclass(eq=False, kw_only=True)
class DrawingAbsent(MilepostError):
    """The drawing of a machine is neither in the package nor beside it."""

    code: ClassVar[str] = "drawing-absent"
    name: str
    places: tuple[Path, ...]

    def __str__(self) -> str:
        looked = " or ".join(str(place) for place in self.places)
        return printable(
            f"there is no drawing {self.name} in {looked}: `milepost compile` makes it"
        )


def drawing(lifecycle: str, machine: str, suffix: Literal["svg", "mmd"]) -> str:
    """The committed drawing of one machine. Raises DrawingAbsent.

    A wheel holds the drawings inside the package; a checkout in `diagrams/` at its root.
    """
    name = f"{lifecycle}.{machine}.{suffix}"
    package = Path(milepost.__file__).parent
    places = (package / "diagrams", package.parent.parent / "diagrams")
    for place in places:
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8")
    raise DrawingAbsent(name=name, places=places)
