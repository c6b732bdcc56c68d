"""A home of the tool Prodigy as a source of old jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from milepost.legacy.prodigy import OldJobFiles, Reading, read_home
from milepost.legacy.prodigy_history.history import TOOL, lines_of, told_of
from milepost.legacy.telling.door import OldHome
from milepost.legacy.telling.names import Named, names_of
from milepost.legacy.telling.values import ToldJob
from milepost.log.drafts import ReportLine

__all__ = ["PRODIGY"]

_PLACES: Final = ("state", "events", "dlq", "mapreduce", "mappings", "resume_locks", "sessions")


class _Home:
    """The jobs of one home; read again, one by one, as they are told."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        names = names_of((files.repo or "", files.job_id) for files in reading.jobs)
        self._files: dict[Named, OldJobFiles] = dict(zip(names, reading.jobs, strict=True))

    @property
    def names(self) -> tuple[Named, ...]:
        """The jobs, in order of repo and id."""
        return tuple(self._files)

    @property
    def report(self) -> tuple[ReportLine, ...]:
        """What there is to say of the home as a whole."""
        return lines_of(self._reading.findings)

    def tell(self, name: Named) -> ToldJob:
        """All that is known of that job."""
        return told_of(self._reading.read(self._files[name]), name)


class _Prodigy:
    """Opens homes of Prodigy: what `PRODIGY_HOME` named, or a checkout's `.prodigy`."""

    tool = TOOL

    def recognises(self, home: Path) -> bool:
        """True if the folder has any of the folders that a home may have."""
        return any((home / place).is_dir() for place in _PLACES)

    def open(self, home: Path) -> OldHome:
        """The jobs in it."""
        return _Home(read_home(home))


PRODIGY: Final = _Prodigy()
"""What imports from Prodigy 0.4."""
