"""The jobs of an old home: which files of which kind exist for each, wherever they may lie.

{repo} is the last part of the project's path, so two checkouts may share it. Below the home:

    state/{repo}/mapreduce/jobs/{job}/        old states; events/events.jsonl; newer checkpoints
    state/{repo}/mapreduce/dlq/{job}/items/   dead letters as resuming looks for them
    state/{repo}/{job}/mapreduce/checkpoints/ newer checkpoints
    state/reduce_checkpoints/{job}/           progress of reducing, without a repo
    events/{repo}/{job}/, events/archive/     event logs; archives hold those of many jobs
    dlq/{repo}/{job}/[mapreduce/dlq/{job}/]items/   dead letters
    resume_locks/, mappings/                  small files, without a repo

Where the home could not be written, {project}/.prodigy/mapreduce/ takes the place of the first two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from milepost.errors import StoreAbsent
from milepost.legacy.prodigy.files import FileKind, Limits, OldFile
from milepost.legacy.prodigy.report import Code, Finding, Report
from milepost.legacy.prodigy.walk import Entry, Walk

__all__ = ["Found", "OldJobFiles", "find_jobs"]

_USUAL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_CHECKPOINT: Final = re.compile(r"cp-.+\.checkpoint(?:\.(?:json|gz|zst|lz4))?")
_JOB_FILES: Final = (
    (re.compile(r"checkpoint-v(?:0|[1-9][0-9]{0,9})\.json", re.ASCII), FileKind.STATE),
    (re.compile(r"checkpoint-v(?:0|[1-9][0-9]{0,9})\.tmp", re.ASCII), FileKind.STATE_TEMPORARY),
    (re.compile(r"metadata\.json"), FileKind.METADATA),
    (_CHECKPOINT, FileKind.CHECKPOINT),
    (re.compile(r"cp-.+\.checkpoint(?:\..*)?\.tmp"), FileKind.CHECKPOINT_TEMPORARY),
)
_CHECKPOINT_FILES: Final = _JOB_FILES[3:]
_REDUCE_FILES: Final = ((re.compile(r"reduce-checkpoint-v[0-9]+-.+\.json"), FileKind.REDUCE),)
_EVENT_FILES: Final = (
    (re.compile(r"events(?:[-.].*)?\.jsonl(?:\.gz)?"), FileKind.EVENTS),
    (re.compile(r"index\.json"), FileKind.EVENT_INDEX),
)
_ARCHIVE_FILES: Final = ((re.compile(r"events_archive_.+\.jsonl(?:\.gz)?"), FileKind.ARCHIVE),)
_LETTER_FILES: Final = ((re.compile(r".+\.json"), FileKind.DEAD_LETTER),)
_INDEX_FILES: Final = ((re.compile(r"index\.json"), FileKind.DEAD_LETTER_INDEX),)
_MAPPING_FILES: Final = ((re.compile(r".+\.json"), FileKind.MAPPING),)
_LOCK_FILES: Final = ((re.compile(r".+\.lock"), FileKind.LOCK),)

_Patterns = Sequence[tuple[re.Pattern[str], FileKind]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldJobFiles:
    """The files of one job, in order of place and name. `repo` is None where none tells it."""

    repo: str | None
    job_id: str
    files: tuple[OldFile, ...]
    findings: tuple[Finding, ...] = ()

    def of(self, *kinds: FileKind) -> tuple[OldFile, ...]:
        """The files of any of `kinds`."""
        return tuple(file for file in self.files if file.kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a home holds. `jobs` are sorted by repo and id; the other files are of many jobs."""

    home: Path
    jobs: tuple[OldJobFiles, ...]
    archives: tuple[OldFile, ...]
    mappings: tuple[OldFile, ...]
    findings: tuple[Finding, ...]


