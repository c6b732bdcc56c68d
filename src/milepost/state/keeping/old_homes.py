"""Homes of other tools: the jobs in them are imported by name, or when they are first asked for.

Which tool left a home is said, or guessed by what is in it. Its importer comes in by the door for
jobs of other tools, and is loaded by the first import and not before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from milepost import arguments
from milepost.errors import (
    ImportConflict,
    ImportFailed,
    InputInvalid,
    JobAbsent,
    StateError,
    StoreAbsent,
)
from milepost.job.progress import Progress
from milepost.job.state import JobState
from milepost.log.drafts import LogDraft, ReportLine
from milepost.state.keeping import importing
from milepost.state.keeping.origins import Origin, Origins
from milepost.state.reading.loading import Loader
from milepost.text.commands import command
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

if TYPE_CHECKING:
    from milepost.legacy.telling.door import Importer, OldHome
    from milepost.legacy.telling.names import Named

__all__ = [
    "HomeImport",
    "JobImport",
    "OnJob",
    "Outcome",
    "advice",
    "guessed",
    "import_home",
    "import_named",
    "importer_given",
    "old_home",
]

Outcome: TypeAlias = Literal["imported", "would-import", "already-imported", "conflict", "failed"]

_LISTING: Final = "import without naming any, as a dry run, to see what there is"
_log: Final = logging.getLogger("milepost.state")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobImport:
    """The outcome for one old job; `job_id` is its id here, `old_id` and `repo` its names there.

    `source` is the old file that counted most. `phase` and `progress` are those of the job as its
    old files tell them, `""` and None where no job could be made of it. `error` is what stood in
    the way of a `conflict` and a `failed`.
    """

    job_id: str
    old_id: str
    repo: str
    outcome: Outcome
    source: str = ""
    phase: str = ""
    progress: Progress | None = None
    report: tuple[ReportLine, ...] = ()
    error: StateError | None = None

    @property
    def whole(self) -> bool:
        """True if the job is here, or would be, and nothing of it was lost."""
        return self.error is None and not any(line.severity == "loss" for line in self.report)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HomeImport:
    """The outcome of an import, job by job; `report` is about the home as a whole.

    `tool` is the one that left it, said or guessed.
    """

    home: Path
    tool: str
    jobs: tuple[JobImport, ...]
    report: tuple[ReportLine, ...]

    @property
    def whole(self) -> bool:
        """True if every job is here, or would be, and nothing was lost."""
        lost = any(line.severity == "loss" for line in self.report)
        return not lost and all(job.whole for job in self.jobs)


OnJob: TypeAlias = Callable[[JobImport, int], None]
"""Is told what became of a job, as soon as it did, and how many there are in all."""


def old_home(path: str | Path) -> Path:
    """The directory of a home, `~` expanded. Raises StoreAbsent if there is none."""
    home = Path(path).expanduser()
    if not home.is_dir():
        raise StoreAbsent(
            url=str(home), problem="there is no such directory to import from: check the path"
        )
    return home


def guessed(home: Path) -> str | None:
    """The tool that left a home, by what is in it; None where nothing or several things fit."""
    from milepost.legacy import importers  # noqa: PLC0415 only then

    return importers.guess(home)


def advice(home: Path, job_id: str) -> str:
    """Advice on a job that is not here and is in an old home; `""` if it is not there."""
    tool, opened = _opened(home)
    if any(name.job_id == job_id for name in opened.names):
        return (
            f"an old job of that id is in {home}, and this store is open for reading alone:"
            f" `{command('import', tool, home.absolute(), '--job', job_id)}` imports it"
        )
    return _other_names(opened.names, home, job_id)


def importer_given(tool: object) -> str | Importer:
    """The name of a tool or an importer, as an argument. Raises ArgumentInvalid."""
    if isinstance(tool, str):
        return arguments.text("tool", tool, least=1)
    from milepost.legacy.telling.door import Importer  # noqa: PLC0415 only then

    if isinstance(tool, Importer) and not isinstance(tool, type):
        return tool
    return arguments.refuse("tool", tool, "the name of a tool, or an Importer")


def _opened(home: Path, tool: str | Importer | None = None) -> tuple[str, OldHome]:
    """The tool that left the home, and its jobs; where nothing is known it is the first of all.

    Raises StoreAbsent, ExtraAbsent.
    """
    from milepost.legacy import importers  # noqa: PLC0415 only then

    tool = tool or importers.guess(home) or importers.FIRST
    importer = importers.importer_of(tool) if isinstance(tool, str) else tool
    return importer.tool, importer.open(home)


def _other_names(names: Iterable[Named], home: Path, job_id: str) -> str:
    others = " or ".join(repr(name.job_id) for name in names if name.old_id == job_id)
    return f"the old jobs of that id in {home} are {others} here" if others else ""


def import_named(
    loader: Loader, home: Path, job_id: str, now_us: Callable[[], int]
) -> JobImport | None:
    """Import the old job that has the id `job_id` here; None if the home has none such.

    Raises JobAbsent where old jobs of that id have other ids here, or its files were imported
    under another, ImportFailed, ImportConflict, ValueInvalid, and the store's errors.
    """
    _, opened = _opened(home)
    for name in opened.names:
        if name.job_id == job_id:
            done = _import(loader, opened, name, now_us, Origins(loader), dry_run=False)
            if done.error is not None:
                raise done.error
            if done.job_id != job_id:
                told = f"the old job of that id in {home} is here as {done.job_id!r}"
                raise JobAbsent(job_id=job_id, url=loader.store.url, advice=told)
            return done
    if told := _other_names(opened.names, home, job_id):
        raise JobAbsent(job_id=job_id, url=loader.store.url, advice=told)
    return None


def import_home(
    loader: Loader,
    home: Path,
    now_us: Callable[[], int],
    *,
    tool: str | Importer | None = None,
    job_id: str | None = None,
    repo: str | None = None,
    dry_run: bool = False,
    on_job: OnJob | None = None,
) -> HomeImport:
    """Import the jobs of a home, or only those of that id, old or here, and that repo.

    Each is a transaction of its own, and what stands in the way of one is in what is said of it.
    Raises JobAbsent if there is no job of that id, StoreAbsent if none of that repo, or no such
    tool, and the store's errors. Memory: one old job at a time.
    """
    left_by, opened = _opened(home, tool)
    wanted = [
        name
        for name in opened.names
        if job_id in (None, name.job_id, name.old_id) and repo in (None, name.repo)
    ]
    if not wanted and job_id is not None:
        raise JobAbsent(job_id=job_id, url=str(home), advice=_LISTING)
    if not wanted and repo is not None:
        raise StoreAbsent(url=str(home), problem=f"has no job of a repo {repo!r}: {_LISTING}")
    jobs: list[JobImport] = []
    origins = Origins(loader)
    for name in wanted:
        jobs.append(_import(loader, opened, name, now_us, origins, dry_run=dry_run))
        if on_job is not None:
            on_job(jobs[-1], len(wanted))
    return HomeImport(home=home, tool=left_by, jobs=tuple(jobs), report=_bounded(opened.report))


def _bounded(report: Iterable[ReportLine]) -> tuple[ReportLine, ...]:
    from milepost.legacy.telling.notes import report_of  # noqa: PLC0415 only then

    return report_of(report)


def _import(
    loader: Loader,
    opened: OldHome,
    name: Named,
    now_us: Callable[[], int],
    origins: Origins,
    *,
    dry_run: bool,
) -> JobImport:
    """One old job, imported unless it is here already; what may go wrong with it is in `error`."""
    from milepost.legacy.telling.history import log_of  # noqa: PLC0415 only then

    told = opened.tell(name)
    done = JobImport(
        job_id=name.job_id,
        old_id=name.old_id,
        repo=name.repo,
        outcome="failed",
        source=told.source,
        report=_bounded(told.report),
    )
    try:
        draft = log_of(
            told, name, lifecycle=loader.tables.own, now_us=now_us(), payloads=loader.payloads
        )
        return _placed(loader, opened, origins, done, draft, dry_run=dry_run)
    except ImportConflict as error:
        return replace(done, outcome="conflict", error=error)
    except (ImportFailed, InputInvalid) as error:
        return replace(done, error=error)


def _placed(
    loader: Loader,
    opened: OldHome,
    origins: Origins,
    done: JobImport,
    draft: LogDraft,
    *,
    dry_run: bool,
) -> JobImport:
    """The job where it is: here before, under another name, or stored now."""
    from milepost.legacy.telling.notes import Note, Notes, report_of  # noqa: PLC0415 only then

    with loader.store.reading() as reader:
        there = importing.place(loader, reader, draft)
        twin = None if there else origins.twin(reader, draft)
        earlier = None if there or twin else origins.earlier(reader, draft)
    found = twin or earlier
    if found is not None:
        was = (found.imported.repo, found.imported.old_id)
        copied = was in {(each.repo, each.old_id) for each in opened.names}
        if earlier is not None and not copied:
            raise _gone_on(earlier, loader.store.url)
        there = None if copied else found.job_id
        notes = Notes(done.source)
        notes.add(Note.JOB_KNOWN, _known(found, copied=copied, more=earlier is not None))
        draft = replace(draft, report=report_of(draft.report, notes.lines))
    done = replace(done, report=draft.report)
    return _store(loader, origins, done, draft, there, dry_run=dry_run)


def _gone_on(earlier: Origin, url: str) -> ImportConflict:
    """What is raised for an old job that was imported under another name, and went on since."""
    problem = (
        f"was imported before, of {earlier.imported.old_id!r}; the same files have another name"
        " now and tell more: it was left as it is; import what they say now into another store"
    )
    return ImportConflict(job_id=earlier.job_id, url=url, problem=problem)


def _known(twin: Origin, *, copied: bool, more: bool) -> str:
    """What is said of an old job whose files tell what those of another told that is here.

    Or all that, and more.
    """
    was = f"{twin.imported.old_id!r}, which was imported before as {twin.job_id!r}"
    if copied:
        same = f"all that those of {was}, and more" if more else f"the very same as those of {was}"
        return (
            f"its files tell {same}: both are jobs here; if one is a copy of the other, delete one,"
            " or what is left to do is paid for twice"
        )
    return (
        f"its files tell the very same as those of {was}: that job is taken for this one, under"
        " another name; if they are two, import this one into another store"
    )


def _store(
    loader: Loader,
    origins: Origins,
    done: JobImport,
    draft: LogDraft,
    there: str | None,
    *,
    dry_run: bool,
) -> JobImport:
    """The job as it is `there`, if it is, or else is stored now."""
    state: JobState | None = None
    if there is None and not dry_run:
        with loader.store.writing() as writer:
            there = importing.place(loader, writer, draft)  # others may have been first
            if there is None:
                state = importing.store(loader, writer, draft)
    outcome: Outcome = "already-imported" if there else "would-import"
    if state is None:
        state = importing.fold_of(draft, loader.tables, loader.payloads)
    else:
        outcome = "imported"
        origins.add(draft, state.number)
        loader.metrics.began_job("imported", loader.tables.own.name)
        _log.info("job %s imported from %s", draft.job_id, printable(draft.imported.source))
    return replace(
        done,
        job_id=there or done.job_id,
        outcome=outcome,
        phase=state.phase,
        progress=state.progress,
    )
