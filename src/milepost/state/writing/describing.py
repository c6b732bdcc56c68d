"""Letting a store tell of the lifecycle that a job runs by, in the transaction that makes it so."""

from __future__ import annotations

from milepost.errors import StoreUnreadable
from milepost.job.described import stored_lifecycle
from milepost.machine import Lifecycle
from milepost.stores.protocol import Writer

__all__ = ["describe"]


def describe(writer: Writer, lifecycle: Lifecycle | None) -> None:
    """Have the store tell of this version, if it does not yet. One look-up, mostly."""
    if lifecycle is None:
        return
    due = stored_lifecycle(lifecycle)
    try:
        told = writer.lifecycle(lifecycle.digest)
    except StoreUnreadable:
        told = None  # it is derived, and made anew
    if told != due:
        writer.put_lifecycle(due)
