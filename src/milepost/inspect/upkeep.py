"""What is told of a store's upkeep, as data and as pages: its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from milepost.inspect.page import Block, Column, Note, Page, Table

__all__ = ["MigrateView", "MigrationStep", "migrate_page"]


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


def migrate_page(view: MigrateView) -> Page:
    """The steps, what they run if that was asked for, and what became of them."""
    columns = (Column("FORMAT", numeric=True), Column("BRINGS"))
    rows = tuple((str(step.version), step.title) for step in view.steps)
    table: tuple[Block, ...] = (Table(columns=columns, rows=rows),) if rows else ()
    if not view.steps:
        outcome = "the newest: nothing to do"
    elif view.applied:
        outcome = f"taken from {view.steps[0].version - 1}"
    else:
        outcome = f"the newest is {view.newest}: --apply, or any open for writing, takes it there"
    return (*table, *_statements(view), Note(f"{view.store} has format {view.format}, {outcome}"))


def _statements(view: MigrateView) -> Iterator[Note]:
    for step in view.steps:
        for line in (step.sql or "").strip().splitlines():
            yield Note(line)
