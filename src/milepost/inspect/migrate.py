"""`milepost migrate`: the format of a store, and the steps to the newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Block, Column, Lines, Note, Page, Table
from milepost.log.rows import StoreFormat

__all__ = ["MigrateView", "MigrationStep", "migrate", "migrate_page", "script_page"]


class MigrationStep(Struct, frozen=True, kw_only=True):
    """A step that takes a store to format `version`; `sql` is None where it was not asked for."""

    version: int
    title: str
    sql: str | None


class MigrateView(Struct, frozen=True, kw_only=True):
    """The format of a store, the newest there is, and the steps between: taken, if `applied`.

    `script` is all of them for any client of a server, where the statements were asked for; None
    for a file, whose steps call functions that milepost alone has.
    """

    SCHEMA: ClassVar[str] = "milepost.migrate/1"

    store: str
    format: int
    newest: int
    applied: bool
    steps: tuple[MigrationStep, ...]
    script: str | None


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
        script=before.script if sql and before.script else None,
    )


def migrate_page(view: MigrateView) -> Page:
    """The steps, what they run if that was asked for, and what became of them."""
    columns = (Column("FORMAT", numeric=True), Column("BRINGS"))
    rows = tuple((str(step.version), step.title) for step in view.steps)
    table: tuple[Block, ...] = (Table(columns=columns, rows=rows),) if rows else ()
    return (*table, *_statements(view), Note(_outcome(view)))


def script_page(view: MigrateView) -> Page:
    """The script, and what it is for, as SQL from its first character to its last."""
    told = [f"-- {_outcome(view)}"]
    told += [f"-- format {step.version}: {step.title}" for step in view.steps]
    return (Lines(lines=(*told, *(view.script or "").splitlines())),)


def _outcome(view: MigrateView) -> str:
    if not view.steps:
        outcome = "the newest: nothing to do"
    elif view.applied:
        outcome = f"taken from {view.steps[0].version - 1}"
    else:
        outcome = f"the newest is {view.newest}: --apply, or any open for writing, takes it there"
    return f"{view.store} has format {view.format}, {outcome}"


def _statements(view: MigrateView) -> Iterator[Note | Lines]:
    for step in view.steps:
        if step.sql is not None:
            yield Lines(lines=tuple(step.sql.strip().splitlines()))
    if any(step.sql for step in view.steps) and view.script is None and not view.applied:
        yield Note("these call functions that milepost alone has: --apply runs them, no other tool")
