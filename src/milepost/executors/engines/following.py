"""A figure that somebody else knows, asked for again while it is used, and hardly waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from milepost.text.escapes import printable

__all__ = ["Followed"]

_log: Final = logging.getLogger("milepost.executors")
_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 0.05


class Followed:
    """What `ask` gives, at most a second old where it answers so fast; the last answer otherwise.

    It is asked in a thread of its own, since a cluster may answer late or never. The first answer
    is waited for, and each later one for 50 ms: whoever asks may not ask again soon. Used from one
    thread.
    """

    def __init__(self, ask: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asked_at_s = clock()
        self._asking: threading.Thread | None = None
        self._value = ask()

    def value(self) -> int:
        """The newest answer; another is asked for if it is old, and waited for a moment."""
        asking = self._asking is not None and self._asking.is_alive()
        if not asking and self._clock() - self._asked_at_s >= _EVERY_S:
            self._asked_at_s = self._clock()
            self._asking = threading.Thread(target=self._look, name="milepost-slots", daemon=True)
            self._asking.start()
            self._asking.join(_PATIENCE_S)
        return self._value

    def _look(self) -> None:
        try:
            self._value = self._ask()
        except Exception as error:  # noqa: BLE001 whatever a client of a cluster raises
            _log.info("the slots of an engine could not be looked at: %s", printable(str(error)))
