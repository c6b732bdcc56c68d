"""The integers that are stored: of 64 bits, wherever one could come into what a checkpoint holds.

Expressions compute with integers of any size, and proofs are about these. A job keeps its variables
in checkpoints, which end at 64 bits. So one that is beyond them is refused where it would come in,
with the same words: as a parameter, in a payload or a variable, by a step, by a migration.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BEYOND", "LARGEST_INT", "LEAST_INT", "beyond"]

LEAST_INT: Final = -(2**63)
LARGEST_INT: Final = 2**64 - 1
"""Between these are the integers that a checkpoint holds."""

BEYOND: Final = "beyond the 64 bits that are stored"


def beyond(value: object) -> bool:
    """True for an integer that no checkpoint holds."""
    return isinstance(value, int) and not LEAST_INT <= value <= LARGEST_INT
