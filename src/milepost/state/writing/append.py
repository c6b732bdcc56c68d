"""Appending to the logs of one store, by as many lanes as it can write commits at once."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from milepost.errors import MilepostError, StoreForked
from milepost.job.state import JobState
from milepost.process.forks import PROCESS, here
from milepost.state.limits import Limits
from milepost.state.reading.loading import Loader
from milepost.state.writing.decision import Decision
from milepost.state.writing.lane import Known, Lane, Ticket
from milepost.state.writing.observing import Observer

__all__ = ["Appender"]


class Appender:
    """Appends to the logs of one store, and keeps the newest state of the jobs it met.

    Each job has its lane, so that what is asked of one job is decided in the order in which it
    came, while commits of other lanes are under way.
    """

    def __init__(
        self, loader: Loader, observer: Observer, limits: Limits, *, remembered: int = 256
    ) -> None:
        self._url = loader.store.url
        self._here = here()
        self._known = Known(remembered)
        self.known, self.remember = self._known.get, self._known.remember
        self.forget = self._known.forget
        self.lanes = tuple(
            Lane(loader, observer, limits, self._known, remembered=remembered)
            for _ in range(loader.store.commits_at_once)
        )

    def append(self, job_id: str, decision: Decision) -> JobState:
        """Decide under the write lock and append; the state of which the facts are a durable part.

        A decision that gives no facts writes nothing. Raises what the decision raises, what
        `invariants.decided` raises for its facts, and the store's errors; then nothing was
        appended but what a RefusedWithRecord asked for.
        """
        if self._here is not PROCESS.token:  # whoever led the line when we forked is not here
            raise StoreForked(url=self._url)
        ticket = Ticket(job_id, decision)
        self.lane(job_id).serve([ticket])
        if ticket.error is not None:
            raise ticket.error
        assert ticket.state is not None, "a ticket that was served has a state or an error"
        return ticket.state

    def append_each(
        self, requests: Iterable[tuple[str, Decision]]
    ) -> list[JobState | MilepostError]:
        """As if each of `requests` was appended by a thread of its own, in order: what they give.

        Those of one job are one commit. Raises nothing for what any of them is refused for.
        """
        tickets = [Ticket(job_id, decision) for job_id, decision in requests]
        if self._here is not PROCESS.token:  # as above
            return [StoreForked(url=self._url) for _ in tickets]
        by_lane: dict[Lane, list[Ticket]] = {}
        for ticket in tickets:
            by_lane.setdefault(self.lane(ticket.job_id), []).append(ticket)
        for lane, of_lane in by_lane.items():
            lane.serve(of_lane)
        return [ticket.answer for ticket in tickets]

    def lane(self, job_id: str) -> Lane:
        """The lane of that job."""
        if len(self.lanes) == 1:
            return self.lanes[0]
        return self.lanes[crc32(job_id.encode(errors="replace")) % len(self.lanes)]
