"""The quarantine: what repairs took out of its place, and what of it can still be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from milepost.clock import instant
from milepost.errors import StateError, StoreUnreadable
from milepost.log.codec import decode_body, decode_facts
from milepost.log.facts import ItemsFired
from milepost.log.rows import Quarantined, Row
from milepost.state.reading.loading import JobLog, Loader
from milepost.stores.protocol import Reader
from milepost.text.wording import short_repr
from milepost.worker.values import UNDECODABLE

__all__ = ["QuarantinedResult", "QuarantinedRow", "quarantined"]

_ROWS: Final = 256
_BYTES: Final = 1024 * 1024


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QuarantinedResult:
    """A payload in a commit that was set aside: what `item` would have had by `event`.

    It matches the digest that its commit states of it; that the commit itself is what was
    written, nothing says any more.
    """

    item: str
    event: str
    payload: Any  # Any: JSON


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QuarantinedRow:
    """A row that was set aside at `at` out of `source`, with all its columns.

    `key` is its seq or first ordinal there. Bytes in `content` are in base64. `results` are the
    payloads that can be read in it.
    """

    number: int
    at: datetime
    job_id: str
    source: str
    key: int
    reason: str
    content: Any  # Any: JSON
    results: tuple[QuarantinedResult, ...]


def quarantined(loader: Loader, job_id: str | None) -> Iterator[QuarantinedRow]:
    """The rows set aside, of one job or of all, oldest first, as of the moment of the first step.

    Streamed: up to 256 rows, or a mebibyte of them, are read at once, in a transaction of their
    own. A row that was set aside stays as it is.
    """
    keys: dict[str, Callable[[int], str]] = {}
    after, last = 0, None
    while True:
        with loader.store.reading() as reader:
            last = reader.last_quarantined() if last is None else last
            batch = _some(reader.quarantine(after, last))
            for stored in batch:
                if job_id in (None, stored.job_id) and stored.job_id not in keys:
                    keys[stored.job_id] = _namer(loader, reader, stored.job_id)
        if not batch:
            return
        after = batch[-1].number
        for stored in batch:
            if job_id in (None, stored.job_id):
                yield QuarantinedRow(
                    number=stored.number,
                    at=instant(stored.at_us),
                    job_id=stored.job_id,
                    source=stored.source,
                    key=stored.key,
                    reason=stored.reason,
                    content=_content(loader, stored),
                    results=tuple(_results(loader, keys[stored.job_id], stored)),
                )


def _some(rows: Iterator[Quarantined]) -> list[Quarantined]:
    """The first of `rows`, as many as are read at once."""
    found: list[Quarantined] = []
    size_bytes = 0
    for row in rows:
        found.append(row)
        size_bytes += len(row.content)
        if len(found) == _ROWS or size_bytes >= _BYTES:
            break
    return found


def _content(loader: Loader, stored: Quarantined) -> Any:  # Any: JSON
    try:
        return msgspec.json.decode(stored.content)
    except UNDECODABLE as error:
        problem = f"what was set aside as number {stored.number} is no JSON: {error}"
        raise StoreUnreadable(url=loader.store.url, problem=problem) from error


def _results(
    loader: Loader, key_of: Callable[[int], str], stored: Quarantined
) -> Iterator[QuarantinedResult]:
    """The payloads of items in a commit, as far as head and body can be read."""
    if stored.source != "commits":
        return
    try:
        columns = msgspec.json.decode(stored.content)
        row = msgspec.convert({**columns, "seq": stored.key}, Row)
        facts = decode_facts(row, url=loader.store.url, job_id=stored.job_id)
        bodies = decode_body(
            row, url=loader.store.url, job_id=stored.job_id, payloads=loader.payloads
        )
    except (StateError, *UNDECODABLE):
        return
    for fact, body in zip(facts, bodies, strict=False):
        if isinstance(fact, ItemsFired) and isinstance(body, list):
            for ordinal, payload in zip(fact.ordinals, body, strict=False):
                yield QuarantinedResult(
                    item=key_of(ordinal),
                    event=fact.event,
                    payload=payload,
                )


def _namer(loader: Loader, reader: Reader, job_id: str) -> Callable[[int], str]:
    """Names items by their key as the job stands, by their ordinal where that cannot be told."""
    try:
        job = reader.job(job_id)
        inputs = JobLog(loader, reader, job).load().state.inputs if job else None
    except StateError:
        inputs = None

    def name(ordinal: int) -> str:
        try:
            return inputs.key(ordinal) if inputs else str(ordinal)
        except (StateError, KeyError):
            return str(ordinal)

    return name
