"""`milepost migrate`: the format of a store, and the steps to the newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Block, Column, Note, Page, Table
from milepost.log.rows import StoreFormat

__all__ = ["MigrateView", "MigrationStep", "migrate", "migrate_page"]


class MigrationStep(Struct, frozen=True, kw_only=True):
    """A step that takes a store to format `version`; `sql` is None where it was not asked for."""

    version: int
    title: str
    sql: str | None


class MigrateView(Struct, frozen=True, kw_only=True):
    """The format of a store, the newest there is, and the steps between: taken, if `applied`."""

    SCHEMA: ClassVar[str] = "milepost.migrate/1"

    store: str
    format: int
    newest: int
    applied: bool
    steps: tuple[MigrationStep, ...]


def migrate(
    store: str, before: StoreFormat, after: StoreFormat | None, *, sql: bool
) -> MigrateView:
    """The format that a store has, the steps that were pending, and the format `after` them.

    `after` is None where they were not taken. `sql` shows the statements of each step.
    """
    now = after or before
    return MigrateView(
        store=store,
        format=now.version,
        newest=now.newest,
        applied=after is not None,
        steps=tuple(
            MigrationStep(
                version=step.version, title=step.title, sql=step.statements if sql else None
            )
            for step in before.pending
        ),
    )


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
