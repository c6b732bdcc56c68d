"""Checkpoints: immutable, checksummed snapshots of the fold, and the policy for taking them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from milepost import arguments
from milepost.clock import instant
from milepost.defaults import KEPT
from milepost.errors import CheckpointAbsent, StateError
from milepost.items.inputs import KeySet
from milepost.job.state import CheckpointRef, JobState
from milepost.log.codec import digest_of
from milepost.log.facts import CheckpointTaken, Draft
from milepost.log.rows import StoredCheckpoint
from milepost.state.limits import Limits, check_checkpoint
from milepost.state.reading.loading import JobLog
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease
from milepost.text.wording import short_repr

__all__ = ["KEPT", "Checkpoint", "CheckpointPolicy", "find", "listed", "superfluous", "take"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Checkpoint:
    """The state of a job after commit `seq`, as it was put aside. It holds no results.

    `checksum` is of its bytes, in hexadecimal; `size_bytes` is how many there are.
    """

    seq: int
    reason: str
    taken_at: datetime
    checksum: str
    size_bytes: int
    state: JobState

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.state.id

    @property
    def phase(self) -> str:
        """The phase that the job was in."""
        return self.state.phase

    @property
    def items_processed(self) -> KeySet:
        """The keys of the items whose results had been recorded."""
        return self.state.processed_items


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckpointPolicy:
    """When an executor takes a checkpoint: after so many settled items or commits, or so long.

    A checkpoint saves replaying the log before it, so it is worth as much as that log is long:
    by default at most a thousand commits are replayed, some ten milliseconds. The newest `keep`
    of each reason are kept.
    """

    items: int = 10_000
    commits: int = 1_000
    seconds: float = 60.0
    keep: int = KEPT

    def __post_init__(self) -> None:
        plain = {
            "items": arguments.integer("items", self.items),
            "commits": arguments.integer("commits", self.commits),
            "seconds": arguments.seconds("seconds", self.seconds, endless=True),
            "keep": arguments.integer("keep", self.keep, 1),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def due(self, *, settled_items: int, commits: int, elapsed_s: float) -> bool:
        """True if so much since the last checkpoint calls for another.

        Args:
            settled_items: Items that were settled since.
            commits: Commits since.
            elapsed_s: Seconds since.
        """
        return (
            settled_items >= self.items
            or commits >= self.commits
            or (settled_items > 0 and elapsed_s >= self.seconds)
        )


def superfluous(newest_first: Iterable[tuple[int, str]], keep: int) -> list[int]:
    """The seqs of the checkpoints, given with their reasons, beyond the newest `keep` of a reason.

    So those that are taken again and again are few, and one taken for a reason of its own stays.
    """
    seen: Counter[str] = Counter()
    going: list[int] = []
    for seq, reason in newest_first:
        seen[reason] += 1
        if seen[reason] > keep:
            going.append(seq)
    return going


def take(
    reason: str,
    lease: Lease | None,
    keep: int,
    limits: Limits,
    taken: Callable[[Checkpoint], None],
) -> Decision:
    """The decision that puts aside the job's state at its newest commit.

    `taken` is told what it will be once that is committed: to read it back could fail, and leave
    the caller without an answer to what was done.

    Anybody may do that, but for a holder whose lease is lost, who writes nothing (LeaseLost).
    Older ones of that reason than the newest `keep` go in the same commit. Raises TooLarge.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        check_lease(moment, lease, operator=True, wants=lambda: ("checkpoint", []))
        state = moment.committed.as_logged or moment.committed
        snapshot = state.snapshot()
        check_checkpoint(limits, state, len(snapshot))
        digest = digest_of(snapshot)
        moment.writer.put_checkpoint(
            moment.log.number,
            StoredCheckpoint(
                seq=state.seq,
                at_us=moment.now_us,
                reason=reason,
                chain=state.digest,
                digest=digest,
                snapshot=snapshot,
            ),
        )
        listed = moment.writer.checkpoint_sizes(moment.log.number)
        for seq in superfluous(((o.seq, o.reason) for o in listed if o.reason == reason), keep):
            moment.writer.remove_checkpoint(moment.log.number, seq)
        taken(
            Checkpoint(
                seq=state.seq,
                reason=reason,
                taken_at=instant(moment.now_us),
                checksum=digest.hex(),
                size_bytes=len(snapshot),
                state=moment.committed,
            )
        )
        yield Draft(fact=CheckpointTaken(seq=state.seq, digest=digest.hex(), reason=reason))

    return decision


def find(log: JobLog, seq: int | None) -> Checkpoint:
    """The newest checkpoint that verifies, or the one at `seq`. Raises CheckpointAbsent."""
    problems: list[str] = []
    for stored in log.reader.checkpoints(log.number):
        if seq in (None, stored.seq):
            try:
                state = log.loader.current(log.verified(stored))
                told = log.listed(stored)
            except StateError as error:
                problems.append(str(error))
            else:
                return _checkpoint(told, stored, state)
    if seq is not None and not problems and _was_taken(log, seq):
        problems.append("it was taken, and has been removed since: newer ones are kept")
    raise CheckpointAbsent(job_id=log.job_id, seq=seq, problems=tuple(problems))


def listed(log: JobLog) -> list[CheckpointRef]:
    """The job's checkpoints, newest first, as the log tells of them; their bytes are not looked at.

    Cost: two heads of the log each. Raises StoreUnreadable where the log tells of no such one.
    """
    return [log.listed(stored) for stored in log.reader.checkpoints(log.number)]


def _was_taken(log: JobLog, seq: int) -> bool:
    """True if the log says that there was a checkpoint of `seq`: in the commit after it."""
    return any(
        isinstance(fact, CheckpointTaken) and fact.seq == seq
        for row in log.rows(seq, seq + 1)
        for fact in log.facts(row)
    )


def _checkpoint(told: CheckpointRef, stored: StoredCheckpoint, state: JobState) -> Checkpoint:
    return Checkpoint(
        seq=told.seq,
        reason=told.reason,
        taken_at=told.taken_at,
        checksum=told.checksum,
        size_bytes=len(stored.snapshot),
        state=state,
    )
