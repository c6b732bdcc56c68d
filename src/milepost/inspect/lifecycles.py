"""`milepost lifecycles`: which lifecycles are found, where, and which a store has jobs of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from milepost.discovery import Discovery, Found
from milepost.errors import StateError
from milepost.inspect.page import Column, Page, Table
from milepost.state.manager import StateManager

__all__ = ["FoundLine", "LifecyclesView", "StoredLine", "lifecycles", "lifecycles_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """A lifecycle that something names: `source` is what, and `named` what stands there.

    `name` is None, and so are `version` and `digest`, where it could not be had; `problem` then
    says why. `earlier` are the versions whose tables were found with it. It is not `used` where
    another of its name stands in its place.
    """

    source: str
    named: str
    name: str | None
    version: int | None
    digest: str | None
    earlier: tuple[int, ...]
    used: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A version of a lifecycle that `jobs` jobs of the store run by; 0 where it is not known.

    `at_hand` says that a lifecycle of that name was found; whether each job can go on under it
    is another question.
    """

    name: str
    version: int
    jobs: int
    at_hand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecyclesView:
    """The lifecycles that were found, and those of the `store`, None where none was asked for."""

    SCHEMA: ClassVar[str] = "milepost.lifecycles/1"

    found: tuple[FoundLine, ...]
    store: str | None
    stored: tuple[StoredLine, ...]
    unreadable: tuple[str, ...] = ()


def lifecycles(discovery: Discovery, manager: StateManager | None = None) -> LifecyclesView:
    """What was found, and what the store of `manager` has jobs of. One row a job."""
    found = tuple(_line(one) for one in discovery.found)
    if manager is None:
        return LifecyclesView(found=found, store=None, stored=())
    unreadable: list[StateError] = []
    listed = manager.list_jobs(on_error=unreadable.append)
    names = {one.name for one in manager.lifecycles}
    counted = Counter((job.lifecycle, job.version) for job in listed)
    stored = tuple(
        StoredLine(name=name, version=version, jobs=count, at_hand=name in names)
        for (name, version), count in sorted(counted.items())
    )
    return LifecyclesView(
        found=found, store=manager.url, stored=stored, unreadable=tuple(map(str, unreadable))
    )


def lifecycles_page(view: LifecyclesView) -> Page:
    """A line for each that was found, and one for each that the store has jobs of."""
    found = tuple(
        (
            one.name or "?",
            str(one.version or "?"),
            (one.digest or "")[:12],
            one.source,
            one.named,
            one.problem or _with(one),
        )
        for one in view.found
    )
    stored = tuple(
        (one.name, str(one.version or "?"), str(one.jobs), "yes" if one.at_hand else "no")
        for one in view.stored
    )
    return (
        Table(
            columns=(
                Column("LIFECYCLE"),
                Column("VERSION", numeric=True),
                Column("DIGEST"),
                Column("FROM"),
                Column("NAMED"),
                Column("NOTE"),
            ),
            rows=found,
        ),
        Table(
            title=f"jobs in {view.store}",
            columns=(
                Column("LIFECYCLE"),
                Column("VERSION", numeric=True),
                Column("JOBS", numeric=True),
                Column("FOUND"),
            ),
            rows=stored,
        ),
    )


def _line(one: Found) -> FoundLine:
    lifecycle = one.lifecycle
    return FoundLine(
        source=one.source,
        named=one.named,
        name=lifecycle.name if lifecycle else None,
        version=lifecycle.version if lifecycle else None,
        digest=lifecycle.digest if lifecycle else None,
        earlier=tuple(sorted(each.version for each in one.earlier)),
        used=one.used,
        problem=one.problem,
    )


def _with(one: FoundLine) -> str:
    versions = ", ".join(map(str, one.earlier))
    return f"with version {versions}" if versions else ""