def find_jobs(home: Path, *, projects: Iterable[Path] = (), limits: Limits | None = None) -> Found:
    """The jobs below `home`, and below `.prodigy` in each of `projects`. Opens no file.

    Raises StoreAbsent if `home` is no directory. A project without `.prodigy` adds nothing.
    """
    limits = limits or Limits()
    report = Report()
    if not home.is_dir():
        raise StoreAbsent(
            url=str(home), problem="there is no such directory to read a home from: check the path"
        )
    search = _Search(Walk(home, "", limits.max_entries, report), report)
    search.home()
    search.base(home.resolve().parent.name, search.walk.below(search.walk.top, "mapreduce"))
    seen = {home.resolve()}
    for project in projects:
        place = project / ".prodigy"
        if place.is_dir() and place.resolve() not in seen:
            seen.add(place.resolve())
            search.walk = Walk(place, place.as_posix(), search.walk.left, report)
            base = search.walk.below(search.walk.top, "mapreduce")
            search.base(project.resolve().name, base)
    return search.found(home)


class _Search:
    """The files found so far, by repo and job; `walk` is replaced for each tree."""

    def __init__(self, walk: Walk, report: Report) -> None:
        self.walk = walk
        self.report = report
        self.jobs: dict[tuple[str, str], list[OldFile]] = {}
        self.shared: dict[str, list[OldFile]] = {}  # by job, of no repo
        self.archives: list[OldFile] = []
        self.mappings: list[OldFile] = []

    def home(self) -> None:
        """All places below a home."""
        walk, top = self.walk, self.walk.top
        state = walk.below(top, "state")
        for repo in walk.directories(state):
            self.state(repo)
        for job in walk.directories(walk.below(state, "reduce_checkpoints")):
            if job.name != "mapreduce":
                self._share(job.name, self._matching(job, _REDUCE_FILES))
        events = walk.below(top, "events")
        for repo in walk.directories(events):
            for job in walk.directories(repo):
                self._add(repo.name, job.name, self._matching(job, _EVENT_FILES))
        self.archives += self._matching(walk.below(events, "archive"), _ARCHIVE_FILES)
        for repo in walk.directories(walk.below(top, "dlq")):
            for job in walk.directories(repo):
                self.letters(repo.name, job)
        self.mappings += self._matching(walk.below(top, "mappings"), _MAPPING_FILES)
        for lock in self._matching(walk.below(top, "resume_locks"), _LOCK_FILES):
            message = "a lock of the old tool: not read, and it holds nothing up here"
            self.report.add(Code.LOCK_IGNORED, lock.shown, message)
            self._share(lock.name.removesuffix(".lock"), [lock])
        sessions = walk.below(top, "sessions")
        count = sum(1 for _ in (*walk.files(sessions), *walk.directories(sessions)))
        if sessions is not None and count:
            message = f"{count} sessions of workflows that are not jobs: not read"
            self.report.add(Code.OTHER_FORMAT, sessions.shown, message)

    def state(self, repo: Entry) -> None:
        """The states of one repo."""
        for child in self.walk.directories(repo):
            if child.name == "mapreduce":
                self.base(repo.name, child)
            elif child.name == "checkpoints":
                message = "checkpoints of workflows that are not jobs: not read"
                self.report.add(Code.OTHER_FORMAT, child.shown, message)
            else:
                place = self.walk.below(child, "mapreduce", "checkpoints")
                self._add(repo.name, child.name, self._matching(place, _CHECKPOINT_FILES))

    def base(self, repo: str, mapreduce: Entry | None) -> None:
        """A directory with `jobs` and `dlq`: of a home's repo, or of a project."""
        walk = self.walk
        for job in walk.directories(walk.below(mapreduce, "jobs")):
            self._add(repo, job.name, self._matching(job, _JOB_FILES))
            events = self._matching(walk.below(job, "events"), _EVENT_FILES)
            self._add(repo, job.name, events)
        for job in walk.directories(walk.below(mapreduce, "dlq")):
            self._queue(repo, job.name, job)

    def letters(self, repo: str, job: Entry) -> None:
        """The queue of one job at whatever depth."""
        self._queue(repo, job.name, job)
        inner = self.walk.below(job, "mapreduce", "dlq")
        self._queue(repo, job.name, inner)
        for named in self.walk.directories(inner):
            if named.name != "items":
                self._queue(repo, named.name, named)

    def _queue(self, repo: str, job_id: str, at: Entry | None) -> None:
        self._add(repo, job_id, self._matching(self.walk.below(at, "items"), _LETTER_FILES))
        indexes = [e.file(FileKind.DEAD_LETTER_INDEX) for e in self._named(at, "index.json")]
        self._add(repo, job_id, indexes)

    def _named(self, at: Entry | None, name: str) -> list[Entry]:
        return [entry for entry in self.walk.files(at) if entry.name == name]

    def _matching(self, at: Entry | None, patterns: _Patterns) -> list[OldFile]:
        found: list[OldFile] = []
        for entry in self.walk.files(at):
            kinds = [kind for pattern, kind in patterns if pattern.fullmatch(entry.name)]
            if kinds:
                found.append(entry.file(kinds[0]))
            else:
                self.report.add(Code.FILE_UNKNOWN, entry.shown, "of no known format: left out")
        return found

    def _add(self, repo: str, job_id: str, files: list[OldFile]) -> None:
        if files:
            self.jobs.setdefault((repo, job_id), []).extend(files)

    def _share(self, job_id: str, files: list[OldFile]) -> None:
        if files:
            self.shared.setdefault(job_id, []).extend(files)

    def found(self, home: Path) -> Found:
        """All of it, the files that name no repo given to the only job that they can be of."""
        repos: dict[str, list[str]] = {}
        for repo, job_id in sorted(self.jobs):
            repos.setdefault(job_id, []).append(repo)
        jobs: dict[tuple[str | None, str], list[OldFile]] = {}
        jobs.update(self.jobs.items())
        for job_id, files in sorted(self.shared.items()):
            of = repos.get(job_id, [])
            if len(of) == 1:
                jobs[of[0], job_id] += files
            elif of:
                self._ambiguous(job_id, of, files)
            elif any(file.kind is not FileKind.LOCK for file in files):
                jobs[None, job_id] = files
        found = sorted(jobs.items(), key=lambda entry: (entry[0][0] or "", entry[0][1]))
        return Found(
            home=home,
            jobs=tuple(
                OldJobFiles(
                    repo=repo,
                    job_id=job_id,
                    files=tuple(files),
                    findings=_about(job_id, files, repos.get(job_id, [])),
                )
                for (repo, job_id), files in found
            ),
            archives=tuple(self.archives),
            mappings=tuple(self.mappings),
            findings=self.report.findings(),
        )

    def _ambiguous(self, job_id: str, repos: list[str], files: list[OldFile]) -> None:
        for file in files:
            if file.kind is not FileKind.LOCK:
                message = f"job {job_id!r} is in {', '.join(repos)}: given to none of them"
                self.report.add(Code.SHARED_AMBIGUOUS, file.shown, message)


def _about(job_id: str, files: list[OldFile], repos: list[str]) -> tuple[Finding, ...]:
    """What is to be said of a job before any of its files is opened."""
    report = Report()
    first = files[0].place
    if not _USUAL_ID.fullmatch(job_id):
        message = f"the job id {job_id!r} is not of the usual characters"
        report.add(Code.JOB_ID_UNUSUAL, first, message)
    if len(repos) > 1:
        message = f"job {job_id!r} is in {', '.join(repos)}: each is a job of its own"
        report.add(Code.JOB_ID_SHARED, first, message)
    for kind in (FileKind.STATE, FileKind.CHECKPOINT, FileKind.DEAD_LETTER):
        places = list(dict.fromkeys(file.place for file in files if file.kind is kind))
        for place in places[1:]:
            message = f"files of kind {kind} are here and in {places[0]}: both are read"
            report.add(Code.PLACE_DUPLICATE, place, message)
    return report.findings()
