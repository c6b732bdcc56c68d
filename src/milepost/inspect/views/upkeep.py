"""The answers about a store's upkeep: its format, copies of it, how tightly it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "BackupView",
    "CompactView",
    "CompactedJob",
    "MigrateView",
    "MigrationStep",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupView:
    """A copy of the store that was made: its size, and how many jobs it holds."""

    SCHEMA: ClassVar[str] = "milepost.backup/1"

    store: str
    copy: str
    size_bytes: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStep:
    """A step that takes a store to format `version`; `sql` is None where it was not asked for."""

    version: int
    title: str
    sql: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateView:
    """The format of a store, the newest there is, and the steps between: taken, if `applied`."""

    SCHEMA: ClassVar[str] = "milepost.migrate/1"

    store: str
    format: int
    newest: int
    applied: bool
    steps: tuple[MigrationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedJob:
    """What was merged of one job's log; `problem` is why nothing more was, None if all is well."""

    job: str
    commits: int
    merged: int
    blocks: int
    bytes_before: int
    bytes_after: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactView:
    """What was merged of each job's log, or would be, unless `applied`."""

    SCHEMA: ClassVar[str] = "milepost.compact/1"

    applied: bool
    jobs: tuple[CompactedJob, ...]
