"""An old home read job by job: nothing in it is changed, and nothing is left out unsaid."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from milepost import arguments
from milepost.legacy.prodigy.assembly import assemble
from milepost.legacy.prodigy.checkpoints import peek_job_id
from milepost.legacy.prodigy.files import FileKind, Limits, OldFile
from milepost.legacy.prodigy.find import Found, OldJobFiles, find_jobs
from milepost.legacy.prodigy.mappings import Mapping as SessionMapping
from milepost.legacy.prodigy.mappings import sessions_of
from milepost.legacy.prodigy.replay import JobEvents, replay_archives
from milepost.legacy.prodigy.report import Code, Finding, Report
from milepost.legacy.prodigy.sources import read_sources
from milepost.legacy.prodigy.values import OldJob

__all__ = ["Reading", "read_home"]

_CHECKPOINTS = (FileKind.CHECKPOINT, FileKind.CHECKPOINT_TEMPORARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A home whose jobs are read as they are iterated over, each time anew.

    `jobs` are the files of each; `findings` are about the home as a whole, those about a job are
    in its report. Memory: one job at a time, and what archives of events tell of all.
    """

    home: Path
    jobs: tuple[OldJobFiles, ...]
    findings: tuple[Finding, ...]
    _limits: Limits = field(repr=False)
    _archived: Mapping[str, JobEvents] = field(repr=False)
    _sessions: Mapping[str, tuple[SessionMapping, ...]] = field(repr=False)

    def __iter__(self) -> Iterator[OldJob]:
        return (self.read(files) for files in self.jobs)

    def read(self, files: OldJobFiles) -> OldJob:
        """The job of these files, which are among `jobs`."""
        report = Report()
        report.extend(files.findings)
        events = copy.deepcopy(self._archived.get(files.job_id)) or JobEvents()
        sources = read_sources(files, events, self._limits, report)
        return assemble(files, sources, self._sessions.get(files.job_id, ()), report)


def read_home(
    home: Path,
    *,
    job_id: str | None = None,
    repo: str | None = None,
    projects: Iterable[Path] = (),
    limits: Limits | None = None,
) -> Reading:
    """The jobs of a home of the old tool, or only those with that id and of that repo.

    `home` is what PRODIGY_HOME named, usually `~/.prodigy`; `projects` are checkouts whose own
    `.prodigy` is read as well. Files that cannot be read are reported and left out. Raises
    StoreAbsent if `home` is no directory. Cost: the directories are listed, archives of events
    read once, and newer checkpoints twice, since a name does not tell whose they are.
    """
    home = arguments.path("home", home)
    for name, given in (("job_id", job_id), ("repo", repo)):
        if given is not None:
            arguments.text(name, given)
    projects = [
        arguments.path("projects", each) for each in arguments.iterable("projects", projects)
    ]
    limits = Limits() if limits is None else arguments.instance("limits", limits, Limits)
    found = find_jobs(home, projects=projects, limits=limits)
    report = Report()
    report.extend(found.findings)
    jobs = _by_content(found, limits)
    archived = replay_archives(found.archives, limits, report, job_id)
    jobs, archived = _with_archived(jobs, archived, report)
    return Reading(
        home=home,
        jobs=tuple(
            files for files in jobs if job_id in {None, files.job_id} and repo in {None, files.repo}
        ),
        findings=report.findings(),
        _limits=limits,
        _archived=archived,
        _sessions=sessions_of(found.mappings, limits, report),
    )


def _by_content(found: Found, limits: Limits) -> list[OldJobFiles]:
    """The jobs with each checkpoint given to the job that it says it is of, within its repo."""
    moved: dict[tuple[str | None, str], list[tuple[OldFile, Finding]]] = {}
    jobs: list[OldJobFiles] = []
    for files in found.jobs:
        kept: list[OldFile] = []
        for file in files.files:
            said = peek_job_id(file, limits) if file.kind in _CHECKPOINTS else None
            if said is None or said == files.job_id:
                kept.append(file)
                continue
            message = f"lies with job {files.job_id!r} and says that it is of {said!r}: read there"
            finding = Finding(code=Code.ID_DIFFERS, path=file.shown, message=message)
            moved.setdefault((files.repo, said), []).append((file, finding))
        if kept:
            jobs.append(replace(files, files=tuple(kept)))
    given: list[OldJobFiles] = []
    for files in jobs:
        more = moved.pop((files.repo, files.job_id), [])
        given.append(
            replace(
                files,
                files=(*files.files, *(file for file, _ in more)),
                findings=(*files.findings, *(finding for _, finding in more)),
            )
        )
    for (repo, said), more in sorted(moved.items(), key=lambda entry: str(entry[0])):
        given.append(
            OldJobFiles(
                repo=repo,
                job_id=said,
                files=tuple(file for file, _ in more),
                findings=tuple(finding for _, finding in more),
            )
        )
    return given


def _with_archived(
    jobs: list[OldJobFiles], archived: dict[str, JobEvents], report: Report
) -> tuple[list[OldJobFiles], dict[str, JobEvents]]:
    """The jobs, with those that only archives tell of; and the archives' events of each.

    Events of an id that several repos have are given to none of them.
    """
    repos: dict[str, list[str]] = {}
    for files in jobs:
        repos.setdefault(files.job_id, []).append(files.repo or "?")
    usable: dict[str, JobEvents] = {}
    for job_id, events in archived.items():
        of = repos.get(job_id, [])
        if len(of) > 1:
            message = f"its events of job {job_id!r}, which is in {', '.join(of)}: given to none"
            report.add(Code.SHARED_AMBIGUOUS, events.source, message)
            continue
        usable[job_id] = events
    alone = sorted(usable.keys() - repos.keys())
    return [*jobs, *(OldJobFiles(repo=None, job_id=of, files=()) for of in alone)], usable
