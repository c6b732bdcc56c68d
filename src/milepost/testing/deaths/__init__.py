"""Deaths of a run: at every commit that it makes, and of its process at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.testing.deaths.every_write import (
        Survived,
        notices_lost_writes,
        survives_every_write,
    )
    from milepost.testing.deaths.inline import Inline
    from milepost.testing.deaths.lives import Life

__all__ = ["Inline", "Life", "Survived", "notices_lost_writes", "survives_every_write"]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "Inline": "milepost.testing.deaths.inline",
        "Life": "milepost.testing.deaths.lives",
        "Survived": "milepost.testing.deaths.every_write",
        "notices_lost_writes": "milepost.testing.deaths.every_write",
        "survives_every_write": "milepost.testing.deaths.every_write",
    },
)
