"""Repair: what is derived is made anew, what cannot be read is set aside, and the log says so.

Nothing is dropped: each row that is taken out of its place goes whole into the quarantine.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from milepost.errors import MilepostError, StateError, StoreUnreadable
from milepost.job.fold import apply
from milepost.job.state import JobState, changed
from milepost.log.codec import decode_facts, digest_of, encode_row
from milepost.log.facts import CheckpointTaken, Draft, ItemsFired, Repaired
from milepost.log.rows import Row, StoredCheckpoint, StoredJob, StoredLease, Stray
from milepost.state.reading.departures import absence
from milepost.state.reading.index_check import index_faults, is_state_of
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.meaning import result_events
from milepost.state.reading.verification import Problem, entry_of, verify_job
from milepost.state.writing.describing import describe
from milepost.stores.protocol import Reader, Writer
from milepost.stores.unreadable import is_of_content
from milepost.text.wording import short_repr

__all__ = [
    "Lost",
    "Repair",
    "RepairStep",
    "damaged_log",
    "repair_job",
    "set_strays_aside",
    "survey",
]

_OWNER = "repair"


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Lost:
    """The commits `first` to `last` of a log, which its fold cannot reach any more.

    `rows` is how many of them are still there; `events` and `results` how many these hold, as far
    as their heads can be read; `unreadable` lists those whose heads cannot.
    """

    first: int
    last: int
    rows: int
    events: int
    results: int
    unreadable: tuple[int, ...]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RepairStep:
    """One thing that a repair does, and what that loses."""

    does: str
    loses: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Repair:
    """The steps of a job's repair, done if `applied`; none if there is nothing to repair.

    `seq` is the newest commit that verifies, after the repair if it was applied. `lost` is the
    tail that is set aside. `beyond` are the problems that no repair mends.
    """

    job_id: str
    applied: bool
    seq: int
    steps: tuple[RepairStep, ...]
    lost: Lost | None
    beyond: tuple[Problem, ...]


@dataclass(slots=True)
class _Survey:
    """The needs of a job. `state` is the last that verifies, `fence` the highest in any row."""

    state: JobState
    fence: int
    entry: StoredJob | None = None
    lost: Lost | None = None
    reseal: bool = False
    checkpoints: tuple[int, ...] = ()
    lease: bool = False
    told: bool = False
    index: bool = False

    def steps(self) -> tuple[RepairStep, ...]:
        """The steps to take, in words."""
        derived = "nothing"
        found: list[RepairStep] = []
        if self.lost is not None:
            lost = self.lost
            does = (
                f"sets the commits {lost.first} to {lost.last} aside; those who hold the job"
                " write no more"
            )
            loses = (
                f"{lost.rows} of {lost.last - lost.first + 1} commits are there, with"
                f" {lost.events} events and {lost.results} results, which the quarantine keeps"
            )
            found.append(RepairStep(does=does, loses=loses))
        if self.reseal:
            found.append(RepairStep(does="notes the newest commit anew", loses=derived))
        if self.entry is not None:
            found.append(RepairStep(does="writes the entry by the first commit", loses=derived))
        if self.checkpoints:
            listed = ", ".join(map(str, self.checkpoints))
            does = f"sets the checkpoints at {listed} aside and takes one anew"
            found.append(RepairStep(does=does, loses=derived))
        if self.lease:
            loses = "until when the holder may be taken for alive"
            found.append(RepairStep(does="writes the lease by the log, expired", loses=loses))
        if self.told:
            does = "describes the job's lifecycle by its tables"
            found.append(RepairStep(does=does, loses=derived))
        if self.index:
            does = "takes the index of the log away, which is made anew"
            found.append(RepairStep(does=does, loses=derived))
        return tuple(found)


def damaged_log(loader: Loader, reader: Reader, job_id: str) -> JobLog:
    """The log of that job, by an entry that need not be vouched for. Raises JobAbsent.

    Cost: one look-up; every entry is read where that one is damaged.
    """
    with suppress(StoreUnreadable):
        found = reader.job(job_id)
        if found is not None:
            return JobLog(loader, reader, found)
    for job in reader.entries():
        if job.job_id == job_id:
            return JobLog(loader, reader, job)
    raise absence(reader, job_id, loader.store.url)


def survey(log: JobLog) -> Repair:
    """The repair that the job needs; nothing is changed. Cost: the log is read thrice."""
    found = _look(log)
    return Repair(
        job_id=log.job_id,
        applied=False,
        seq=found.state.seq if found else 0,
        steps=found.steps() if found else (),
        lost=found.lost if found else None,
        beyond=_beyond(log),
    )


def repair_job(log: JobLog, writer: Writer, now_us: int) -> Repair:
    """Do what `survey` says, in the writer's transaction, and leave a Repaired fact in the log.

    `writer` is the reader of `log`.

    A log whose first commit does not verify is left as it is: there is nothing to stand on. Where
    commits are lost the fence rises above all that were given out, so that whoever held the job
    meets LeaseLost.
    """
    job, found = log.entry, _look(log)
    steps = found.steps() if found else ()
    if found is None or not steps:
        return survey(log)
    seq = found.state.seq
    aside = 0
    if found.lost is not None:
        reason = f"the log verifies up to commit {seq}"
        aside += _aside(writer, job, "commits", reason, now_us, seq + 1)
    for at in found.checkpoints:
        aside += _aside(writer, job, "checkpoints", "it does not verify", now_us, at, at)
    if found.lease:
        aside += _aside(writer, job, "leases", "it is not that of the log", now_us)
    if found.entry is not None:
        writer.put_job(found.entry)
    if found.told:
        describe(writer, found.state.lifecycle)
    if found.index:
        writer.drop_spans(job.number)
    after = _record(writer, job, found, aside, now_us)
    return Repair(
        job_id=job.job_id,
        applied=True,
        seq=after,
        steps=steps,
        lost=found.lost,
        beyond=_beyond(log),
    )


def set_strays_aside(writer: Writer, now_us: int) -> list[Stray]:
    """Move the rows of jobs of which there is no entry into the quarantine; which there were.

    Descriptions of lifecycles that cannot be read are taken away.
    """
    writer.drop_lifecycles()
    strays = list(writer.strays())
    for stray in strays:
        reason = f"of the job numbered {stray.number}, of which there is no entry"
        writer.set_aside(stray.number, stray.source, job_id="", reason=reason, at_us=now_us)
    return strays


def _aside(
    writer: Writer,
    job: StoredJob,
    source: str,
    reason: str,
    now_us: int,
    first: int = 0,
    upto: int | None = None,
) -> int:
    return writer.set_aside(
        job.number,
        source,
        job_id=job.job_id,
        reason=reason,
        at_us=now_us,
        first=first,
        upto=upto,
    )


def _beyond(log: JobLog) -> tuple[Problem, ...]:
    problems = verify_job(log).problems
    return tuple(problem for problem in problems if not problem.repairable)


def _look(log: JobLog) -> _Survey | None:
    """The needs of the job; None if its first commit does not verify. Raises LifecycleChanged."""
    stored: dict[int, StoredCheckpoint] = {}
    with suppress(StoreUnreadable):
        stored = {checkpoint.seq: checkpoint for checkpoint in log.reader.checkpoints(log.number)}
    sound: set[int] = set()
    along: set[int] = set()
    with suppress(StoreUnreadable):
        along = set(log.reader.state_ends(log.number))
    index_stands = True
    first: Row | None = None
    state: JobState | None = None
    with suppress(StoreUnreadable):
        state = log.origin()
        for row, after in log.replay(state):
            first, state = first or row, after
            index_stands = index_stands and (row.seq not in along or is_state_of(log, state))
            checkpoint = stored.get(row.seq)
            if checkpoint is not None and _stands(log, checkpoint, state):
                sound.add(row.seq)
    if state is None or first is None:
        return None
    found = _Survey(state=state, fence=state.fence)
    found.checkpoints = tuple(sorted(stored.keys() - sound))
    _look_at_end(log, found)
    with suppress(StoreUnreadable):
        found.index = not index_stands or any(index_faults(log, state.seq))
    _look_at_lease(log, found)
    try:
        log.reader.lifecycle(state.lifecycle.digest)
    except StoreUnreadable:
        found.told = True
    entry = entry_of(log.entry, state)
    try:
        found.entry = None if log.reader.job(log.job_id) == entry else entry
    except StoreUnreadable:
        found.entry = entry
    return found


def _stands(log: JobLog, stored: StoredCheckpoint, state: JobState) -> bool:
    """True if the checkpoint is the state that the log folds to, and the log tells of it."""
    try:
        log.listed(stored)
        return log.verified(stored) == state
    except StateError as error:
        if not is_of_content(error):
            raise
        return False


def _look_at_end(log: JobLog, found: _Survey) -> None:
    """The rows after the last state that verifies, as they are and as they should be."""
    last = found.state.seq
    noted: tuple[int, bytes] | None = None
    with suppress(StoreUnreadable):
        noted = log.reader.newest(log.number)
    rows = events = results = 0
    unreadable: list[int] = []
    try:
        for row in log.rows(found.state.seq):
            rows, last = rows + 1, row.seq
            events += row.count
            found.fence = max(found.fence, min(row.fence, row.seq))  # one a commit at the most
            told = _results_in(row, found.state)
            results += told or 0
            if told is None:
                unreadable.append(row.seq)
    except StoreUnreadable:
        unreadable.append(last + 1)
        last += 1
    last = max(last, noted[0] if noted else 0)
    found.reseal = noted != (found.state.seq, found.state.digest)
    if last > found.state.seq:
        found.reseal = False
        found.lost = Lost(
            first=found.state.seq + 1,
            last=last,
            rows=rows,
            events=events,
            results=results,
            unreadable=tuple(unreadable),
        )


def _results_in(row: Row, state: JobState) -> int | None:
    """How many results a commit holds by its head; None if that cannot be read.

    It follows on `state`, so that its events are taken for those of that version.
    """
    try:
        facts = decode_facts(row, url="", job_id="")
    except MilepostError:
        return None
    events = result_events(state)
    return sum(
        len(fact.ordinals)
        for fact in facts
        if isinstance(fact, ItemsFired) and fact.event in events
    )


def _look_at_lease(log: JobLog, found: _Survey) -> None:
    try:
        log.lease(found.state.fence)
    except StoreUnreadable:
        found.lease = True
        with suppress(StoreUnreadable):
            stored = log.reader.lease(log.number)
            found.fence = max(found.fence, stored.fence if stored else 0)


def _record(writer: Writer, job: StoredJob, found: _Survey, aside_count: int, now_us: int) -> int:
    """Append the commit that says that the job was repaired; its seq."""
    before = found.state
    lost = found.lost
    rises = lost is not None or found.fence > before.fence
    fact = Repaired(
        lost_from=lost.first if lost else 0,
        lost_upto=lost.last if lost else 0,
        fence=found.fence + 1 if rises else before.fence,
        aside_count=aside_count,
        reason="; ".join(step.does for step in found.steps()),
    )
    at_us = max(now_us, before.updated_at_us)
    drafts = [Draft(fact=fact)]
    if found.checkpoints:
        snapshot = before.snapshot()
        digest = digest_of(snapshot)
        checkpoint = StoredCheckpoint(
            before.seq, at_us, "taken by a repair", before.digest, digest, snapshot
        )
        writer.put_checkpoint(job.number, checkpoint)
        taken = CheckpointTaken(before.seq, digest.hex(), checkpoint.reason)
        drafts.append(Draft(fact=taken))
    after = changed(before, seq=before.seq + 1, updated_at_us=at_us, digest=b"")
    for draft in drafts:
        after = apply(after, draft.fact)
    row = encode_row(
        before.digest,
        seq=after.seq,
        fence=after.fence,
        at_us=at_us,
        drafts=drafts,
        tally=after.tally,
        count=0,
    )
    writer.add_row(job.number, row)
    if after.fence and (found.lease or rises):
        owner = before.owner if before.owner and not rises else _OWNER
        writer.put_lease(job.number, StoredLease(owner, after.fence, at_us, 0))
    return after.seq
