"""Histories: what was asked of a store by threads and processes, and whether its logs allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.testing.histories.history import (
        Checked,
        History,
        check_history,
        departures,
    )
    from milepost.testing.histories.operations import Append, Entry, Read
    from milepost.testing.histories.recording import recorded

__all__ = [
    "Append",
    "Checked",
    "Entry",
    "History",
    "Read",
    "check_history",
    "departures",
    "recorded",
]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "Append": "milepost.testing.histories.operations",
        "Checked": "milepost.testing.histories.history",
        "Entry": "milepost.testing.histories.operations",
        "History": "milepost.testing.histories.history",
        "Read": "milepost.testing.histories.operations",
        "check_history": "milepost.testing.histories.history",
        "departures": "milepost.testing.histories.history",
        "recorded": "milepost.testing.histories.recording",
    },
)
