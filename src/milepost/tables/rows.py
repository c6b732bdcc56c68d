"""The rows of a table of a job, streamed from its log: no Arrow in them, values as JSON text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from milepost.job.state import JobState
from milepost.state.manager import StateManager
from milepost.text.wording import short_repr

__all__ = ["WHATS", "Column", "TableRow", "What", "columns_of", "named", "rows_of"]

What: TypeAlias = Literal["results", "items", "failures"]
"""What a table is of: a row for each result, for each item, or for each failed attempt."""

WHATS: Final[tuple[What, ...]] = get_args(What)

Kind: TypeAlias = Literal["text", "json", "integer", "flag", "time"]


@short_repr
class Column(NamedTuple):
    """A column: what its values are. Of `json`, rows carry the JSON text as bytes."""

    name: str
    kind: Kind


@short_repr
class TableRow(NamedTuple):
    """One row, `values` in the order of the columns, of about `size_bytes`.

    `key` and `seq` say for messages whose it is; 0 for no commit.
    """

    key: str
    seq: int
    size_bytes: int
    values: tuple[Any, ...]


_RESULTS: Final = (
    Column("key", "text"),
    Column("ordinal", "integer"),
    Column("state", "text"),
    Column("attempts", "integer"),
    Column("result", "json"),
    Column("recorded_at", "time"),
    Column("seq", "integer"),
)
_ITEMS: Final = (
    Column("key", "text"),
    Column("ordinal", "integer"),
    Column("collection", "text"),
    Column("state", "text"),
    Column("attempts", "integer"),
    Column("crashes", "integer"),
    Column("suspect", "flag"),
    Column("value", "json"),
)
_FAILURES: Final = (
    Column("key", "text"),
    Column("ordinal", "integer"),
    Column("attempt", "integer"),
    Column("kind", "text"),
    Column("cause", "text"),
    Column("permanent", "flag"),
    Column("message", "text"),
    Column("at", "time"),
    Column("seq", "integer"),
)
_FIXED_BYTES: Final = 64  # of a row, beside its texts


def columns_of(what: What) -> tuple[Column, ...]:
    """The columns of a table, in order."""
    return {"results": _RESULTS, "items": _ITEMS, "failures": _FAILURES}[what]


def rows_of(manager: StateManager, job_id: str, what: What) -> Iterator[TableRow]:
    """The rows of a table, in item order, failures in that of recording; as of the first step.

    Raises JobAbsent, and RoleAbsent where the lifecycle records nothing of the kind.
    """
    if what == "results":
        return _results(manager, job_id)
    return _items(manager, job_id) if what == "items" else _failures(manager, job_id)


def named(columns: tuple[Column, ...], row: TableRow) -> dict[str, Any]:  # Any: JSON
    """A row as a mapping of its columns that can be encoded as JSON."""
    return {
        column.name: msgspec.Raw(value) if column.kind == "json" and value is not None else value
        for column, value in zip(columns, row.values, strict=True)
    }


def _results(manager: StateManager, job_id: str) -> Iterator[TableRow]:
    for one in manager.recorded_results(job_id):
        encoded = msgspec.json.encode(one.result)
        values = (one.key, one.ordinal, one.state, one.attempts, encoded, one.at, one.seq)
        yield TableRow(one.key, one.seq, len(encoded) + len(one.key) + _FIXED_BYTES, values)


def _items(manager: StateManager, job_id: str) -> Iterator[TableRow]:
    state = manager.get_state(job_id)
    for ordinal, (key, encoded) in enumerate(state.inputs.entries()):
        name, attempts, crashes, suspect = _member(state, ordinal)
        collection = state.collection_of(ordinal)
        values = (key, ordinal, collection, name, attempts, crashes, suspect, encoded)
        yield TableRow(key, 0, len(encoded) + len(key) + _FIXED_BYTES, values)


def _failures(manager: StateManager, job_id: str) -> Iterator[TableRow]:
    counts: Counter[int] = Counter()  # of items that failed: no more is held
    for ordinal, key, one in manager.failed_attempts(job_id):
        counts[ordinal] += 1
        attempt = counts[ordinal]
        if one.details is not None and one.details.attempt:
            attempt = one.details.attempt
        values = (key, ordinal, attempt, one.kind, one.cause, one.permanent, one.message)
        size_bytes = len(key) + len(one.kind) + len(one.message) + _FIXED_BYTES
        yield TableRow(key, one.seq, size_bytes, (*values, one.at, one.seq))


def _member(state: JobState, ordinal: int) -> tuple[str, int | None, int | None, bool | None]:
    """State, attempts, crashes and suspicion of an item; None where the lifecycle has none."""
    ledger = state.ledger_of(ordinal)
    name, context = ledger.member(ordinal)
    roles = ledger.machine.roles
    return (
        name,
        context.get(roles.attempts),
        context.get(roles.crashes),
        context.get(roles.suspect),
    )
