"""The door for jobs of other tools: who opens a folder that such a tool left, and what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from milepost.legacy.telling.names import Named
    from milepost.legacy.telling.values import ToldJob
    from milepost.log.drafts import ReportLine

__all__ = ["Importer", "OldHome"]


class OldHome(Protocol):
    """A folder with jobs of one tool, opened. Nothing in it is ever changed."""

    @property
    def names(self) -> Sequence[Named]:
        """The jobs, each with an id that no other of them has; `names_of` makes them."""
        ...

    @property
    def report(self) -> Sequence[ReportLine]:
        """What there is to say of the folder as a whole."""
        ...

    def tell(self, name: Named) -> ToldJob:
        """All that its files tell of that job, which is one of `names`.

        What cannot be read is in its report, and is no error. The same files tell the same, with
        the same fingerprint. Cost: the files of the job.
        """
        ...


@runtime_checkable
class Importer(Protocol):
    """Opens the folders of one tool: the object that an entry point names, or that is given."""

    @property
    def tool(self) -> str:
        """The name of the tool, in commands and in the log."""
        ...

    def recognises(self, home: Path) -> bool:
        """True if the folder looks like one of the tool's. Opens no file; few listings."""
        ...

    def open(self, home: Path) -> OldHome:
        """The jobs in the folder, which is there. Raises StoreAbsent if it cannot be read."""
        ...
