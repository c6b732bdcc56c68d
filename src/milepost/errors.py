"""Every error of the state side, built from data, each saying what, where and what to do.

What was given may hold any character; a message is `printable`.

MilepostError                     the root (`refusals.py`, so that generated modules need no more)
├─ TransitionRefused              an event that is not legal now
│  └─ InvariantBroken             one that would break a declared invariant, or a context that does
├─ PayloadInvalid, ContextInvalid payloads and parameters that a machine does not take
└─ StateError
   ├─ InputInvalid                what was given cannot be stored
   │  ├─ ArgumentInvalid          an argument of a wrong type, or out of its range
   │  ├─ JobIdInvalid             a job id that does not match the pattern
   │  ├─ ValueInvalid             a value that is not JSON, or too large
   │  │  ├─ TooLarge              larger than the limits that were set
   │  │  └─ NumberUnfit           an integer that a step would make, beyond 64 bits
   │  ├─ ItemKeyDuplicate         two items with one key
   │  └─ ItemExists               an item to be added whose key the job has already
   ├─ ItemsRefused                items are added to a job that takes no more
   ├─ NoteRefused                 a note of an attempt that is over, or of a run that is
   ├─ NotesAbsent                 a note from where there is no way back
   ├─ StagingExpired              items came in so slowly that what there was of them was swept
   ├─ JobAbsent, JobExists, ItemAbsent, ResultAbsent, CheckpointAbsent
   │  ├─ JobReplaced              the job was deleted, and another has its id
   │  └─ JobMoved                 the job was moved to another store
   ├─ CommitAbsent                a log that does not reach there
   ├─ LeaseHeld, LeaseLost        another executor works on the job
   ├─ LeaseForeign                the lease is of another job
   ├─ RecordConflict              an item's result is recorded already, and differs
   ├─ LifecycleChanged            the job cannot go on under this version of its lifecycle
   │  └─ LifecycleUnknown         nothing here knows the lifecycle that the job runs by
   ├─ LifecycleAbsent             a lifecycle that was named is not there, or is none
   ├─ LifecycleUnfit              a lifecycle that no store keeps jobs of, or two of one name
   ├─ RedoRefused                 items that are not done, or a job that has ended
   ├─ RoleAbsent                  the lifecycle has no role for what was asked
   ├─ InputChanged                the items given are not those of the job
   ├─ ImportFailed                an old job of which nothing can be made here
   ├─ ImportConflict              an old job whose place here is taken
   ├─ MoveFailed                  a job that stays in its store, since its copy is not as it must be
   ├─ UpdateConflict, PlanStale   the job has moved on since it was looked at
   ├─ JobFailed                   a job has not succeeded, of a run that was to check that
   ├─ PayloadUnfilled             a run cannot give an event all that the lifecycle has it carry
   ├─ ScopeInvalid                a scope of a recovery that means nothing for the job
   ├─ EngineUnfit                 no worker of an engine can make the calls of a run
   ├─ ExtraAbsent                 a package is not installed that is needed for what was asked
   ├─ StoredResultAbsent          a result that is kept beside the log is not there
   ├─ StoredResultDamaged         one is not what was written
   ├─ RowUnfit                    a row of a table does not fit the types that were asked for
   └─ StoreError                  the place where state is kept
      ├─ StoreAbsent              nothing there
      ├─ StoreLocked              busy for longer than the time allowed
      ├─ StoreForeign             something there that is not ours
      ├─ StoreNewer               written by a newer version
      ├─ StoreUnreadable          damaged, or not readable by us
      │  └─ LogCorrupt            a job's log does not verify
      ├─ CodecAbsent              payloads need a codec that was not given
      ├─ StoreUnsafe              on a file system where it would be damaged
      ├─ StoreReadOnly            opened for reading, asked to write
      ├─ StoreFull                no room for what was to be written
      ├─ StoreReplaced            its files were deleted, moved or replaced while it was open
      ├─ StoreForked              inherited by the child of a fork
      └─ CommitUnknown            an I/O error hides whether a commit took place
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from milepost.refusals import (
    ContextInvalid,
    InvariantBroken,
    MilepostError,
    PayloadInvalid,
    TransitionRefused,
)
from milepost.text.commands import command, reaching
from milepost.text.escapes import printable, printable_lines
from milepost.text.wording import short_repr, shown

if TYPE_CHECKING:
    from datetime import datetime

    from milepost.machine import Lifecycle, Machine

__all__ = [
    "ArgumentInvalid",
    "CheckpointAbsent",
    "CodecAbsent",
    "CommitAbsent",
    "CommitUnknown",
    "ContextInvalid",
    "EngineUnfit",
    "ExtraAbsent",
    "ImportConflict",
    "ImportFailed",
    "InputChanged",
    "InputInvalid",
    "InvariantBroken",
    "ItemAbsent",
    "ItemExists",
    "ItemKeyDuplicate",
    "ItemsRefused",
    "JobAbsent",
    "JobExists",
    "JobFailed",
    "JobIdInvalid",
    "JobMoved",
    "JobReplaced",
    "LeaseForeign",
    "LeaseHeld",
    "LeaseLost",
    "LifecycleAbsent",
    "LifecycleChanged",
    "LifecycleUnfit",
    "LifecycleUnknown",
    "LogCorrupt",
    "MilepostError",
    "MoveFailed",
    "NoteRefused",
    "NotesAbsent",
    "NumberUnfit",
    "PayloadInvalid",
    "PayloadUnfilled",
    "PlanStale",
    "RecordConflict",
    "RedoRefused",
    "ResultAbsent",
    "RoleAbsent",
    "RowUnfit",
    "ScopeInvalid",
    "StagingExpired",
    "StateError",
    "StoreAbsent",
    "StoreError",
    "StoreForeign",
    "StoreForked",
    "StoreFull",
    "StoreLocked",
    "StoreNewer",
    "StoreReadOnly",
    "StoreReplaced",
    "StoreUnreadable",
    "StoreUnsafe",
    "StoredResultAbsent",
    "StoredResultDamaged",
    "TooLarge",
    "TransitionRefused",
    "UpdateConflict",
    "ValueInvalid",
]


class StateError(MilepostError):
    """The base of all errors about jobs and stores; nothing changed unless the error says so."""

    code: ClassVar[str] = "state"


class InputInvalid(StateError, ValueError):
    """The input cannot be stored; nothing was."""

    code: ClassVar[str] = "input-invalid"


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ArgumentInvalid(InputInvalid, TypeError):
    """The argument for the parameter `name` is not of the kind `wanted`; nothing was changed.

    `given` is what was passed, cut and escaped so that it can be printed, with its type. It is a
    ValueError as all of its kind are, and a TypeError too: it is raised for either.
    """

    code: ClassVar[str] = "argument-invalid"
    name: str
    given: str
    wanted: str

    def __str__(self) -> str:
        return printable(f"argument {self.name!r}: {self.wanted} is wanted, not {self.given}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobIdInvalid(InputInvalid):
    """A job id that does not match `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`."""

    code: ClassVar[str] = "job-id-invalid"
    job_id: str

    def __str__(self) -> str:
        return printable(
            f"job id {self.job_id!r}: use 1 to 128 letters, digits, dots, dashes and underscores,"
            " beginning with a letter or a digit"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ValueInvalid(InputInvalid):
    """A value that cannot be stored: not JSON, or larger than the limit. `path` is where in it."""

    code: ClassVar[str] = "value-invalid"
    what: str
    path: str
    problem: str

    def __str__(self) -> str:
        return printable(f"{self.what}: {self.path} {self.problem}")


@short_repr
class Large(NamedTuple):
    """A value that takes much room: where it is, and how many bytes its JSON takes."""

    place: str
    size_bytes: int


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class TooLarge(ValueInvalid):
    """Something larger than `limit_bytes`; `largest` names what takes most of it, largest first."""

    code: ClassVar[str] = "too-large"
    size_bytes: int
    limit_bytes: int
    largest: tuple[Large, ...]

    def __str__(self) -> str:
        named = ", ".join(f"{place} {size_bytes:,}" for place, size_bytes in self.largest)
        return printable(f"{super().__str__()} (bytes: {named})") if named else super().__str__()


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class NumberUnfit(ValueInvalid):
    """A step that would make an integer beyond 64 bits, which nothing stores; nothing has changed.

    `event` would give the variable `name` that `value`; `what` says of which job, or which item.
    """

    code: ClassVar[str] = "number-unfit"
    event: str
    name: str
    value: int

    def __str__(self) -> str:
        made = f"'{self.event}' would make '{self.name}' {shown(self.value)}"
        return printable(f"{self.what}: {made}, {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ItemKeyDuplicate(InputInvalid):
    """Two items of one job with the same key; `first` and `second` are their positions from 0."""

    code: ClassVar[str] = "item-key-duplicate"
    key: str
    first: int
    second: int

    def __str__(self) -> str:
        return printable(
            f"items {self.first} and {self.second} have the same key {self.key!r}:"
            " give one of them another key (milepost.Item), or leave it out"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ItemExists(InputInvalid):
    """An item to be added has the key of one that the job has; `position` is where it is listed."""

    code: ClassVar[str] = "item-exists"
    job_id: str
    key: str
    ordinal: int
    position: int

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: the item at {self.position} of those to add has the key"
            f" {self.key!r} of item {self.ordinal}: leave it out, or pass existing='skip'"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ItemsRefused(StateError, ValueError):
    """The job takes no more items in its phase; it would in `phases`. Nothing was added."""

    code: ClassVar[str] = "items-refused"
    job_id: str
    phase: str
    phases: tuple[str, ...]

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: no items can be added in '{self.phase}'"
            f" (only in: {', '.join(self.phases) or 'no phase'}): make another job of them"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class NoteRefused(StateError):
    """The run did not record a note of an item; it is not known to later attempts."""

    code: ClassVar[str] = "note-refused"
    job_id: str
    key: str
    problem: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: a note of item {self.key!r}: {self.problem}; it is not recorded:"
            " end this attempt, and note it in the next one"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class NotesAbsent(StateError):
    """The item cannot be given a note from where its function runs; nothing was recorded."""

    code: ClassVar[str] = "notes-absent"
    job_id: str
    key: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: item {self.key!r} takes no note from here: raise"
            " Later(note=…, after_s=…), which ends the attempt with one, or use threads, coroutines"
            " or processes of this machine, and a lifecycle that has the role note"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StagingExpired(StateError):
    """Items came in so slowly that others took what was staged of them for left behind."""

    code: ClassVar[str] = "staging-expired"
    job_id: str
    after_s: float

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: nothing was added to the items that were coming in for"
            f" {self.after_s:g} s, so they were swept: hand them over again, in less time"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobAbsent(StateError, LookupError):
    """There is no job of that id; `deleted_at` says when there was one, if that is known."""

    code: ClassVar[str] = "job-absent"
    job_id: str
    url: str
    deleted_at: datetime | None = None
    advice: str = field(default_factory=lambda: f"`{command('jobs')}` lists those there are")

    def __str__(self) -> str:
        at = self.deleted_at
        was = f" (it was deleted at {at:%Y-%m-%dT%H:%M:%SZ})" if at else ""
        return printable(f"no job {self.job_id!r} in {self.url}{was}: {self.advice}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobReplaced(JobAbsent):
    """The job of `what` was deleted, and another job has its id now; that job was left alone."""

    code: ClassVar[str] = "job-replaced"
    what: str

    def __str__(self) -> str:
        return printable(
            f"{self.what} is of a job {self.job_id!r} that was deleted, and {self.url} has another"
            " of that id now: begin with that one's newest state"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobMoved(JobAbsent):
    """The job was moved to the store `moved_to`, at `deleted_at`; nobody drives it here any more.

    Its id is not free here either: whoever would make a job of it has that one in mind.
    """

    code: ClassVar[str] = "job-moved"
    moved_to: str = ""

    def __str__(self) -> str:
        at = self.deleted_at
        when = f" at {at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
        with reaching():  # no store but that one
            there = command("show", self.job_id, "--db", self.moved_to)
        return printable(
            f"job {self.job_id!r} was moved from {self.url} to {self.moved_to}{when}: go on there,"
            f" `{there}` shows it; a new job here needs another id"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobExists(StateError):
    """There is a job of that id already; it was left as it is."""

    code: ClassVar[str] = "job-exists"
    job_id: str
    url: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id!r} exists in {self.url}: resume it, or choose another id"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ItemAbsent(StateError, LookupError):
    """The job has no item of that key or ordinal; `collections` are its own, if it has several."""

    code: ClassVar[str] = "item-absent"
    job_id: str
    item: str | int
    count: int
    collections: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"ordinal {self.item}" if isinstance(self.item, int) else f"key {self.item!r}"
        told = f"job {self.job_id}: no item of {what} among its {self.count}"
        several = len(self.collections) > 1 and isinstance(self.item, str)
        if several and str(self.item).partition("/")[0] not in self.collections:
            listed = ", ".join(self.collections)
            example = f"{next(iter(self.collections))}/{self.item}"
            told += f": a key begins with a collection ({listed}), as in {example!r}"
        else:
            told += f": `{command('items', self.job_id)}` lists them"
        return printable(told)


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ResultAbsent(StateError, KeyError):
    """The item, or the job where `item` is None, has no result: none yet, or it never will.

    `todo` says what helps, by what its state means; where it is empty, there is work left.
    """

    code: ClassVar[str] = "result-absent"
    job_id: str
    item: str | None
    state: str
    todo: str = ""

    def __str__(self) -> str:
        whose = "" if self.item is None else f": item {self.item!r}"
        plan = command("plan", self.job_id)
        todo = self.todo or f"`{plan}` shows what is left to do, and why"
        return printable(
            f"job {self.job_id}{whose} has given no result: it is in '{self.state}': {todo}"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class CheckpointAbsent(StateError, LookupError):
    """The job has no such checkpoint, or none that verifies; `problems` says what was found."""

    code: ClassVar[str] = "checkpoint-absent"
    job_id: str
    seq: int | None
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        which = "no checkpoint" if self.seq is None else f"no checkpoint at seq {self.seq}"
        found = f" ({'; '.join(self.problems)})" if self.problems else ""
        return printable(
            f"job {self.job_id}: {which} that verifies{found}: recover from the log instead"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class CommitAbsent(StateError, ValueError):
    """The job's log, of commits 1 to `last`, has no commit `wanted`, or none as early as that."""

    code: ClassVar[str] = "commit-absent"
    job_id: str
    wanted: int | datetime
    last: int

    def __str__(self) -> str:
        if isinstance(self.wanted, int):
            return printable(
                f"job {self.job_id}: there is no commit {self.wanted}, only 1 to {self.last}:"
                f" `{command('history', self.job_id)}` shows them"
            )
        return printable(
            f"job {self.job_id}: there was no commit yet at {self.wanted.isoformat()}:"
            f" `{command('history', self.job_id)}` shows when there was"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LeaseHeld(StateError):
    """Another executor holds the job: it may be replaced in `left_s` at most, unless it renews.

    `left_s` and `ttl_s`, the whole of its time, are by a clock that nobody sets; `expires_at` is
    by the holder's wall clock, for people. `renews` says that it was seen renewing while it was
    waited for, so that it is alive; `watched` that nothing is known yet but what
    is seen from here, from now on.
    """

    code: ClassVar[str] = "lease-held"
    job_id: str
    owner: str
    expires_at: datetime
    left_s: float = 0.0
    ttl_s: float = 0.0
    fence: int = 0
    renews: bool = False
    watched: bool = False

    def __str__(self) -> str:
        if self.renews:
            left = ", which is alive: it was seen renewing its lease"
            longer = ' longer (wait="for ever")'
        else:
            longer = ""
            left = f" until {self.expires_at:%H:%M:%S}Z by its clock"
            left += f", for {self.left_s:.1f} s more unless it renews"
            if self.watched:
                left += " (counted from now on, since its clock cannot be compared with ours)"
        return printable(
            f"job {self.job_id} is held by {self.owner}{left}. Wait for it{longer}, or take the job"
            ' over with a reason: takeover="why", or'
            f" `{command('recover', self.job_id, '--take-over', 'WHY', '--apply')}`"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
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
        return printable(
            f"job {self.job_id}: {self.owner} lost its lease (fence {self.fence}; now {now}):"
            " stop working on the job; whoever takes it up begins with its newest state"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LeaseForeign(StateError):
    """The lease that was given is of another job; nothing was written, and it is not lost."""

    code: ClassVar[str] = "lease-foreign"
    job_id: str
    lease_job_id: str
    owner: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: the lease of {self.owner} is of job {self.lease_job_id}:"
            " write under a lease of the job itself"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class RecordConflict(StateError):
    """The item's result is recorded already and differs; the new one is kept in the history."""

    code: ClassVar[str] = "record-conflict"
    job_id: str
    item: str
    recorded_digest: str
    digest: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: item {self.item!r} has another result already"
            f" ({self.recorded_digest[:12]}, not {self.digest[:12]}): the recorded one stands;"
            f" to have another, let the item be done again: `{command('redo', self.job_id)}`"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LifecycleChanged(StateError):
    """The job runs by another version of its lifecycle, and cannot go on under the one at hand.

    It runs by the `lifecycle` of that name, in the `version` of that `digest`; the version is 0
    where it is not known. `problem` says why and what to do; `report` is that of `milepost diff`
    where the change is breaking, and empty otherwise.
    """

    code: ClassVar[str] = "lifecycle-changed"
    job_id: str
    stored: str
    current: str
    problem: str
    report: str = ""
    lifecycle: str = ""
    version: int = 0
    digest: str = ""

    def __str__(self) -> str:
        told = f"job {self.job_id} runs by {self.stored} and this code by {self.current}"
        report = f"\n{printable_lines(self.report)}" if self.report else ""
        return printable(f"{told}: {self.problem}") + report


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LifecycleUnknown(LifecycleChanged):
    """The job runs by a lifecycle without tables here; `current` names the ones at hand."""

    code: ClassVar[str] = "lifecycle-unknown"

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id} runs by {self.stored}, and no table for it is here (there are:"
            f" {self.current}): {self.problem}"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LifecycleAbsent(StateError):
    """A lifecycle that was `named` in `source` cannot be had; nothing was opened."""

    code: ClassVar[str] = "lifecycle-absent"
    named: str
    source: str
    problem: str

    def __str__(self) -> str:
        return printable(
            f"{self.source} {self.named}: {self.problem}; name a compiled module that can be"
            f" imported here, or its file: `{command('lifecycles')}` lists what is found"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LifecycleUnfit(StateError):
    """A lifecycle that was given cannot be kept in a store; nothing was opened."""

    code: ClassVar[str] = "lifecycle-unfit"
    lifecycle: str
    problem: str

    def __str__(self) -> str:
        return printable(f"lifecycle {self.lifecycle}: {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class RedoRefused(StateError):
    """The items cannot be done again as the job stands; nothing was changed.

    `items` are the first of the `count` items that are not done, each with its state. Without, the
    job has ended in `phase`, and `before` is the commit before it did.
    """

    code: ClassVar[str] = "redo-refused"
    job_id: str
    phase: str
    items: tuple[tuple[str, str], ...] = ()
    count: int = 0
    before: int = 0

    def __str__(self) -> str:
        if self.items:
            named = ", ".join(f"{key!r} is {state}" for key, state in self.items)
            more = f", and {self.count - len(self.items):,} more" * (self.count > len(self.items))
            return printable(
                f"job {self.job_id}: only what is done can be done again: {named}{more};"
                " leave these out"
            )
        back = command("rewind", self.job_id, self.before, "--apply")
        copy = command("fork", self.job_id, self.before, "NEW_ID", "--apply")
        return printable(
            f"job {self.job_id}: it has ended in '{self.phase}', and no item is done again there:"
            f" `{back}` goes back to the commit before the end, `{copy}` makes a new job that"
            " stands as this one did then; redo the items after either"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class RoleAbsent(StateError, LookupError):
    """The lifecycle does not say which of its parts has a `role` that `needed_by` goes by.

    `machine` is the one that should name it; it is "" where the role is one of items, and jobs of
    the lifecycle have none. `of` says more of the part that is looked for. Nothing was changed.
    """

    code: ClassVar[str] = "role-absent"
    lifecycle: str
    version: int
    machine: str
    role: str
    needed_by: str
    of: str = ""

    @staticmethod
    def at(
        lifecycle: Lifecycle, machine: Machine | None, role: str, needed_by: str, of: str = ""
    ) -> RoleAbsent:
        """The error about one machine of a lifecycle.

        Args:
            lifecycle: The lifecycle that the job runs by.
            machine: The machine that should name the role; None where it is one of items, and jobs
                have none.
            role: The role, as a definition spells it.
            needed_by: The caller's need, for the message.
            of: More about the part that is looked for.
        """
        return RoleAbsent(
            lifecycle=lifecycle.name,
            version=lifecycle.version,
            machine="" if machine is None else machine.name,
            role=role,
            needed_by=needed_by,
            of=of,
        )

    def __str__(self) -> str:
        whose = f"lifecycle {self.lifecycle} version {self.version}"
        if not self.machine:
            return printable(
                f"{whose}: its jobs have no items, so that nothing has the role '{self.role}',"
                f" which {self.needed_by} needs: it is for lifecycles with a collection"
            )
        of = f" of {self.of}" if self.of else ""
        return printable(
            f"{whose}: machine '{self.machine}' has no role '{self.role}'{of}, which"
            f" {self.needed_by} needs: name it under machines.{self.machine}.roles"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class InputChanged(StateError):
    """The items given are not those that the job has; `verdict` is how they differ."""

    code: ClassVar[str] = "input-changed"
    job_id: str
    verdict: str
    difference: str

    def __str__(self) -> str:
        grow = ", on_changed='grow' to add the new ones" if self.verdict == "grew" else ""
        return printable(
            f"job {self.job_id}: {self.difference}: say on_changed='keep' to go on with the items"
            f" that the job has{grow}, or create another job"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ImportFailed(StateError):
    """No job can be made of an old one; `report` says what reading it found. Nothing was stored."""

    code: ClassVar[str] = "import-failed"
    job_id: str
    problem: str
    report: tuple[str, ...] = ()

    def __str__(self) -> str:
        todo = "nothing of it was stored; mend what it was read from, or leave it out"
        told = (f"job {self.job_id!r} was not imported: {self.problem}: {todo}", *self.report)
        return "\n".join(map(printable, told))


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ImportConflict(StateError):
    """Another job, or an earlier import, has the id that an old job would get."""

    code: ClassVar[str] = "import-conflict"
    job_id: str
    url: str
    problem: str

    def __str__(self) -> str:
        return printable(f"job {self.job_id!r} in {self.url} {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class MoveFailed(StateError):
    """A job was not moved to the store `target`: it stays where it is, in the store at `url`."""

    code: ClassVar[str] = "move-failed"
    job_id: str
    url: str
    target: str
    problem: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id!r} was not moved from {self.url} to {self.target}: {self.problem};"
            " see to that, and begin again"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class UpdateConflict(StateError):
    """Others changed the job each time that an updater looked at it; nothing of it was written."""

    code: ClassVar[str] = "update-conflict"
    job_id: str
    tries: int

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id} changed {self.tries} times under the update: try again"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class PlanStale(StateError):
    """The job has moved on since the plan was made; nothing of it was applied."""

    code: ClassVar[str] = "plan-stale"
    job_id: str
    plan_seq: int
    seq: int

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}: the plan was made at seq {self.plan_seq} and the job is at"
            f" {self.seq}: make a new plan"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class JobFailed(StateError):
    """A run was to raise unless its job succeeded; all that it did is recorded, as without that.

    `counts` says how many items are where, `advice` what to do next.
    """

    code: ClassVar[str] = "job-failed"
    job_id: str
    phase: str
    why: str
    counts: str
    advice: str

    def __str__(self) -> str:
        because = f": {self.why}" if self.why else ""
        counts = f" ({self.counts})" if self.counts else ""
        todo = f"; next: {self.advice}" if self.advice else ""
        return printable(f"job {self.job_id} is {self.phase}{because}{counts}{todo}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class PayloadUnfilled(StateError):
    """An event that must be given a field which no role of its machine is for."""

    code: ClassVar[str] = "payload-unfilled"
    lifecycle: str
    version: int
    machine: str
    event: str
    field: str

    def __str__(self) -> str:
        return printable(
            f"lifecycle {self.lifecycle} version {self.version}: a run has nothing to give as"
            f" '{self.field}' of event '{self.event}' of machine '{self.machine}': give the field a"
            f" default, or a role under machines.{self.machine}.roles"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ScopeInvalid(StateError, ValueError):
    """A scope whose parts do not fit together, or that names what the job does not have."""

    code: ClassVar[str] = "scope-invalid"
    problem: str

    def __str__(self) -> str:
        return printable(f"scope: {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class EngineUnfit(StateError):
    """No worker of an engine can make the calls of a run: `problem`. No item was begun."""

    code: ClassVar[str] = "engine-unfit"
    engine: str
    problem: str

    def __str__(self) -> str:
        return printable(f"{self.engine}: {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ExtraAbsent(StateError, ImportError):
    """The package `package` is not installed here; the extra `extra` of Milepost brings it."""

    code: ClassVar[str] = "extra-absent"
    package: str
    extra: str
    needed_by: str

    def __str__(self) -> str:
        return printable(
            f"{self.needed_by} needs the package {self.package}, which is not installed here:"
            f" pip install 'milepost[{self.extra}]'"
        )


_BRING_BACK: Final = "bring the file back from a copy, or let the item be done again (`redo`)"


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoredResultAbsent(StateError, LookupError):
    """The result of an item is kept beside the log, at `uri`, and cannot be had from there.

    `item` is the key of the item. The log says which bytes it had; it cannot make them anew.
    """

    code: ClassVar[str] = "stored-result-absent"
    job_id: str
    item: str
    uri: str
    problem: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}, item {self.item!r}: its result is kept at {self.uri}:"
            f" {self.problem}; {_BRING_BACK}"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoredResultDamaged(StateError):
    """The result of an item is kept beside the log, at `uri`, and is not what was written there."""

    code: ClassVar[str] = "stored-result-damaged"
    job_id: str
    item: str
    uri: str
    problem: str

    def __str__(self) -> str:
        return printable(
            f"job {self.job_id}, item {self.item!r}: its result, which is kept at {self.uri}, is"
            f" damaged: {self.problem}; {_BRING_BACK}"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class RowUnfit(StateError, ValueError):
    """A row of a table of a job does not fit the types of its columns.

    `item` is the key of the item, `seq` the commit that the row is from; 0 where it is from none.
    """

    code: ClassVar[str] = "row-unfit"
    job_id: str
    item: str
    seq: int
    column: str
    problem: str

    def __str__(self) -> str:
        commit = f", commit {self.seq}" if self.seq else ""
        return printable(
            f"job {self.job_id}, item {self.item!r}{commit}: its {self.column} does not fit the"
            f" other rows: {self.problem}: give a schema that it fits, or take JSON text"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoreError(StateError):
    """Something about the place where state is kept."""

    code: ClassVar[str] = "store"
    url: str
    problem: str

    def __str__(self) -> str:
        return printable(f"{self.url}: {self.problem}")


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


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoreUnreadable(StoreError):
    """The store, or a part of it, cannot be read back as it was written; `todo` says what helps."""

    code: ClassVar[str] = "store-unreadable"
    todo: str = field(
        default_factory=lambda: (
            f"`{command('verify')}` shows what is damaged, and what a repair or a backup gives back"
        )
    )

    def __str__(self) -> str:
        return printable(f"{self.url}: {self.problem}: {self.todo}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class LogCorrupt(StoreUnreadable):
    """A commit of a job does not verify; what is before it is intact."""

    code: ClassVar[str] = "log-corrupt"
    job_id: str
    seq: int

    def __str__(self) -> str:
        return printable(
            f"{self.url}: job {self.job_id}, commit {self.seq}: {self.problem}; commits before it"
            f" are intact: `{command('verify')}` shows the whole, restore the file from a backup"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class CodecAbsent(StoreError):
    """Payloads were encoded by the codec `codec`, which is not the one that was given, if any."""

    code: ClassVar[str] = "codec-absent"
    codec: str


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoreUnsafe(StoreError):
    """The place is one where the store would be damaged; it was left alone.

    `file_system` is the type of the file system that it is on.
    """

    code: ClassVar[str] = "store-unsafe"
    file_system: str


class StoreReadOnly(StoreError):
    """The store was opened for reading, or is where nothing can be written; it was to write."""

    code: ClassVar[str] = "store-read-only"


class StoreFull(StoreError):
    """There is no room for what was to be written: nothing of it was, and what there was stays."""

    code: ClassVar[str] = "store-full"


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoreReplaced(StoreError):
    """The files at the path are no longer those that are open; the store is used no more.

    Of a server: a run found the log of its job shorter than it was; the next goes on from there.

    `committed` is True for a write that had gone into the files that were open when this was
    found: it may not be in those that the path names now.
    """

    code: ClassVar[str] = "store-replaced"
    committed: bool = False


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class StoreForked(StoreError):
    """The store was opened by the parent of this process, before a fork; nothing was done."""

    code: ClassVar[str] = "store-forked"
    problem: str = (
        "it was opened by another process, of which this one is a fork: open it again in this"
        " process"
    )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class CommitUnknown(StoreError):
    """An I/O error hides whether the commit took place: read the job before trying again.

    `may_appear`: what is not there when it is read now may be there after a crash.
    """

    code: ClassVar[str] = "commit-unknown"
    may_appear: bool = False
