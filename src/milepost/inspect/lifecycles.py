"""`milepost lifecycles`: which lifecycles are found, where, and which a store has jobs of."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from msgspec import Struct

from milepost.discovery import Discovery, Found
from milepost.discovery.found import BUILT_IN
from milepost.errors import StateError
from milepost.inspect.page import Column, Page, Table
from milepost.state.manager import StateManager

__all__ = ["FoundLine", "LifecyclesView", "StoredLine", "lifecycles", "lifecycles_page"]


class FoundLine(Struct, frozen=True, kw_only=True):
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


class StoredLine(Struct, frozen=True, kw_only=True):
    """A version of a lifecycle that `jobs` jobs of the store run by; 0 where it is not known.

    `at_hand` says that the tables of that very version were found; `problem` says how those that
    were found differ, and is empty where none of that name was. Whether each job can go on under
    another version is another question.
    """

    name: str
    version: int
    jobs: int
    at_hand: bool
    problem: str = ""


class LifecyclesView(Struct, frozen=True, kw_only=True):
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
    current = {one.name: one.version for one in manager.lifecycles}
    tables = _tables(discovery, manager)
    counted = Counter((job.lifecycle, job.version, job.at_hand) for job in listed)
    stored = tuple(
        StoredLine(
            name=name,
            version=version,
            jobs=count,
            at_hand=known and (name, version) in tables,
            problem=""
            if known and (name, version) in tables
            else _problem(version, current.get(name)),
        )
        for (name, version, known), count in sorted(counted.items())
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
        (one.name, str(one.version or "?"), str(one.jobs), _found(one)) for one in view.stored
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


def _tables(discovery: Discovery, manager: StateManager) -> set[tuple[str, int]]:
    """Name and version of all tables at hand: the found ones, and earlier ones of the built-in."""
    used = [one for one in discovery.found if one.used and one.lifecycle is not None]
    given = [*manager.lifecycles, *(each for one in used for each in one.earlier)]
    tables = {(each.name, each.version) for each in given}
    for one in discovery.found:
        if one.source == BUILT_IN and any(one.lifecycle is each for each in manager.lifecycles):
            assert one.lifecycle is not None, "it comes with the package"
            upgrades = one.lifecycle.upgrades.values()
            tables |= {(one.lifecycle.name, each.version) for each in upgrades}
    return tables


def _problem(version: int, current: int | None) -> str:
    """How the version of jobs differs from the `current` one that was found, if one was."""
    if current is None or not version:
        return ""
    if version > current:
        return f"later than {current}"
    if version < current:
        return f"earlier than {current}, name its table too"
    return f"other tables of version {current}"


def _found(one: StoredLine) -> str:
    if one.at_hand:
        return "yes"
    return f"no: {one.problem}" if one.problem else "no"


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
