"""What a log says of its own order: times, fences and holders, which no definition speaks of."""

from __future__ import annotations

from milepost.conformance.departures import Departs
from milepost.log.facts import (
    CheckpointTaken,
    Commit,
    Fact,
    Forked,
    Imported,
    JobCreated,
    LeaseReleased,
    LeaseTaken,
    Repaired,
)

__all__ = ["Holding"]


class Holding:
    """Who holds a job, under which fence, as its log goes on. It changes in place."""

    def __init__(self) -> None:
        self.owner = ""
        self.fence = 0
        self.at_us = 0

    def begin(self, commit: Commit) -> None:
        """Look at the time of the next commit. Raises Departs where that is before the last."""
        if commit.at_us < self.at_us:
            problem = f"its time is {self.at_us - commit.at_us} µs before that of the commit before"
            raise Departs("order", problem)
        self.at_us = commit.at_us

    def take(self, fact: Fact, seq: int, index: int) -> None:
        """Look at the next fact. Raises Departs."""
        first = seq == 1 and index == 0
        if isinstance(fact, JobCreated) != first:
            told = "it belongs at the beginning" if not first else "the log begins without the job"
            raise Departs("order", f"{told}: the first fact of the first commit creates the job")
        match fact:
            case LeaseTaken():
                if fact.fence != self.fence + 1:
                    raise Departs("lease", f"its fence {fact.fence} does not follow {self.fence}")
                self.owner, self.fence = fact.owner, fact.fence
            case LeaseReleased():
                if fact.owner != self.owner:
                    holder = f"'{self.owner}' holds" if self.owner else "nobody holds"
                    raise Departs("lease", f"'{fact.owner}' gives back a job that {holder}")
                self.owner = ""
            case Forked():
                if fact.from_seq != seq - 1:
                    problem = f"it was forked at seq {fact.from_seq}, and {seq - 1} is before it"
                    raise Departs("order", problem)
                self.owner = ""
            case Repaired():
                if fact.fence < self.fence:
                    raise Departs("lease", f"its fence {fact.fence} is below {self.fence}")
                if fact.fence > self.fence:
                    self.owner, self.fence = "", fact.fence
            case CheckpointTaken() if not 0 < fact.seq < seq:
                raise Departs("order", f"it tells of a checkpoint at seq {fact.seq}")
            case Imported() if seq > 1:
                raise Departs("order", "it belongs to the first commit")

    def end(self, commit: Commit) -> None:
        """Look at the fence that the commit was written under. Raises Departs."""
        if commit.fence == self.fence:
            return
        if commit.fence < self.fence:
            problem = (
                f"it was written under fence {commit.fence}, whose holder had lost the job:"
                f" the fence was {self.fence}, of {self.owner or 'nobody any more'}"
            )
        else:
            problem = f"it was written under fence {commit.fence}, which nobody was given"
        raise Departs("lease", problem)
