"""`milepost results`: what the items of a job came to, or one of them, or the job as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, Struct

from milepost.errors import LifecycleChanged
from milepost.inspect.page import Cell, Column, Lines, Page, Table
from milepost.inspect.states import StateName, item_state
from milepost.inspect.words import stamp, value
from milepost.state.manager import StateManager
from milepost.text.wording import bounded

__all__ = [
    "ResultLine",
    "ResultsView",
    "one_result",
    "results",
    "results_page",
    "value_page",
]


class ResultLine(Struct, frozen=True, kw_only=True):
    """The result of one item, and how it came: the commit `seq` recorded it.

    Where the lifecycle of the job is not at hand, nothing but `key` and `result` is known. `kept`
    says where a result is that is kept beside the log; it was read from there.
    """

    key: str
    result: Any  # Any: JSON
    ordinal: int | None = None
    state: StateName | None = None
    attempts: int | None = None
    recorded_at: datetime | None = None
    seq: int | None = None
    kept: str | None = None


class ResultsView(Struct, frozen=True, kw_only=True):
    """Results in item order, the first of them. `more` says that there are others.

    `count` is how many there are, None where only reading all of them would tell. `job_result` is
    there if the result of the job as a whole was asked for, and nothing else then.
    """

    SCHEMA: ClassVar[str] = "milepost.results/1"

    job: str
    count: int | None
    more: bool
    results: tuple[ResultLine, ...]
    job_result: Any = UNSET  # Any: JSON


def results(manager: StateManager, job_id: str, *, limit: int | None) -> ResultsView:
    """The first `limit` results of a job. Raises as StateManager.results does."""
    found = _lines(manager, job_id)
    shown = tuple(islice(found, limit))
    more = limit is not None and next(found, None) is not None
    try:
        count = manager.get_state(job_id).progress.done if more else len(shown)
    except LifecycleChanged:
        count = None
    return ResultsView(job=job_id, count=count, more=more, results=shown)


def one_result(manager: StateManager, job_id: str, key: str | None) -> ResultsView:
    """The result of the item of that key, or of the job. Raises as StateManager.result_of does."""
    if key is None:
        of_job = manager.result(job_id)
        return ResultsView(job=job_id, count=0, more=False, results=(), job_result=of_job)
    try:
        line = next(_known(manager, job_id, [key]), None)
    except LifecycleChanged:
        line = None
    if line is None:  # raises where there is none, and says why
        line = ResultLine(key=key, result=manager.result_of(job_id, key))
    return ResultsView(job=job_id, count=1, more=False, results=(line,))


def results_page(view: ResultsView) -> Page:
    """A line for each result; long ones are cut."""
    known = any(line.seq is not None for line in view.results)
    how = (
        Column("ATTEMPTS", numeric=True),
        Column("SEQ", numeric=True),
        Column("RECORDED", whole=True),
    )
    return (
        Table(
            columns=(Column("ITEM"), *(how if known else ()), Column("RESULT")),
            rows=tuple(
                (line.key, *(_how(line) if known else ()), bounded(value(line.result)))
                for line in view.results
            ),
        ),
    )


def value_page(view: ResultsView) -> Page:
    """The one value alone, as JSON, for people and for other tools."""
    found = view.results[0].result if view.results else view.job_result
    text = msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=2).decode()
    return (Lines(lines=tuple(text.splitlines())),)


def _lines(manager: StateManager, job_id: str) -> Iterator[ResultLine]:
    try:
        manager.get_state(job_id)
    except LifecycleChanged:  # a description of it is in the store, which knows what a result is
        return (ResultLine(key=key, result=found) for key, found in manager.results(job_id))
    return _known(manager, job_id, None)


def _known(manager: StateManager, job_id: str, keys: list[str] | None) -> Iterator[ResultLine]:
    """The results of a job whose lifecycle is at hand. Raises LifecycleChanged if it is not."""
    state = manager.get_state(job_id)
    for one in manager.recorded_results(job_id, keys=keys):
        yield ResultLine(
            key=one.key,
            result=one.result,
            ordinal=one.ordinal,
            state=item_state(state, one.state),
            attempts=one.attempts,
            recorded_at=one.at,
            seq=one.seq,
            kept=None if one.stored is None else one.stored.uri,
        )


def _how(line: ResultLine) -> tuple[Cell, ...]:
    attempts = "-" if line.attempts is None else str(line.attempts)
    at = "-" if line.recorded_at is None else stamp(line.recorded_at)
    return attempts, str(line.seq or "-"), at
