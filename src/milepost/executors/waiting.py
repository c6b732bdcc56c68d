"""Waiting for the lease of another executor."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from milepost.errors import LeaseHeld

__all__ = ["wait_until_expired"]

_LONGEST_S: Final = 0.5  # a holder may give its lease back before it expires


def wait_until_expired(held: LeaseHeld) -> None:
    """Sleep until the lease that is in the way expires, half a second at the most.

    For `run(..., wait=wait_until_expired)`, which asks again each time: the run then begins as
    soon as the holder has ended, one way or the other, and waits for ever on one that renews.
    """
    left_s = (held.expires_at - datetime.now(UTC)).total_seconds()
    time.sleep(min(max(left_s, 0.01), _LONGEST_S))
