"""The answers about how long jobs are kept, and what they take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from milepost.rows import StoredSizes, Vacuumed

__all__ = [
    "GcDone",
    "GcLine",
    "GcView",
    "KeepView",
    "LargeValue",
    "LeftAlone",
    "SizesView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GcLine:
    """Whether one job goes, and why.

    `kept_for_s` is how long it is kept, None for ever or as long as it is active; `reason` is that
    of whoever said so, or names its holder. `checkpoints` are those that go though the job stays.
    """

    job: str
    outcome: str
    phase: str
    age_s: float
    goes: bool
    why: str
    kept_for_s: float | None
    reason: str
    checkpoints: tuple[int, ...]
    size_bytes: int
    goes_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """A job of the plan that was not deleted after all, and why."""

    job: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GcDone:
    """What a collector did: see `milepost.state.collecting.Collected`."""

    deleted: tuple[str, ...]
    finished: tuple[str, ...]
    passed_over: tuple[LeftAlone, ...]
    checkpoints: int
    rows: int
    freed_bytes: int
    tombstones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GcView:
    """What retention says of every job, and what was done about it: None if nothing was.

    `vacuum` is None where no space was given back to the disk. `left` are the ids of jobs whose
    deletion was begun and not ended when it was looked at. `unreadable` says which jobs are left
    alone because they cannot be read.
    """

    SCHEMA: ClassVar[str] = "milepost.gc/1"

    jobs: tuple[GcLine, ...]
    left: tuple[str, ...]
    goes_bytes: int
    done: GcDone | None
    vacuum: Vacuumed | None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepView:
    """How long a job is kept after its newest commit; None for ever, or by the policy."""

    SCHEMA: ClassVar[str] = "milepost.keep/1"

    job: str
    by_policy: bool
    kept_for_s: float | None
    reason: str
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeValue:
    """A value, by where it is, and the bytes of its JSON."""

    place: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizesView:
    """Where the bytes of a job are, as stored, and its largest values, as JSON."""

    SCHEMA: ClassVar[str] = "milepost.sizes/1"

    job: str
    seq: int
    total_bytes: int
    stored: StoredSizes
    largest: tuple[LargeValue, ...]
