"""Deaths of a run: at every commit that it makes, and of its process at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.testing.deaths.driving import Driver
    from milepost.testing.deaths.every_write import (
        Survived,
        notices_lost_writes,
        survives_every_write,
    )
    from milepost.testing.deaths.inline import Inline
    from milepost.testing.deaths.killing import (
        Killed,
        notices_undone_commits,
        survives_kills,
        survives_random_kills,
        survives_stalls,
    )
    from milepost.testing.deaths.lives import Life
    from milepost.testing.deaths.nursery import Child, Fate, Nursery
    from milepost.testing.deaths.trials import Trial

__all__ = [
    "Child",
    "Driver",
    "Fate",
    "Inline",
    "Killed",
    "Life",
    "Nursery",
    "Survived",
    "Trial",
    "notices_lost_writes",
    "notices_undone_commits",
    "survives_every_write",
    "survives_kills",
    "survives_random_kills",
    "survives_stalls",
]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "Child": "milepost.testing.deaths.nursery",
        "Driver": "milepost.testing.deaths.driving",
        "Fate": "milepost.testing.deaths.nursery",
        "Inline": "milepost.testing.deaths.inline",
        "Killed": "milepost.testing.deaths.killing",
        "Life": "milepost.testing.deaths.lives",
        "Nursery": "milepost.testing.deaths.nursery",
        "Survived": "milepost.testing.deaths.every_write",
        "Trial": "milepost.testing.deaths.trials",
        "notices_lost_writes": "milepost.testing.deaths.every_write",
        "notices_undone_commits": "milepost.testing.deaths.killing",
        "survives_every_write": "milepost.testing.deaths.every_write",
        "survives_kills": "milepost.testing.deaths.killing",
        "survives_random_kills": "milepost.testing.deaths.killing",
        "survives_stalls": "milepost.testing.deaths.killing",
    },
)
