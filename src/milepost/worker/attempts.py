"""One call of the user's code: what it gave, or why it gave nothing, as data.

Runs in the worker, so that neither a result that is no JSON nor an exception that cannot be sent
between processes gets as far as the run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import isasyncgen, isawaitable, isgenerator
from types import CoroutineType
from typing import TypeAlias

import msgspec

from milepost.errors import ValueInvalid
from milepost.worker.beside import REFERENCE_BYTES, Keeping
from milepost.worker.chunks import Chunk
from milepost.worker.failures import failure_of, judged
from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Deferred, Given, Outcome, Timed, Unfit
from milepost.worker.rules import ErrorRules, error_rules
from milepost.worker.signals import NOTHING
from milepost.worker.sizes import check_size
from milepost.worker.traces import called, called_awaited
from milepost.worker.values import Encode, Encoded, EncodeHere, encode_value, plain_value

__all__ = ["MapFn", "Terms", "attempt", "attempt_awaited", "attempts", "checked"]

MapFn: TypeAlias = Callable[[WorkItem], object]
"""The function for items: what it gives for one is the item's result."""

_TOGETHER_S = 0.02  # of one call of an engine for several items
_AWAITS_NONE = (
    "map_fn gave an awaitable, and this executor awaits none: give executor=CoroutineExecutor, of"
    " milepost.executors, or a function that gives the result itself"
)
_GENERATES = "map_fn gave a generator: return one result for an item, a list of parts for one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for all calls of one run: how large a result may be, and what is made of errors.

    `most_bytes` bounds a result as JSON. `encode` gives what JSON has no word for. `keeping` says
    where results of items go that are large; None for the log.
    """

    most_bytes: int
    rules: ErrorRules = field(default_factory=lambda: error_rules(None))
    encode: Encode | None = None
    keeping: Keeping | None = None


def attempt(function: MapFn, item: WorkItem, terms: Terms, *, typed: bool) -> Timed:
    """The outcome of `function` for `item`; raises nothing that `function` raises.

    `typed` says that the result is not of any JSON, but of a type that the lifecycle gives it.
    """
    began_s = time.perf_counter()
    if terms.encode is not None:
        item = _told_of(item, terms.encode)
    outcome: Outcome | Unfit
    try:
        value = function(item) if item.trace is None else called(function, item)
    except BaseException as error:  # noqa: BLE001 the edge to the user's code: anything may come
        outcome = _raised(error, item, terms, began_s)
    else:
        outcome = _result(value, item, terms, began_s, typed=typed)
    return Timed(outcome, time.perf_counter() - began_s, sum(item.costs))


async def attempt_awaited(function: MapFn, item: WorkItem, terms: Terms, *, typed: bool) -> Timed:
    """As `attempt`; what `function` gives is awaited if it can be.

    Raises CancelledError where the task was cancelled that awaits this, and nothing else.
    """
    began_s = time.perf_counter()
    if terms.encode is not None:
        item = _told_of(item, terms.encode)
    outcome: Outcome | Unfit
    try:
        value = function(item) if item.trace is None else called_awaited(function, item)
        if type(value) is CoroutineType or isawaitable(value):
            value = await value
    except BaseException as error:
        if _is_cancelled(error):
            raise
        outcome = _raised(error, item, terms, began_s)
    else:
        outcome = _result(value, item, terms, began_s, typed=typed)
    return Timed(outcome, time.perf_counter() - began_s, sum(item.costs))


def _told_of(item: WorkItem, encode: Encode) -> WorkItem:
    """The item as its function gets it: its notes are converted as its result is."""
    return msgspec.structs.replace(item, encode=EncodeHere(encode))


def attempts(
    function: MapFn, items: Sequence[WorkItem] | Chunk, terms: Terms, *, typed: bool
) -> list[Timed]:
    """The outcomes of `function` for the first of `items`, in their order, one at least.

    For calls that take less time than sending them does. The rest are not called, and nothing is
    returned for them, once these took 20 ms, or one of them asks that nobody calls for a while.
    The outcomes for a Chunk are put as they come, and none is returned; all of it may be taken back
    before one is called.
    """
    until_s = time.perf_counter() + _TOGETHER_S
    ended: list[Timed] = []
    left = items.begin() if isinstance(items, Chunk) else deque(items)
    while left:
        try:
            item = left.popleft()
        except IndexError:  # the last one was just taken back
            break
        timed = attempt(function, item, terms, typed=typed)
        if isinstance(items, Chunk):
            items.put((items, timed))
        else:
            ended.append(timed)
        pauses = isinstance(timed.outcome, Deferred) and timed.outcome.everyone
        if pauses or time.perf_counter() > until_s:
            break
    return ended


def checked(value: object, what: str, terms: Terms, *, typed: bool) -> Given:
    """`value` as what a call gave. Raises ValueInvalid if it is no JSON within what it may take."""
    if typed and isinstance(value, bytes):  # whoever records it knows whether it may be that
        return Given(value=value, size_bytes=len(value) * 4 // 3)
    plain, encoded = plain_value(value, what, terms.encode)
    check_size(encoded, what, terms.most_bytes)
    return Given(value=plain, size_bytes=len(encoded))


def _kept(encoded: bytes, keeping: Keeping, terms: Terms) -> Given:
    """A large result, written beside the log.

    What cannot be written there, and may stand in the log, stands there: it was paid for. Raises
    OSError where it can be in neither.
    """
    try:
        stored = keeping.keep(encoded)
    except Exception as error:  # whatever storage and codecs raise
        if len(encoded) > terms.most_bytes:
            raise OSError(f"the result cannot be kept beside the log: {error}") from error
        problem = f"{type(error).__name__}: {error}"
        return Given(value=Encoded(encoded), size_bytes=len(encoded), problem=problem)
    return Given(value=None, size_bytes=REFERENCE_BYTES, stored=stored)


def _result(
    value: object, item: WorkItem, terms: Terms, began_s: float, *, typed: bool
) -> Outcome | Unfit:
    """What a call gave, or why that cannot be kept: if it is no JSON, another would give it again.

    Raises nothing: what goes wrong with a result, a lack of memory too, is told as a failure.
    """
    took_s = time.perf_counter() - began_s
    try:
        if typed:
            return checked(value, "the result", terms, typed=typed)
        encoded = encode_value(value, "the result", terms.encode)
        if terms.keeping is not None and len(encoded) > terms.keeping.above_bytes:
            return _kept(encoded, terms.keeping, terms)
        check_size(encoded, "the result", terms.most_bytes)
        return Given(value=Encoded(encoded), size_bytes=len(encoded))
    except ValueInvalid as error:
        if isawaitable(value):
            close = getattr(value, "close", None) or getattr(value, "cancel", None)
            with suppress(Exception):
                if close is not None:
                    close()
            return Unfit(message=_AWAITS_NONE)
        if isgenerator(value) or isasyncgen(value):
            return Unfit(message=_GENERATES)
        return failure_of(error, permanent=True, attempt=item.attempt, took_s=took_s)
    except Exception as error:  # noqa: BLE001 of the storage for large results, say
        return failure_of(error, attempt=item.attempt, took_s=took_s)


def _raised(error: BaseException, item: WorkItem, terms: Terms, began_s: float) -> Outcome:
    took_s = time.perf_counter() - began_s
    outcome = judged(error, terms.rules, attempt=item.attempt, took_s=took_s)
    if isinstance(outcome, Deferred) and outcome.note is not NOTHING:
        try:
            note = checked(outcome.note, "the note of a Later", terms, typed=False).value
        except ValueInvalid as refused:
            return failure_of(refused, permanent=True, attempt=item.attempt, took_s=took_s)
        return msgspec.structs.replace(outcome, note=note)
    return outcome


def _is_cancelled(error: BaseException) -> bool:
    """True if the task itself was cancelled; a coroutine may raise such an error of its own."""
    import asyncio  # noqa: PLC0415 loaded already where coroutines are awaited

    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
