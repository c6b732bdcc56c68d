"""One call of the user's code: what it gave, or why it gave nothing, as data.

Runs in the worker, so that neither a result that is no JSON nor an exception that cannot be sent
between processes gets as far as the run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final

from milepost.codec import encode_value
from milepost.errors import ValueInvalid
from milepost.inputs import Item
from milepost.lifecycles.mapreduce import Cause
from milepost.state.limits import Limits, check_value

__all__ = ["Given", "NotGiven", "attempt", "attempt_awaited", "failure_of", "outcome_of"]

_MESSAGE_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The call gave `value`, which is JSON and takes `size_bytes`."""

    value: Any  # Any: JSON
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGiven:
    """The call gave nothing that can be kept. `message` is at most 2,000 characters long."""

    cause: Cause
    message: str


def attempt(map_fn: Callable[[Item], object], item: Item, limits: Limits) -> Given | NotGiven:
    """What `map_fn` makes of `item`; raises nothing that `map_fn` raises as an Exception."""
    return outcome_of(lambda: map_fn(item), "the result", limits)


async def attempt_awaited(
    map_fn: Callable[[Item], object], item: Item, limits: Limits
) -> Given | NotGiven:
    """As `attempt`; what `map_fn` gives is awaited if it can be."""
    try:
        value = map_fn(item)
        if isawaitable(value):
            value = await value
    except Exception as error:  # noqa: BLE001  as in `outcome_of`
        return failure_of(error)
    return outcome_of(lambda: value, "the result", limits)


def outcome_of(call: Callable[[], object], what: str, limits: Limits) -> Given | NotGiven:
    """What `call` gave, checked to be JSON within `limits`; `what` names it in messages."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  the edge to the user's code: anything may come
        return failure_of(error)
    try:
        encoded = encode_value(value, what)
        if len(encoded) > limits.value_max_bytes:  # whoever records it warns of what is large
            check_value(limits, lambda: what, encoded)
    except ValueInvalid as error:
        return failure_of(error)
    return Given(value=value, size_bytes=len(encoded))


def failure_of(error: BaseException) -> NotGiven:
    """`error` as it is recorded: its type and text. A TimeoutError has the cause `timeout`."""
    text = "".join(traceback.format_exception_only(error)).strip()
    text = text.encode(errors="backslashreplace").decode()  # lone surrogates are no JSON
    if len(text) > _MESSAGE_CHARS:
        text = f"{text[: _MESSAGE_CHARS - 1]}…"
    cause = Cause.TIMEOUT if isinstance(error, TimeoutError) else Cause.ERROR
    return NotGiven(cause=cause, message=text)
