"""Every error of the state side, built from data, each saying what, where and what to do.

MilepostError                     the root (`machine.py`, so that generated modules need no more)
├─ TransitionRefused              an event that is not legal now
├─ PayloadInvalid, ContextInvalid payloads and parameters that a machine does not take
└─ StateError
   ├─ InputInvalid                what was given cannot be stored
   │  ├─ JobIdInvalid             a job id that does not match the pattern
   │  ├─ ValueInvalid             a value that is not JSON, or too large
   │  └─ ItemKeyDuplicate         two items with one key
   ├─ JobAbsent, JobExists, ItemAbsent, CheckpointAbsent
   ├─ CommitAbsent                a log that does not reach there
   ├─ LeaseHeld, LeaseLost        another executor works on the job
   ├─ RecordConflict              an item's result is recorded already, and differs
   ├─ LifecycleChanged            the job cannot go on under this version of its lifecycle
   ├─ ImportFailed                an old job of which nothing can be made here
   ├─ ImportConflict              an old job whose place here is taken
   ├─ UpdateConflict, PlanStale   the job has moved on since it was looked at
   └─ StoreError                  the place where state is kept
      ├─ StoreAbsent              nothing there
      ├─ StoreLocked              busy for longer than the time allowed
      ├─ StoreForeign             something there that is not ours
      ├─ StoreNewer               written by a newer version
      ├─ StoreUnreadable          damaged, or not readable by us
      │  └─ LogCorrupt            a job's log does not verify
      ├─ StoreReadOnly            opened for reading, asked to write
      └─ CommitUnknown            an I/O error hides whether a commit took place
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from milepost.machine import ContextInvalid, MilepostError, PayloadInvalid, TransitionRefused

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "CheckpointAbsent",
    "CommitAbsent",
    "CommitUnknown",
    "ContextInvalid",
    "ImportConflict",
    "ImportFailed",
    "InputInvalid",
    "ItemAbsent",
    "ItemKeyDuplicate",
    "JobAbsent",
    "JobExists",
    "JobIdInvalid",
    "LeaseHeld",
    "LeaseLost",
    "LifecycleChanged",
    "LogCorrupt",
    "MilepostError",
    "PayloadInvalid",
    "PlanStale",
    "RecordConflict",
    "StateError",
    "StoreAbsent",
    "StoreError",
    "StoreForeign",
    "StoreLocked",
    "StoreNewer",
    "StoreReadOnly",
    "StoreUnreadable",
    "TransitionRefused",
    "UpdateConflict",
    "ValueInvalid",
]


class StateError(MilepostError):
    """What can go wrong with the state of jobs; nothing was changed unless the error says so."""

    code: ClassVar[str] = "state"


class InputInvalid(StateError, ValueError):
    """What was given cannot be stored; nothing was."""

    code: ClassVar[str] = "input-invalid"


@dataclass(eq=False, kw_only=True)
class JobIdInvalid(InputInvalid):
    """A job id that does not match `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`."""

    code: ClassVar[str] = "job-id-invalid"
    job_id: str

    def __str__(self) -> str:
        return (
            f"job id {self.job_id!r}: use 1 to 128 letters, digits, dots, dashes and underscores,"
            " beginning with a letter or a digit"
        )


@dataclass(eq=False, kw_only=True)
class ValueInvalid(InputInvalid):
    """A value that cannot be stored: not JSON, or larger than the limit. `path` is where in it."""

    code: ClassVar[str] = "value-invalid"
    what: str
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.what}: {self.path} {self.problem}"


@dataclass(eq=False, kw_only=True)
class ItemKeyDuplicate(InputInvalid):
    """Two items of one job with the same key; `first` and `second` are their positions from 0."""

    code: ClassVar[str] = "item-key-duplicate"
    key: str
    first: int
    second: int

    def __str__(self) -> str:
        return (
            f"items {self.first} and {self.second} have the same key {self.key!r}:"
            " give one of them another key (milepost.Item), or leave it out"
        )


@dataclass(eq=False, kw_only=True)
class JobAbsent(StateError, LookupError):
    """There is no job of that id."""

    code: ClassVar[str] = "job-absent"
    job_id: str
    url: str
    advice: str = "`milepost jobs` lists those there are"

    def __str__(self) -> str:
        return f"no job {self.job_id!r} in {self.url}: {self.advice}"


@dataclass(eq=False, kw_only=True)
class JobExists(StateError):
    """There is a job of that id already; it was left as it is."""

    code: ClassVar[str] = "job-exists"
    job_id: str
    url: str

    def __str__(self) -> str:
        return f"job {self.job_id!r} exists in {self.url}: resume it, or choose another id"


@dataclass(eq=False, kw_only=True)
class ItemAbsent(StateError, LookupError):
    """The job has no item of that key or ordinal."""

    code: ClassVar[str] = "item-absent"
    job_id: str
    item: str | int
    count: int

    def __str__(self) -> str:
        what = f"ordinal {self.item}" if isinstance(self.item, int) else f"key {self.item!r}"
        return f"job {self.job_id}: no item of {what} among its {self.count}"


@dataclass(eq=False, kw_only=True)
class CheckpointAbsent(StateError, LookupError):
    """The job has no such checkpoint, or none that verifies; `problems` says what was found."""

    code: ClassVar[str] = "checkpoint-absent"
    job_id: str
    seq: int | None
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        which = "no checkpoint" if self.seq is None else f"no checkpoint at seq {self.seq}"
        found = f" ({'; '.join(self.problems)})" if self.problems else ""
        return f"job {self.job_id}: {which} that verifies{found}: recover from the log instead"


@dataclass(eq=False, kw_only=True)
class CommitAbsent(StateError, ValueError):
    """The job's log, of commits 1 to `last`, has no commit `wanted`, or none as early as that."""

    code: ClassVar[str] = "commit-absent"
    job_id: str
    wanted: int | datetime
    last: int

    def __str__(self) -> str:
        if isinstance(self.wanted, int):
            return f"job {self.job_id}: there is no commit {self.wanted}, only 1 to {self.last}"
        return f"job {self.job_id}: there was no commit yet at {self.wanted.isoformat()}"


