"""One call of the user's code: what it gave, or why it gave nothing, as data.

Runs in the worker, so that neither a result that is no JSON nor an exception that cannot be sent
between processes gets as far as the run.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from inspect import isawaitable
from typing import Any, Final, NamedTuple, TypeAlias

from milepost.errors import ValueInvalid
from milepost.items.inputs import Item
from milepost.log.codec import encode_value
from milepost.state.limits import Limits, check_value

__all__ = [
    "Fault",
    "Given",
    "NotGiven",
    "Outcome",
    "Timed",
    "attempt",
    "attempt_awaited",
    "checked",
    "failure_of",
    "outcome_of",
]

_MESSAGE_CHARS: Final = 2_000


class Fault(Enum):
    """Why a call gave nothing; the role `failure` names the lifecycle's own causes for these."""

    ERROR = auto()
    TIMEOUT = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The call gave `value`, which is JSON and takes `size_bytes`."""

    value: Any  # Any: JSON
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGiven:
    """The call gave nothing that can be kept. `message` is at most 2,000 characters long."""

    fault: Fault
    message: str


Outcome: TypeAlias = Given | NotGiven
"""How a call ended."""


class Timed(NamedTuple):
    """How a call ended, and how long it took on its worker."""

    outcome: Outcome
    took_s: float


def attempt(map_fn: Callable[[Item], object], item: Item, limits: Limits, *, typed: bool) -> Timed:
    """The outcome of `map_fn` for `item`; raises nothing that `map_fn` raises as an Exception.

    `typed` says that the result is not of any JSON, but of a type that the lifecycle gives it.
    """
    began_s = time.perf_counter()
    outcome = outcome_of(lambda: map_fn(item), "the result", limits, typed=typed)
    return Timed(outcome, time.perf_counter() - began_s)


async def attempt_awaited(
    map_fn: Callable[[Item], object], item: Item, limits: Limits, *, typed: bool
) -> Timed:
    """As `attempt`; what `map_fn` gives is awaited if it can be."""
    began_s = time.perf_counter()
    outcome = await _outcome_awaited(map_fn, item, limits, typed=typed)
    return Timed(outcome, time.perf_counter() - began_s)


async def _outcome_awaited(
    map_fn: Callable[[Item], object], item: Item, limits: Limits, *, typed: bool
) -> Outcome:
    try:
        value = map_fn(item)
        if isawaitable(value):
            value = await value
    except Exception as error:  # noqa: BLE001  as in `outcome_of`
        return failure_of(error)
    return outcome_of(lambda: value, "the result", limits, typed=typed)


def outcome_of(call: Callable[[], object], what: str, limits: Limits, *, typed: bool) -> Outcome:
    """What `call` gave, checked to be JSON within `limits`; `what` names it in messages."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  the edge to the user's code: anything may come
        return failure_of(error)
    try:
        return checked(value, what, limits, typed=typed)
    except ValueInvalid as error:
        return failure_of(error)


def checked(value: object, what: str, limits: Limits, *, typed: bool) -> Given:
    """`value` as what a call gave. Raises ValueInvalid if it is no JSON within `limits`."""
    if typed and isinstance(value, bytes):  # whoever records it knows whether it may be that
        return Given(value=value, size_bytes=len(value) * 4 // 3)
    encoded = encode_value(value, what)
    if len(encoded) > limits.value_max_bytes:  # whoever records it warns of what is large
        check_value(limits, lambda: what, encoded)
    return Given(value=value, size_bytes=len(encoded))


def failure_of(error: BaseException) -> NotGiven:
    """`error` as it is recorded: its type and text. A TimeoutError is a timeout."""
    text = "".join(traceback.format_exception_only(error)).strip()
    text = text.encode(errors="backslashreplace").decode()  # lone surrogates are no JSON
    if len(text) > _MESSAGE_CHARS:
        text = f"{text[: _MESSAGE_CHARS - 1]}…"
    fault = Fault.TIMEOUT if isinstance(error, TimeoutError) else Fault.ERROR
    return NotGiven(fault=fault, message=text)
