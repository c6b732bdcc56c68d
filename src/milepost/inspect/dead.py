"""`milepost dead`: the dead letters of a job, and all that went wrong with its items."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from msgspec import UNSET, Struct

from milepost.inspect.failures import ItemFailure, details_of, failure_view, kind_of
from milepost.inspect.json import to_json_line
from milepost.inspect.page import Block, Column, Fields, Page, Table
from milepost.inspect.words import stamp, value
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope

__all__ = ["DeadLine", "DeadView", "dead", "dead_lines", "dead_page", "letter_line"]


class DeadLine(Struct, frozen=True, kw_only=True):
    """One dead letter: the item, and every failed attempt at it, oldest first.

    `crashes` are the executors that died of it, which are among the `failures`.
    """

    ordinal: int
    key: str
    value: Any  # Any: JSON
    attempts: int
    crashes: int
    failures: tuple[ItemFailure, ...]


class DeadView(Struct, frozen=True, kw_only=True):
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

    Cost: the commits in which these failed; memory for these alone. Raises JobAbsent, ScopeInvalid,
    ItemAbsent, RoleAbsent.
    """
    state = manager.get_state(job_id)
    state.require("dead", "the dead letter queue")
    found = manager.recover_from_checkpoint(job_id, scope=scope).dead
    wanted = Scope.ordinals(islice(found.ordinals, limit))
    letters = tuple(dead_lines(manager, job_id, scope=wanted)) if found else ()
    return DeadView(
        job=state.id,
        seq=state.seq,
        total=state.progress.dead,
        matched=len(found),
        detailed=detailed,
        letters=letters,
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
            failures=tuple(
                failure_view(letter.key, failure, detailed=True) for failure in letter.failures
            ),
        )


def dead_page(view: DeadView, *, details: bool = False) -> Page:
    """A line for each dead letter, or, of one, a line for each failed attempt.

    With `details`, all that is known of the last failure of each, or of each failure of one.
    """
    if view.detailed:
        return tuple(block for each in view.letters for block in _letter(each, details=details))
    if details:
        return tuple(block for letter in view.letters for block in _last_details(letter))
    kinds = any(letter.failures and letter.failures[-1].kind for letter in view.letters)
    workers = any(_worker(letter) for letter in view.letters)
    columns = (
        Column("ITEM"),
        Column("ATTEMPTS", numeric=True),
        Column("CRASHES", numeric=True),
        Column("FAILURES", numeric=True),
        Column("LAST AT", whole=True),
        *((Column("WORKER"),) if workers else ()),
        Column("CAUSE"),
        *((Column("KIND"),) if kinds else ()),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            letter.key,
            str(letter.attempts),
            str(letter.crashes),
            str(len(letter.failures)),
            *_last(letter, kinds=kinds, workers=workers),
        )
        for letter in view.letters
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _last(letter: DeadLine, *, kinds: bool, workers: bool) -> tuple[str, ...]:
    last = letter.failures[-1] if letter.failures else None
    found = ("" if last is None else stamp(last.at), *((_worker(letter),) if workers else ()))
    if last is not None:
        return (*found, last.cause, *((kind_of(last),) if kinds else ()), last.message)
    why = "its executors died" if letter.crashes else "it was given up"
    return (*found, "", *(("",) if kinds else ()), why)


def _worker(letter: DeadLine) -> str:
    """Who made the last attempt, as far as it is known."""
    details = letter.failures[-1].details if letter.failures else UNSET
    return details.worker if details else ""


def _last_details(letter: DeadLine) -> Iterator[Block]:
    """The last failure of one dead letter, and how often it was tried."""
    if letter.failures:
        yield from details_of(letter.failures[-1], named=True)
    else:
        yield Fields(entries=(("item", letter.key), ("message", "it was given up")))


def _letter(letter: DeadLine, *, details: bool) -> Iterator[Block]:
    yield Fields(
        entries=(
            ("item", letter.key),
            ("ordinal", str(letter.ordinal)),
            ("value", value(letter.value)),
            ("attempts", str(letter.attempts)),
            ("crashes", str(letter.crashes)),
        )
    )
    if details and letter.failures:
        for failure in letter.failures:
            yield from details_of(failure)
        return
    kinds = any(failure.kind for failure in letter.failures)
    yield Table(
        title="failed attempts",
        columns=(
            Column("SEQ", numeric=True),
            Column("AT", whole=True),
            Column("CAUSE"),
            *((Column("KIND"),) if kinds else ()),
            Column("MESSAGE"),
        ),
        rows=tuple(
            (str(f.seq), stamp(f.at), f.cause, *((kind_of(f),) if kinds else ()), f.message)
            for f in letter.failures
        ),
        empty="no failed attempt: it was given up",
    )


def letter_line(letter: DeadLine) -> str:
    """A line of an export: key, value and failures, in the order of their names."""
    failures = [
        {"at": each.at, "cause": each.cause, "message": each.message, "seq": each.seq}
        | ({"kind": each.kind} if each.kind else {})
        | ({"permanent": True} if each.permanent else {})
        | ({"details": each.details} if each.details else {})
        for each in letter.failures
    ]
    return to_json_line({"failures": failures, "key": letter.key, "value": letter.value})
