"""Jobs as entries of a store: what a new one begins with, and the one line that tells of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from milepost.clock import instant
from milepost.errors import JobExists, StateError
from milepost.job.state import ITEMS, JOB, Progress, begin
from milepost.log.codec import Tally, chain_start, encode_row, encode_variables
from milepost.log.facts import Draft, JobCreated
from milepost.log.rows import Tip
from milepost.machine import Lifecycle, Machine, Values
from milepost.state.limits import Limits, check_commit, check_value
from milepost.state.persistence import Reader, Writer
from milepost.state.reading.loading import Loader
from milepost.state.reading.naming import Names
from milepost.state.writing.intake import Intake
from milepost.stores.omissions import OnError

__all__ = ["JobSummary", "NewJob", "check_absent", "phase_entered", "summaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """One line about a job, as of its newest commit `seq`.

    It runs by the `lifecycle` of that name, in that `version`, which is 0 where it is not known.
    `progress` is None, and the phase that of its own version, for a job that cannot go on under
    the lifecycles that are at hand.
    """

    id: str
    lifecycle: str
    version: int
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

    @staticmethod
    def prepare(
        lifecycle: Lifecycle, config: Values, variables: Mapping[str, object], limits: Limits
    ) -> NewJob:
        """Check everything but the items. Raises ValueInvalid, ContextInvalid.

        `config` holds parameters of the job's machine and of its items'.
        """
        stored_variables = encode_variables(variables)
        check_value(limits, lambda: "variables", stored_variables)
        job, item = _machines(lifecycle)
        names = {variable.name for variable in item.variables if variable.param}
        job_params = _params(job, {n: v for n, v in config.items() if n not in names})
        item_params = _params(item, {n: v for n, v in config.items() if n in names})
        created = JobCreated(
            lifecycle=lifecycle.name,
            version=lifecycle.version,
            digest=lifecycle.digest,
            job_params=job_params,
            item_params=item_params,
            variables=msgspec.json.decode(stored_variables),
            item_count=0,
            fingerprint="",
        )
        return NewJob(created, limits)

    def store(
        self, loader: Loader, writer: Writer, job_id: str, intake: Intake, now_us: int
    ) -> None:
        """Write the entry, the first row and what is left of the items.

        Raises JobExists, TooLarge, StagingExpired.
        """
        check_absent(loader, writer, job_id)
        created = msgspec.structs.replace(
            self.created, item_count=intake.count, fingerprint=intake.fingerprint
        )
        intake.check_staged(writer)  # or its number may be another's by now
        job = writer.add_job(job_id, now_us, created.digest, intake.number)
        intake.settle(writer, job)
        inputs = loader.inputs(job, created.item_count)
        state = begin(job_id, created, loader.tables, inputs)
        drafts = [Draft(fact=created)]
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


def check_absent(loader: Loader, reader: Reader, job_id: str) -> None:
    """Raise JobExists if there is a job of that id."""
    if reader.has_job(job_id):
        raise JobExists(job_id=job_id, url=loader.store.url)


def summaries(
    loader: Loader, reader: Reader, prefix: str, on_error: OnError
) -> Iterator[JobSummary]:
    """The jobs whose id begins with `prefix`, in order of creation. One row a job."""
    names = Names(loader, reader)
    for tip in reader.tips(on_error):
        if tip.job.job_id.startswith(prefix):
            try:
                summary = _summary(loader, tip, names)
            except StateError as error:
                on_error(error)
            else:
                yield summary


def phase_entered(loader: Loader, reader: Reader, job_id: str, seq: int) -> int:
    """The commit at which the job came into the phase that it is in at `seq`: one pass."""
    entered, phase = 1, ""
    job = loader.job(reader, job_id)
    for row in reader.rows(job.number, upto=seq):
        tally = loader.tally(job, row)
        if tally.phase != phase:
            entered, phase = row.seq, tally.phase
    return entered


def _summary(loader: Loader, tip: Tip, names: Names) -> JobSummary:
    tally = loader.tally(tip.job, tip.row)
    phase, progress = _standing(loader, tip.job.lifecycle, tally)
    lifecycle, version = names.of(tip.job)
    return JobSummary(
        id=tip.job.job_id,
        lifecycle=lifecycle,
        version=version,
        phase=phase,
        progress=progress,
        seq=tip.row.seq,
        fence=tip.row.fence,
        created_at=instant(tip.job.created_at_us),
        updated_at=instant(tip.row.at_us),
    )


def _standing(loader: Loader, digest: str, tally: Tally) -> tuple[str, Progress | None]:
    """Phase and progress under the current version, by a tally of the one of `digest`."""
    own = loader.tables.get(digest)
    if own is None:
        return tally.phase, None
    _, item = _machines(own)
    counts = dict(zip(item.states, tally.items, strict=True))
    current = loader.tables.current_of(digest) or own
    if own.digest == current.digest:
        return tally.phase, Progress.of(counts)
    upgrade = current.upgrades.get(digest)
    parts = upgrade.machines if upgrade else {}
    if JOB not in parts or item.name not in parts:
        return tally.phase, None
    moved: dict[str, int] = {}
    for state, count in counts.items():
        to = parts[item.name].states.get(state, state)
        moved[to] = moved.get(to, 0) + count
    return parts[JOB].states.get(tally.phase, tally.phase), Progress.of(moved)


def _params(machine: Machine, given: Values) -> dict[str, Any]:
    context = machine.context(**given)
    return {v.name: context[v.name] for v in machine.variables if v.param}


def _machines(lifecycle: Lifecycle) -> tuple[Machine, Machine]:
    """The machine that jobs run by, and that of their items."""
    job = lifecycle.machines[JOB]
    return job, lifecycle.machines[job.collections[ITEMS].machine]
