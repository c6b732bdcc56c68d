"""The values of parameters of several methods, unless they are given: so few need be loaded."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["BATCH_ROWS", "KEPT", "LARGEST", "pause"]

KEPT: Final = 5
"""How many checkpoints of one reason are kept."""

BATCH_ROWS: Final = 1_000
"""How many rows are deleted in one commit."""

LARGEST: Final = 5
"""How many values are named where something is too large."""


def pause() -> None:
    """Leave others the store for a hundredth of a second."""
    time.sleep(0.01)
