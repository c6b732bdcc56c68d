"""Moments and ages as people write them: a commit, so many before the newest, a time; `7d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from milepost.errors import CommitAbsent
from milepost.state.manager import StateManager
from milepost.text.wording import shown

__all__ = ["MomentUnfitError", "age_of", "seq_of"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,12}")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"([0-9]{1,9})([smhdw])")


class MomentUnfitError(ValueError):
    """A text that names no moment, or no age; what it says tells which texts do."""


def seq_of(manager: StateManager, job_id: str, moment: str) -> int:
    """The seq of the commit that `moment` names. Raises MomentUnfitError, CommitAbsent, JobAbsent.

    A time without a zone is UTC; it stands for the newest commit that is not after it.
    """
    last = manager.summary(job_id).seq
    if _NUMBER.fullmatch(moment):
        number = int(moment)
        seq = last + number if moment.startswith("-") else number
        if not 1 <= seq <= last:
            raise CommitAbsent(job_id=job_id, wanted=number, last=last)
        return seq
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise MomentUnfitError(
            f"{shown(moment)} is no moment: give a commit (12), how many before the newest (-1),"
            " or a time (2026-01-31T12:00:00Z)"
        ) from None
    return manager.seq_at(job_id, at if at.tzinfo else at.replace(tzinfo=UTC))


def age_of(text: str) -> timedelta:
    """The age that `text` names, such as `90s`, `30m`, `12h`, `7d` or `2w`. Raises as above."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise MomentUnfitError(f"{shown(text)} is no age: use a number with s, m, h, d or w")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise MomentUnfitError(f"{shown(text)} is too long an age") from None
