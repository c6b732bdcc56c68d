"""Jobs as entries of a store: what a new one begins with, and the one line that tells of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import msgspec
from msgspec import structs

from milepost.clock import instant
from milepost.errors import JobExists, JobMoved, StateError
from milepost.items.blocks import Listing
from milepost.items.inputs import Run
from milepost.items.parts import Parts, parts_of
from milepost.job.described import Described
from milepost.job.fold import apply
from milepost.job.invariants import check_new
from milepost.job.progress import Progress
from milepost.job.restoring import begin
from milepost.log.codec import Tally, chain_start, encode_row, encode_variables
from milepost.log.facts import Draft, Fact, JobCreated, MembersAdded
from milepost.log.rows import Row, StoredJob
from milepost.machine import Lifecycle, Machine, MachineUpgrade, Values
from milepost.state.limits import Limits, Warned, check_commit, check_value
from milepost.state.reading.departures import absence
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.naming import Names
from milepost.state.writing.describing import describe
from milepost.state.writing.params import Params, counted, params_of
from milepost.state.writing.staging import Staging
from milepost.stores.protocol import Reader, Writer
from milepost.stores.unreadable import OnError
from milepost.text.wording import short_repr

__all__ = ["JobSummary", "NewJob", "check_absent", "summaries", "summary"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobSummary:
    """A job in a list, as of its newest commit `seq`.

    It runs by the `lifecycle` of that name, in that `version`, which is 0 where it is not known.
    One that cannot go on under the lifecycles that are at hand is not `at_hand`: then phase and
    progress are those of its own version. `progress` is None where nothing tells what its states
    mean, neither tables nor the store.
    """

    id: str
    lifecycle: str
    version: int
    at_hand: bool
    phase: str
    progress: Progress | None
    seq: int
    fence: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is to be stored: its first fact, all of it checked, but for what its items are."""

    created: JobCreated
    limits: Limits
    several: bool  # there is not one collection
    params: Params
    lifecycle: Lifecycle

    @staticmethod
    def prepare(
        lifecycle: Lifecycle, config: Values, variables: Mapping[str, object], limits: Limits
    ) -> NewJob:
        """Check everything but the items. Raises ValueInvalid, ContextInvalid, InvariantBroken.

        `config` holds parameters of the job and of its items, as `params_of` takes them.
        """
        stored_variables = encode_variables(variables)
        check_value(limits, "", lambda: "variables", stored_variables, Warned())
        params = params_of(lifecycle, config)
        created = JobCreated(
            lifecycle=lifecycle.name,
            version=lifecycle.version,
            digest=lifecycle.digest,
            job_params=params.of_job,
            item_params=params.of_items,
            variables=msgspec.json.decode(stored_variables),
            item_count=0,
            fingerprint="",
        )
        several = len(lifecycle.collections) != 1
        return NewJob(created, limits, several, params, lifecycle)

    def store(
        self,
        loader: Loader,
        writer: Writer,
        job_id: str,
        stagings: Mapping[str, Staging],
        now_us: int,
    ) -> None:
        """Write the entry, the first row and what is left of the items, by collection.

        Where there is one collection, the first fact says what its items are; where there are
        several, a fact of its own for each that has any. Raises JobExists, TooLarge,
        StagingExpired, ContextInvalid for a share of the items that makes no legal count, and
        InvariantBroken where the job would begin with an invariant that does not hold.
        """
        check_absent(loader, writer, job_id)
        for staging in stagings.values():
            staging.check_staged(writer)  # or its number may be another's by now
        number = next((one.number for one in stagings.values() if one.number is not None), None)
        job = writer.add_job(job_id, now_us, self.created.digest, number)
        describe(writer, loader.tables.get(self.created.digest))
        runs = {name: staging.settle(writer, job) for name, staging in stagings.items()}
        created, more = self._facts(loader, stagings, runs)
        inputs = loader.inputs(job, created.item_count)
        state = begin(job_id, created, loader.tables, inputs)
        for fact in more:
            state = apply(state, fact)
        check_new(state)
        drafts = [Draft(fact=fact) for fact in (created, *more)]
        row = encode_row(
            chain_start(job_id),
            seq=1,
            fence=0,
            at_us=now_us,
            drafts=drafts,
            tally=state.tally,
            count=0,
            check=lambda size_bytes: check_commit(self.limits, state, drafts, size_bytes),
        )
        writer.add_row(job.number, row)

    def _facts(
        self, loader: Loader, stagings: Mapping[str, Staging], runs: Mapping[str, list[Run]]
    ) -> tuple[JobCreated, list[Fact]]:
        """The facts of the first commit: the job and its items. Raises ContextInvalid."""
        total = sum(staging.count for staging in stagings.values())
        of_job = counted(self.lifecycle, self.params, total)
        if not self.several and stagings:
            (staging,) = stagings.values()
            created = structs.replace(
                self.created,
                item_count=staging.count,
                fingerprint=staging.fingerprint,
                job_params=of_job,
            )
            return created, []
        of_none = Listing((), payloads=loader.payloads).fingerprint
        first = 0
        more: list[Fact] = []
        for name, staging in stagings.items():
            if staging.count:
                fact = MembersAdded(name, first, staging.count, staging.fingerprint, runs[name])
                more.append(fact)
                first += staging.count
        created = structs.replace(
            self.created, item_count=first, fingerprint=of_none, job_params=of_job
        )
        return created, more