@dataclass(eq=False, kw_only=True)
class LeaseHeld(StateError):
    """Another executor holds the job, until `expires_at` unless it renews."""

    code: ClassVar[str] = "lease-held"
    job_id: str
    owner: str
    expires_at: datetime

    def __str__(self) -> str:
        return (
            f"job {self.job_id} is held by {self.owner} until {self.expires_at:%H:%M:%S.%f}Z:"
            " wait for it, or take the job over with a reason"
        )


@dataclass(eq=False, kw_only=True)
class LeaseLost(StateError):
    """The writer's lease is no longer the job's: its write was refused and noted in the history.

    `fence` is the writer's, `current_fence` the job's; `current_owner` is None where the lease
    was given back.
    """

    code: ClassVar[str] = "lease-lost"
    job_id: str
    owner: str
    fence: int
    current_owner: str | None
    current_fence: int

    def __str__(self) -> str:
        now = (
            f"{self.current_owner} holds it with fence {self.current_fence}"
            if self.current_owner
            else "nobody holds it"
        )
        return (
            f"job {self.job_id}: {self.owner} lost its lease (fence {self.fence}; now {now}):"
            " stop working on the job"
        )


@dataclass(eq=False, kw_only=True)
class RecordConflict(StateError):
    """The item's result is recorded already and differs; the new one is kept in the history."""

    code: ClassVar[str] = "record-conflict"
    job_id: str
    item: str
    recorded_digest: str
    digest: str

    def __str__(self) -> str:
        return (
            f"job {self.job_id}: item {self.item!r} has another result already"
            f" ({self.recorded_digest[:12]}, not {self.digest[:12]}): the recorded one stands"
        )


