"""Moments of a job, as people name them: a commit, so many before the newest, or a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from milepost.cli.trouble import Trouble
from milepost.errors import CommitAbsent
from milepost.state.manager import StateManager

__all__ = ["seq_of"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,12}")


def seq_of(manager: StateManager, job_id: str, moment: str) -> int:
    """The seq of the commit that `moment` names. Raises Trouble if that is none of the job's."""
    last = manager.get_state(job_id).seq
    if _NUMBER.fullmatch(moment):
        number = int(moment)
        seq = last + number if moment.startswith("-") else number
        if not 1 <= seq <= last:
            raise Trouble(f"job {job_id}: there is no commit {moment}: it has 1 to {last}")
        return seq
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise Trouble(
            f"{moment!r} is no moment: give a commit (12), how many before the newest (-1),"
            " or a time (2026-01-31T12:00:00Z)"
        ) from None
    try:
        return manager.seq_at(job_id, at if at.tzinfo else at.replace(tzinfo=UTC))
    except CommitAbsent as error:
        raise Trouble(str(error)) from error
