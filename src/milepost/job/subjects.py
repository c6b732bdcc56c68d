"""Whom an error is about: items of a job, by the key of the first."""

from __future__ import annotations

from pyroaring import BitMap

from milepost.errors import StateError
from milepost.job.state import JobState

__all__ = ["items_of"]


def items_of(state: JobState, members: BitMap) -> str:
    """The job and the first of `members`, of which there is one at least, and how many more."""
    first = members[0]
    try:
        item = f"item {state.inputs.key(first)!r}"
    except (StateError, KeyError):
        item = f"item number {first}"  # of a list that cannot be read, or is not written yet
    more = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f"job {state.id}, {item}{more}"
