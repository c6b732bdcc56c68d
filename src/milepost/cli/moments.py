"""Moments of a job on the command line, and the trouble with those that are none."""

from __future__ import annotations

from milepost.cli.trouble import Trouble
from milepost.errors import CommitAbsent
from milepost.inspect import moments
from milepost.state.manager import StateManager

__all__ = ["seq_of"]


def seq_of(manager: StateManager, job_id: str, moment: str) -> int:
    """The seq of the commit that `moment` names. Raises Trouble if that is none of the job's."""
    try:
        return moments.seq_of(manager, job_id, moment)
    except (moments.MomentUnfitError, CommitAbsent) as error:
        raise Trouble(str(error)) from error
