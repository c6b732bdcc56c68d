"""The answers about damage: what is found, mended, set aside and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from milepost.rows import Stray
from milepost.state.quarantine import QuarantinedRow
from milepost.state.repair import Repair
from milepost.state.salvage import SalvagedJob
from milepost.state.verification import Problem

__all__ = [
    "QuarantineView",
    "RepairView",
    "SalvageView",
    "VerifiedJob",
    "VerifyView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedJob:
    """What was checked of one job, and what does not hold."""

    job: str
    sound: bool
    commits: int
    checkpoints: int
    items: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyView:
    """The verdict on a store: on the medium itself, and on each job that was checked."""

    SCHEMA: ClassVar[str] = "milepost.verify/1"

    store: str
    sound: bool
    store_problems: tuple[str, ...]
    jobs: tuple[VerifiedJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairView:
    """What a repair does, or did if `applied`: to each job, and to rows of no job.

    `sound` is the verdict of `verify` on what is there now.
    """

    SCHEMA: ClassVar[str] = "milepost.repair/1"

    store: str
    applied: bool
    sound: bool
    repairs: tuple[Repair, ...]
    strays: tuple[Stray, ...]
    store_problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """What repairs took out of its place, oldest first."""

    SCHEMA: ClassVar[str] = "milepost.quarantine/1"

    store: str
    rows: tuple[QuarantinedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageView:
    """What was copied of a damaged store into a new one, and what was lost; `whole`: nothing."""

    SCHEMA: ClassVar[str] = "milepost.salvage/1"

    old: str
    new: str
    whole: bool
    jobs: tuple[SalvagedJob, ...]
