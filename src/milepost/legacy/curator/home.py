"""A working folder of curator, or the folder of one of its jobs, as a source of old jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from milepost.legacy.curator.files import Limits, Listed, listed, name_of
from milepost.legacy.curator.job import TOOL, is_job, read
from milepost.legacy.curator.report import Code, Report
from milepost.legacy.telling.door import OldHome
from milepost.legacy.telling.names import Named, names_of
from milepost.legacy.telling.values import ToldJob
from milepost.log.drafts import ReportLine
from milepost.text.escapes import printable

__all__ = ["CURATOR", "open_home"]

_DATABASE: Final = "metadata.db"


class _Home:
    """The jobs of one folder; each is read when it is told."""

    def __init__(self, home: Path, limits: Limits) -> None:
        self._limits = limits
        self._report = Report()
        self._found: dict[Named, tuple[Path, Listed, tuple[ReportLine, ...]]] = {}
        here = listed(home, "", limits, self._report)
        folders = [home] if is_job(here.files) else [home / each for each in here.folders]
        jobs: list[tuple[Path, Listed, tuple[ReportLine, ...]]] = []
        for folder in folders:
            report = Report()
            inside = listed(folder, printable(name_of(folder)), limits, report)
            if is_job(inside.files):
                jobs.append((folder, inside, tuple(report.lines)))
            else:
                self._report.lines += report.lines
                message = "holds no requests or responses: not read"
                self._report.add(Code.FILE_NOT_READ, printable(name_of(folder)), message)
        if _DATABASE in here.files and not is_job(here.files):
            message = "not read: it has the source of prompts, and of a viewer's sessions"
            self._report.add(Code.FILE_NOT_READ, _DATABASE, message)
        names = names_of(("", name_of(folder)) for folder, _, _ in jobs)
        self._found.update(zip(names, jobs, strict=True))

    @property
    def names(self) -> tuple[Named, ...]:
        """The jobs, in order of their folders."""
        return tuple(self._found)

    @property
    def report(self) -> tuple[ReportLine, ...]:
        """What there is to say of the folder as a whole."""
        return tuple(self._report.lines)

    def tell(self, name: Named) -> ToldJob:
        """All that the files of that job tell."""
        folder, found, said = self._found[name]
        report = Report()
        report.lines += said
        return read(folder, printable(name_of(folder)), found, name, self._limits, report)


def open_home(home: Path, limits: Limits | None = None) -> OldHome:
    """The jobs of a working folder, or of the folder of one job. Lists folders, opens no file."""
    return _Home(home, limits or Limits())


class _Curator:
    """Opens folders of curator."""

    tool = TOOL

    def recognises(self, home: Path) -> bool:
        """True if the folder has requests or responses, or folders of it have."""
        limits, unsaid = Limits(), Report()
        here = listed(home, "", limits, unsaid)
        return is_job(here.files) or any(
            is_job(listed(home / each, each, limits, unsaid).files) for each in here.folders
        )

    def open(self, home: Path) -> OldHome:
        """The jobs in it."""
        return open_home(home)


CURATOR: Final = _Curator()
"""What imports from bespokelabs-curator 0.1."""