@dataclass(eq=False, kw_only=True)
class LifecycleChanged(StateError):
    """The job runs by another version of its lifecycle, and cannot go on under that of this code.

    `problem` says why and what to do; `report` is that of `milepost diff` where the change is
    breaking, and empty otherwise.
    """

    code: ClassVar[str] = "lifecycle-changed"
    job_id: str
    stored: str
    current: str
    problem: str
    report: str = ""

    def __str__(self) -> str:
        told = f"job {self.job_id} runs by {self.stored} and this code by {self.current}"
        return f"{told}: {self.problem}" + (f"\n{self.report}" if self.report else "")


@dataclass(eq=False, kw_only=True)
class ImportFailed(StateError):
    """No job can be made of an old one; `report` says what reading it found. Nothing was stored."""

    code: ClassVar[str] = "import-failed"
    job_id: str
    problem: str
    report: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join((f"job {self.job_id!r} was not imported: {self.problem}", *self.report))


@dataclass(eq=False, kw_only=True)
class ImportConflict(StateError):
    """The id that an old job would have is that of another, or of an earlier import of it."""

    code: ClassVar[str] = "import-conflict"
    job_id: str
    url: str
    problem: str

    def __str__(self) -> str:
        return f"job {self.job_id!r} in {self.url} {self.problem}"


@dataclass(eq=False, kw_only=True)
class UpdateConflict(StateError):
    """Others changed the job each time that an updater looked at it; nothing of it was written."""

    code: ClassVar[str] = "update-conflict"
    job_id: str
    tries: int

    def __str__(self) -> str:
        return f"job {self.job_id} changed {self.tries} times under the update: try again"


@dataclass(eq=False, kw_only=True)
class PlanStale(StateError):
    """The job has moved on since the plan was made; nothing of it was applied."""

    code: ClassVar[str] = "plan-stale"
    job_id: str
    plan_seq: int
    seq: int

    def __str__(self) -> str:
        return (
            f"job {self.job_id}: the plan was made at seq {self.plan_seq} and the job is at"
            f" {self.seq}: make a new plan"
        )


@dataclass(eq=False, kw_only=True)
class StoreError(StateError):
    """Something about the place where state is kept."""

    code: ClassVar[str] = "store"
    url: str
    problem: str

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


class StoreAbsent(StoreError):
    """There is nothing at the place named."""

    code: ClassVar[str] = "store-absent"


class StoreLocked(StoreError):
    """Others kept the store busy for longer than the time allowed; nothing was written."""

    code: ClassVar[str] = "store-locked"


class StoreForeign(StoreError):
    """There is something at the place, and Milepost did not write it; it was left alone."""

    code: ClassVar[str] = "store-foreign"


class StoreNewer(StoreError):
    """A newer version of Milepost wrote it; it was left alone."""

    code: ClassVar[str] = "store-newer"


class StoreUnreadable(StoreError):
    """The store, or a part of it, cannot be read back as it was written."""

    code: ClassVar[str] = "store-unreadable"


@dataclass(eq=False, kw_only=True)
class LogCorrupt(StoreUnreadable):
    """A commit of a job does not verify; what is before it is intact."""

    code: ClassVar[str] = "log-corrupt"
    job_id: str
    seq: int

    def __str__(self) -> str:
        return (
            f"{self.url}: job {self.job_id}, commit {self.seq}: {self.problem}; commits before it"
            " are intact: `milepost verify` shows the whole, restore the file from a backup"
        )


class StoreReadOnly(StoreError):
    """The store was opened for reading and was asked to write."""

    code: ClassVar[str] = "store-read-only"


class CommitUnknown(StoreError):
    """An I/O error hides whether the commit took place: read the job before trying again."""

    code: ClassVar[str] = "commit-unknown"
