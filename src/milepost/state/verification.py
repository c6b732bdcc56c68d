"""Verification: all that a job's log, checkpoints and inputs promise, checked from the start."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.blocks import fingerprint_of
from milepost.codec import decode_body
from milepost.errors import LogCorrupt, MilepostError, StateError
from milepost.facts import ItemsAdded
from milepost.job import JobState
from milepost.rows import StoredJob
from milepost.state.loading import Loader
from milepost.state.persistence import Reader

__all__ = ["Problem", "Verification", "verify_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that does not hold. `invariant` names which; `seq` is where, None if nowhere."""

    invariant: str
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked of one job, and what was found wrong: nothing, if it is sound."""

    job_id: str
    commits: int
    checkpoints: int
    items: int
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """True if everything holds."""
        return not self.problems


def verify_job(loader: Loader, reader: Reader, job: StoredJob) -> Verification:
    """Check the whole of one job.

    INV-CHAIN, INV-GAPLESS, INV-FENCE and INV-LEGAL by replaying the log from its first commit;
    each row's tally against the fold, each body against its digest; INV-FOLD for each checkpoint;
    the inputs against their fingerprints. Cost: the job is read once, every value is decoded.
    """
    problems: list[Problem] = []
    checkpoints = {c.seq: c for c in reader.checkpoints(job.number)}
    checked_checkpoints = 0
    added: list[tuple[int, ItemsAdded]] = []
    state: JobState | None = None
    try:
        state = loader.origin(reader, job)
        for row, after in loader.replay(reader, job, state):
            if after.fingerprint != state.fingerprint:
                facts = loader.facts(job, row)
                added += [(row.seq, fact) for fact in facts if isinstance(fact, ItemsAdded)]
            state = after
            if loader.tally(job, row) != state.tally:
                message = "the row states another tally than the fold gives"
                problems.append(Problem(invariant="INV-FOLD", seq=row.seq, message=message))
            stored = checkpoints.pop(row.seq, None)
            if stored is not None:
                checked_checkpoints += 1
                try:
                    if loader.verified(reader, job, stored) != state:
                        message = "the checkpoint is not what the log folds to"
                        problems.append(Problem(invariant="INV-FOLD", seq=row.seq, message=message))
                except StateError as error:
                    problem = Problem(invariant="INV-FOLD", seq=row.seq, message=str(error))
                    problems.append(problem)
        problems.extend(_bodies(loader, reader, job))
        problems.extend(_inputs(loader, reader, job, state, added))
    except LogCorrupt as error:
        invariant = "INV-LEGAL" if "not legal" in error.problem else "INV-CHAIN"
        problems.append(Problem(invariant=invariant, seq=error.seq, message=error.problem))
    except MilepostError as error:
        problems.append(Problem(invariant="readable", seq=None, message=str(error)))
    else:
        problems.extend(
            Problem(invariant="INV-FOLD", seq=seq, message="a checkpoint of no commit of this log")
            for seq in checkpoints
        )
    return Verification(
        job_id=job.job_id,
        commits=state.seq if state else 0,
        checkpoints=checked_checkpoints,
        items=state.items.count if state else 0,
        problems=tuple(problems),
    )


def _bodies(loader: Loader, reader: Reader, job: StoredJob) -> list[Problem]:
    problems: list[Problem] = []
    for row in reader.rows(job.number, bodies=True):
        try:
            body = decode_body(row, url=loader.store.url, job_id=job.job_id)
            if body and len(body) != len(loader.facts(job, row)):
                raise loader.corrupt(job, row.seq, "it has bodies for other facts")
        except LogCorrupt as error:
            problems.append(Problem(invariant="INV-CHAIN", seq=row.seq, message=error.problem))
    return problems


def _inputs(
    loader: Loader,
    reader: Reader,
    job: StoredJob,
    state: JobState,
    added: list[tuple[int, ItemsAdded]],
) -> list[Problem]:
    """The items against their fingerprints: those of the beginning, and all that were added."""
    created = state.created
    given = [(1, created.item_count, created.fingerprint, [(0, created.item_count)])]
    given += [(seq, fact.count, fact.fingerprint, fact.runs) for seq, fact in added]
    problems: list[Problem] = []
    for seq, count, fingerprint, runs in given:
        blocks = loader.blocks(reader, job, runs)
        if fingerprint_of(blocks, loader.store.url) != (count, fingerprint):
            message = f"the items are not those that commit {seq} speaks of"
            problems.append(Problem(invariant="inputs", seq=None, message=message))
    return problems
