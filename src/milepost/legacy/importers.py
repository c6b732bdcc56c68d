"""Which tools jobs are imported from, and which of them left a folder.

A package brings the importer of a tool by an entry point of the group `milepost.importers`, which
has the name of the tool and names an `Importer`. Those of this project are asked in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from milepost.discovery.installed import entries
from milepost.errors import ExtraAbsent, StoreAbsent
from milepost.extras import needing
from milepost.legacy.telling.door import Importer

__all__ = ["FIRST", "GROUP", "guess", "importer_of", "tools"]

GROUP: Final = "milepost.importers"
"""The group of entry points."""

FIRST: Final = "prodigy"
"""The tool whose home a folder is taken for that no importer recognises."""

_OURS: Final = ("curator", "prodigy")


def tools() -> tuple[str, ...]:
    """The names of the tools whose jobs can be imported, in order."""
    return tuple(sorted({*_OURS, *(each.name for each in entries(GROUP))}))


def importer_of(tool: str) -> Importer:
    """The importer of that tool. Raises StoreAbsent where there is none, or it cannot be loaded."""
    if tool == "prodigy":
        with needing("legacy", "an import of old jobs"):
            from milepost.legacy.prodigy_history import PRODIGY  # noqa: PLC0415 with pydantic
        return PRODIGY
    if tool == "curator":
        from milepost.legacy.curator import CURATOR  # noqa: PLC0415 only then

        return CURATOR
    for each in entries(GROUP):
        if each.name == tool:
            try:
                found: Importer = each.load()
            except Exception as error:
                problem = (
                    f"the package that imports from it cannot be loaded ({each.value}:"
                    f" {type(error).__name__}: {error}): install it anew"
                )
                raise StoreAbsent(url=tool, problem=problem) from error
            return found
    known = ", ".join(tools())
    problem = f"is no tool that jobs are imported from: name one of {known}"
    raise StoreAbsent(url=tool, problem=problem)


def guess(home: Path) -> str | None:
    """The only tool that recognises the folder as its own; None where none or several do.

    A tool whose packages are not installed, or cannot be loaded, recognises nothing.
    """
    found = [tool for tool in tools() if _recognises(tool, home)]
    return found[0] if len(found) == 1 else None


def _recognises(tool: str, home: Path) -> bool:
    try:
        return importer_of(tool).recognises(home)
    except (ExtraAbsent, StoreAbsent):
        return False
