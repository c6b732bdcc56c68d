"""The trace of a run, gone on with on a worker: what the function measures is part of its attempt.

A context comes along only where the run is traced. A worker without OpenTelemetry passes it over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

from milepost.worker.items import WorkItem

__all__ = ["called", "called_awaited"]


def called(function: Callable[[WorkItem], Any], item: WorkItem) -> Any:  # Any: unchecked
    """What `function` gives for `item`, called as part of the attempt whose context it carries."""
    with _continued(item.trace or {}):
        return function(item)


async def called_awaited(function: Callable[[WorkItem], Any], item: WorkItem) -> Any:
    """As `called`; what `function` gives is awaited if it can be."""
    with _continued(item.trace or {}):
        value = function(item)
        return await value if isawaitable(value) else value


@contextmanager
def _continued(carrier: Mapping[str, str]) -> Iterator[None]:
    """Have the block be part of the span whose context this is, as W3C Trace Context has it."""
    try:
        from opentelemetry import context, propagate  # noqa: PLC0415 only where one came along
    except ImportError:
        yield
        return
    token = context.attach(propagate.extract(carrier))
    try:
        yield
    finally:
        context.detach(token)
