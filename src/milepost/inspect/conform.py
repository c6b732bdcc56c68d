"""`milepost conform`: whether logs are as a definition says, and where one departs from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from msgspec import Struct

from milepost.clock import instant
from milepost.conformance import departures
from milepost.conformance.walking import Conformance, Definitions, walked
from milepost.errors import StateError
from milepost.inspect.page import Block, Column, Fields, Note, Page, Table
from milepost.inspect.words import stamp, value
from milepost.job.versions import catalogue_of
from milepost.machine import Lifecycle
from milepost.state.reading.loading import Loader
from milepost.stores.protocol import StateStore
from milepost.stores.unreadable import is_of_content

__all__ = [
    "CANNOT_TELL",
    "CONFORMS",
    "DEPARTS",
    "ConformView",
    "ConformedJob",
    "DefinitionFile",
    "Departure",
    "Guard",
    "Remark",
    "Setting",
    "Step",
    "conform",
    "conform_page",
]

CONFORMS: Final = "conforms"
DEPARTS: Final = "departs"
CANNOT_TELL: Final = "cannot tell"


class DefinitionFile(Struct, frozen=True, kw_only=True):
    """A definition that was asked, and the file that it stands in."""

    lifecycle: str
    version: int
    file: str


class Guard(Struct, frozen=True, kw_only=True):
    """A row that was not taken, its guard, and what that read; or an invariant that broke."""

    row: str
    guard: str
    values: Mapping[str, Any]  # Any: int, bool or the name of a member


class Setting(Struct, frozen=True, kw_only=True):
    """A value that differs: by the definition, and as it was found.

    The step that set it last is that of commit `seq`, by the row `row`, which assigns `text`; 0 and
    empty where no step did.
    """

    name: str
    defined: Any  # Any: int, bool, or the name of a member or state
    found: Any
    seq: int
    row: str
    text: str


class Step(Struct, frozen=True, kw_only=True):
    """A step by the definition: the event, the row that takes it, and from where to where."""

    event: str
    row: str
    source: str
    target: str


class Departure(Struct, frozen=True, kw_only=True):
    """The first fact of a job that the definition does not bear out: where, who, and why.

    `allowed` are the events that some row takes there whatever they carry, `by_payload` those that
    one takes with some payloads. `steps` led to what the log states otherwise.
    """

    kind: departures.Kind
    seq: int
    at: datetime
    fence: int
    owner: str
    index: int
    fact: str
    subject: str
    state: str
    problem: str
    allowed: tuple[str, ...]
    by_payload: tuple[str, ...]
    guards: tuple[Guard, ...]
    values: tuple[Setting, ...]
    steps: tuple[Step, ...]


class Remark(Struct, frozen=True, kw_only=True):
    """What is no departure and worth a look, at a commit."""

    seq: int
    message: str


class ConformedJob(Struct, frozen=True, kw_only=True):
    """What came of one job. `verdict` is `conforms`, `departs` or `cannot tell`.

    `conforms` is None where it cannot be told, for which `untold` says why. `commits` and `facts`
    were looked at up to the first departure, `steps` of the facts asked of the definition.
    `by_tables` says whether each state was held against that of the generated tables too.
    """

    job: str
    verdict: str
    conforms: bool | None
    commits: int
    facts: int
    steps: int
    items: int
    by_tables: bool
    departure: Departure | None
    untold: str
    remarks: tuple[Remark, ...]


class ConformView(Struct, frozen=True, kw_only=True):
    """The verdict on the logs of a store by those definitions: the worst of its jobs."""

    SCHEMA: ClassVar[str] = "milepost.conform/1"

    store: str
    verdict: str
    conforms: bool | None
    definitions: tuple[DefinitionFile, ...]
    jobs: tuple[ConformedJob, ...]


def conform(
    store: StateStore,
    job_ids: Iterable[str],
    definitions: Definitions,
    files: Mapping[tuple[str, int], str],
    *,
    lifecycles: Sequence[Lifecycle] = (),
    earlier: Sequence[Lifecycle] = (),
) -> ConformView:
    """The verdict on each of the jobs; `files` says where each definition stands.

    The definitions decide. Of the tables in `lifecycles` and `earlier` it is said where they give
    something else. Raises JobAbsent. Cost: as `walked`, for each job.
    """
    loader = Loader(store, catalogue_of(None, lifecycles, earlier))
    jobs = tuple(_conformed(loader, job_id, definitions) for job_id in job_ids)
    verdicts = {job.verdict for job in jobs}
    verdict = next((one for one in (DEPARTS, CANNOT_TELL) if one in verdicts), CONFORMS)
    return ConformView(
        store=store.url,
        verdict=verdict,
        conforms=_as_bool(verdict),
        definitions=tuple(
            DefinitionFile(lifecycle=name, version=version, file=files[name, version])
            for name, version in sorted(definitions)
        ),
        jobs=jobs,
    )


def conform_page(view: ConformView) -> Page:
    """The verdict on each job, and each first departure with all that is known of it."""
    columns = (
        Column("JOB"),
        Column("VERDICT"),
        Column("COMMITS", numeric=True),
        Column("FACTS", numeric=True),
        Column("STEPS", numeric=True),
        Column("ITEMS", numeric=True),
    )
    rows = tuple(
        (job.job, _shown(job.verdict), *map(str, (job.commits, job.facts, job.steps, job.items)))
        for job in view.jobs
    )
    given = (f"{one.lifecycle} {one.version} ({one.file})" for one in view.definitions)
    return (
        Table(columns=columns, rows=rows, empty="no jobs"),
        *(block for job in view.jobs for block in _of_job(job)),
        Note(f"by {', '.join(given)}"),
        Note(f"{view.store}: {_shown(view.verdict)}"),
    )


def _of_job(job: ConformedJob) -> Iterator[Block]:
    if job.departure is not None:
        yield Fields(title=job.job, entries=tuple(_told(job.departure)))
    if job.untold:
        yield Note(f"{job.job}: not all of it can be told: {job.untold}")
    for remark in job.remarks:
        yield Note(f"{job.job}, commit {remark.seq}: {remark.message}")
    if not job.by_tables and job.departure is None:
        yield Note(
            f"{job.job}: its states were held against no tables, which are not at hand: name their"
            " module as --lifecycle MODULE, or in MILEPOST_LIFECYCLES"
        )


def _told(one: Departure) -> Iterator[tuple[str, str]]:
    whose = f"by {one.owner}" if one.owner else "held by nobody"
    yield "first departure", f"commit {one.seq}, {stamp(one.at)}, {whose} (fence {one.fence})"
    yield "fact", one.fact if one.index < 0 else f"{one.fact}, fact {one.index + 1} of the commit"
    yield "who", f"{one.subject}, in '{one.state}'" if one.state else one.subject
    yield "what", one.problem
    for step in one.steps:
        yield "step", f"'{step.event}' by {step.row}, from '{step.source}' to '{step.target}'"
    if one.allowed:
        yield "allowed there", ", ".join(one.allowed)
    if one.by_payload:
        yield "by payload", ", ".join(one.by_payload)
    for guard in one.guards:
        read = ", ".join(f"{name}={value(each)}" for name, each in guard.values.items())
        yield guard.row, f"{guard.guard} (with {read})" if read else guard.guard
    for each in one.values:
        if each.seq:
            text = f" to {each.text}" if each.text else ""
            yield each.name, f"set{text} by {each.row} in commit {each.seq}"


def _conformed(loader: Loader, job_id: str, definitions: Definitions) -> ConformedJob:
    try:
        with loader.store.reading() as reader:
            found = walked(loader.log(reader, job_id), definitions)
    except StateError as error:
        if not is_of_content(error):
            raise
        found = Conformance(
            job_id=job_id,
            commits=0,
            facts=0,
            steps=0,
            items=0,
            departure=None,
            untold=f"it cannot be read: {error}",
            by_tables=False,
        )
    verdict = {True: CONFORMS, False: DEPARTS, None: CANNOT_TELL}[found.conforms]
    return ConformedJob(
        job=found.job_id,
        verdict=verdict,
        conforms=found.conforms,
        commits=found.commits,
        facts=found.facts,
        steps=found.steps,
        items=found.items,
        by_tables=found.by_tables,
        departure=_departure(found.departure),
        untold=found.untold,
        remarks=tuple(Remark(seq=one.seq, message=one.text) for one in found.remarks),
    )


def _departure(one: departures.Departure | None) -> Departure | None:
    if one is None:
        return None
    return Departure(
        kind=one.kind,
        seq=one.seq,
        at=instant(one.at_us),
        fence=one.fence,
        owner=one.owner,
        index=one.index,
        fact=one.fact,
        subject=one.subject,
        state=one.state,
        problem=one.problem,
        allowed=one.allowed.events,
        by_payload=one.allowed.by_payload,
        guards=tuple(Guard(row=g.row, guard=g.guard, values=g.values) for g in one.guards),
        values=tuple(
            Setting(
                name=v.name, defined=v.defined, found=v.found, seq=v.seq, row=v.row, text=v.text
            )
            for v in one.values
        ),
        steps=tuple(
            Step(event=s.event, row=s.row, source=s.source, target=s.target) for s in one.steps
        ),
    )


def _as_bool(verdict: str) -> bool | None:
    return None if verdict == CANNOT_TELL else verdict == CONFORMS


def _shown(verdict: str) -> str:
    return verdict.upper() if verdict == DEPARTS else verdict
