"""How many jobs each choice of a filter would leave, counted among the newest jobs of a store."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import ClassVar, Final

from msgspec import Struct

from milepost.arguments import MAX_COUNT
from milepost.inspect.jobs import outcomes_of
from milepost.inspect.states import StateName, phase_among
from milepost.state.manager import StateManager

__all__ = ["MOST_JOBS", "Facet", "FacetsView", "facets"]

MOST_JOBS: Final = 2_000
"""So many jobs are looked at, the newest of those whose id begins as asked."""


class Facet(Struct, frozen=True, kw_only=True):
    """One choice of a filter, and how many jobs it would leave."""

    value: StateName
    count: int


class FacetsView(Struct, frozen=True, kw_only=True):
    """The choices by phase, outcome and lifecycle, each with the jobs that the other filters leave.

    They are counted among `looked_at` jobs, the newest; `more` says that there are older ones.
    """

    SCHEMA: ClassVar[str] = "milepost.facets/1"

    looked_at: int
    more: bool
    phases: tuple[Facet, ...]
    outcomes: tuple[Facet, ...]
    lifecycles: tuple[Facet, ...]


def facets(
    manager: StateManager,
    *,
    phase: str = "",
    outcome: str = "",
    lifecycle: str = "",
    prefix: str = "",
    since: datetime | None = None,
    most: int = MOST_JOBS,
) -> FacetsView:
    """The choices that there are beside those that are made, the largest first.

    Cost: one row for each of the newest `most` jobs. Those that cannot be read are left out.
    """
    found = manager.list_jobs(
        prefix=prefix, limit=min(most + 1, MAX_COUNT), on_error=lambda _: None
    )
    of = outcomes_of(manager)
    counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
    chosen = (phase, outcome, lifecycle)
    for job in found[:most]:
        if since is not None and job.updated_at < since:
            continue
        values = (job.phase, of(job), job.lifecycle)
        unfit = [place for place in range(3) if chosen[place] not in ("", values[place])]
        for place, counter in enumerate(counts):
            if not set(unfit) - {place}:
                counter[values[place]] += 1
    phases, outcomes, lifecycles = counts
    return FacetsView(
        looked_at=len(found[:most]),
        more=len(found) > most,
        phases=tuple(
            Facet(value=phase_among(manager.lifecycles, name), count=count)
            for name, count in phases.most_common()
        ),
        outcomes=_plain(outcomes),
        lifecycles=_plain(lifecycles),
    )


def _plain(counts: Counter[str]) -> tuple[Facet, ...]:
    return tuple(Facet(value=StateName(name), count=count) for name, count in counts.most_common())