def check_absent(loader: Loader, reader: Reader, job_id: str) -> None:
    """Raise JobExists if there is a job of that id, JobMoved if it has gone to another store."""
    url = loader.store.url
    if reader.has_job(job_id):
        raise JobExists(job_id=job_id, url=url)
    absent = absence(reader, job_id, url)
    if isinstance(absent, JobMoved):
        raise absent


def summaries(
    loader: Loader,
    reader: Reader,
    on_error: OnError,
    *,
    prefix: str = "",
    lifecycle: str | None = None,
    phase: str | None = None,
) -> Iterator[JobSummary]:
    """The jobs whose id begins with `prefix`, newest first, of that lifecycle and in that phase.

    Cost: one row a job, read as they are asked for; of other lifecycles, the entry.
    """
    names = Names(loader, reader)

    def wanted(job: StoredJob) -> bool:
        try:
            return lifecycle is None or names.of(job)[0] == lifecycle
        except StateError:
            return True  # it is asked for again below, and told of

    for tip in reader.tips(on_error, prefix=prefix, newest_first=True, wanted=wanted):
        log = JobLog(loader, reader, tip.job)
        try:
            if phase is not None and phase not in _phases(log, tip.row):
                continue
            summary = _summary(log, tip.row, names)
        except StateError as error:
            on_error(error)
            continue
        if phase in (None, summary.phase):
            yield summary


def summary(log: JobLog) -> JobSummary:
    """One line about one job. One row. Raises LogCorrupt."""
    row = log.reader.tip(log.number)
    if row is None:
        raise log.corrupt(1, "it is missing")
    return _summary(log, row, Names(log.loader, log.reader))


def _summary(log: JobLog, row: Row, names: Names) -> JobSummary:
    tally, job = log.tally(row), log.entry
    phase, progress, at_hand = _standing(log.loader, job.lifecycle, tally)
    lifecycle, version = names.of(job)
    if progress is None:
        progress = _told(names.meaning(job.lifecycle), tally)
    return JobSummary(
        id=job.job_id,
        lifecycle=lifecycle,
        version=version,
        at_hand=at_hand,
        phase=phase,
        progress=progress,
        seq=row.seq,
        fence=row.fence,
        created_at=instant(job.created_at_us),
        updated_at=instant(row.at_us),
    )


def _phases(log: JobLog, row: Row) -> tuple[str, ...]:
    """The phases that the job may be in after `row`: its own, and that of the current version."""
    phase, tables, digest = log.tally(row).phase, log.loader.tables, log.entry.lifecycle
    current = tables.current_of(digest)
    upgrade = current.upgrades.get(digest) if current else None
    root = upgrade.machines.get(current.root) if current and upgrade else None
    return (phase,) if root is None else (phase, root.states.get(phase, phase))


def _standing(loader: Loader, digest: str, tally: Tally) -> tuple[str, Progress | None, bool]:
    """Phase and progress under the current version, by a tally of the one of `digest`.

    Where the job cannot go on under it, they are those under its own, and the answer is False.
    """
    own = loader.tables.get(digest)
    if own is None:
        return tally.phase, None, False
    counts = _counts(own, tally)
    stands = Progress.of((parts_of(machine), by_state) for machine, by_state in counts.values())
    current = loader.tables.current_of(digest) or own
    if own.digest == current.digest:
        return tally.phase, stands, True
    upgrade = current.upgrades.get(digest)
    parts = upgrade.machines if upgrade else {}
    if own.root != current.root or own.root not in parts:
        return tally.phase, stands, False
    moved = _moved(current, parts, counts)
    if moved is None:
        return tally.phase, stands, False
    return parts[own.root].states.get(tally.phase, tally.phase), moved, True


def _told(described: Described | None, tally: Tally) -> Progress | None:
    """The progress by what the store tells of a lifecycle; None where that does not fit."""
    if described is None:
        return None
    machines = described.collections.values()
    if sum(len(machine.states) for machine in machines) != len(tally.items):
        return None
    left = iter(tally.items)
    return Progress.of(
        (machine.parts, dict(zip(machine.states, left, strict=False))) for machine in machines
    )


def _counts(lifecycle: Lifecycle, tally: Tally) -> dict[str, tuple[Machine, dict[str, int]]]:
    """By collection, the machine of its members and how many are in which state."""
    left = iter(tally.items)
    found: dict[str, tuple[Machine, dict[str, int]]] = {}
    for name, collection in lifecycle.collections.items():
        machine = lifecycle.machines[collection.machine]
        found[name] = (
            machine,
            dict(zip(machine.states, islice(left, len(machine.states)), strict=True)),
        )
    return found


def _moved(
    current: Lifecycle,
    parts: Mapping[str, MachineUpgrade],
    counts: Mapping[str, tuple[Machine, Mapping[str, int]]],
) -> Progress | None:
    """The progress under the current version; None if it has no place for some of the members."""
    moved: list[tuple[Parts, Mapping[str, int]]] = []
    for name, (machine, by_state) in counts.items():
        collection = current.collections.get(name)
        if collection is None or collection.machine != machine.name or machine.name not in parts:
            if any(by_state.values()):
                return None
            continue
        leads_to = parts[machine.name].states
        after: dict[str, int] = {}
        for state, count in by_state.items():
            to = leads_to.get(state, state)
            after[to] = after.get(to, 0) + count
        moved.append((parts_of(current.machines[machine.name]), after))
    return Progress.of(moved)
