"""Naming the folder of a job: what is kept beside the log is told of in the log first."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.log.facts import Draft, FolderNamed
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import Lease, check_lease

__all__ = ["name_folder"]


def name_folder(url: str, lease: Lease | None) -> Decision:
    """The decision that names a folder of the job. It raises as `check_lease` does."""

    def decision(moment: Moment) -> Iterator[Draft]:
        check_lease(moment, lease, operator=False, wants=lambda: ("", []))
        yield Draft(FolderNamed(url))

    return decision
