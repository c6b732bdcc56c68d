"""`milepost dead`: the dead letters of a job, and all that went wrong with its items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from milepost.inspect.failures import ItemFailure, failure_view
from milepost.inspect.json import to_json_line
from milepost.inspect.page import Block, Column, Fields, Page, Table
from milepost.inspect.words import stamp, value
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope

__all__ = ["DeadLine", "DeadView", "dead", "dead_lines", "dead_page", "letter_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLine:
    """One dead letter: the item, and every failed attempt at it, oldest first.

    `crashes` are the executors that died of it, which are among the `failures`.
    """

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    crashes: int
    failures: tuple[ItemFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadView:
    """Dead letters: the first of `matched` that were asked for, of `total` in the job.

    `detailed` says that one was asked for by its key.
    """

    SCHEMA: ClassVar[str] = "milepost.dead/1"

    job: str
    seq: int
    total: int
    matched: int
    detailed: bool
    letters: tuple[DeadLine, ...]


def dead(
    manager: StateManager,
    job_id: str,
    *,
    scope: Scope,
    limit: int | None = None,
    detailed: bool = False,
) -> DeadView:
    """The first `limit` dead letters in `scope`, with their failures.

    Cost: the commits in which they failed. Raises JobAbsent, ScopeInvalid, ItemAbsent.
    """
    state = manager.get_state(job_id)
    letters: list[DeadLine] = []
    matched = 0
    for line in dead_lines(manager, job_id, scope=scope):
        matched += 1
        if limit is None or len(letters) < limit:
            letters.append(line)
    return DeadView(
        job=state.id,
        seq=state.seq,
        total=state.progress.dead,
        matched=matched,
        detailed=detailed,
        letters=tuple(letters),
    )


def dead_lines(manager: StateManager, job_id: str, *, scope: Scope) -> Iterator[DeadLine]:
    """All dead letters in `scope`, streamed. Raises JobAbsent, ScopeInvalid, ItemAbsent."""
    for letter in manager.dead_letters(job_id, scope):
        yield DeadLine(
            ordinal=letter.ordinal,
            key=letter.key,
            value=letter.value,
            attempts=letter.attempts,
            crashes=letter.crashes,
            failures=tuple(failure_view(letter.key, failure) for failure in letter.failures),
        )


def dead_page(view: DeadView) -> Page:
    """A line for each dead letter, or, of one, a line for each failed attempt."""
    if view.detailed:
        return tuple(block for letter in view.letters for block in _letter(letter))
    columns = (
        Column("ITEM"),
        Column("ATTEMPTS", numeric=True),
        Column("CRASHES", numeric=True),
        Column("FAILURES", numeric=True),
        Column("LAST AT"),
        Column("CAUSE"),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            letter.key,
            str(letter.attempts),
            str(letter.crashes),
            str(len(letter.failures)),
            *_last(letter),
        )
        for letter in view.letters
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _last(letter: DeadLine) -> tuple[str, str, str]:
    if not letter.failures:
        return ("", "", "its executors died" if letter.crashes else "it was given up")
    last = letter.failures[-1]
    return (stamp(last.at), last.cause, last.message)


def _letter(letter: DeadLine) -> Iterator[Block]:
    yield Fields(
        entries=(
            ("item", letter.key),
            ("ordinal", str(letter.ordinal)),
            ("value", value(letter.value)),
            ("attempts", str(letter.attempts)),
            ("crashes", str(letter.crashes)),
        )
    )
    yield Table(
        title="failed attempts",
        columns=(Column("SEQ", numeric=True), Column("AT"), Column("CAUSE"), Column("MESSAGE")),
        rows=tuple((str(f.seq), stamp(f.at), f.cause, f.message) for f in letter.failures),
        empty="no failed attempt: it was given up",
    )


def letter_line(letter: DeadLine) -> str:
    """A line of an export: key, value and failures, in the order of their names."""
    failures = [
        {"at": each.at, "cause": each.cause, "message": each.message, "seq": each.seq}
        for each in letter.failures
    ]
    return to_json_line({"failures": failures, "key": letter.key, "value": letter.value})
