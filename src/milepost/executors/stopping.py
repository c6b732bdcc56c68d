"""Stop requests: SIGINT and SIGTERM, noted while a run lasts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

__all__ = ["Stop", "stop_signals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """Whether the run was asked to stop: `signal` is what asked first, `hurried` that it insists.

    While `interruptible`, the second signal raises KeyboardInterrupt from where the main thread is.
    """

    signal: signal.Signals | None = None
    hurried: bool = False
    interruptible: bool = False

    @property
    def requested(self) -> bool:
        """True once a signal has come."""
        return self.signal is not None


@contextmanager
def stop_signals(wake: Callable[[], None]) -> Iterator[Stop]:
    """Note signals while the block runs, calling `wake` at each; the handlers before come back.

    In a thread other than the main one nothing is installed, and no stop is ever requested.
    `wake` must be safe to call from a signal handler.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        stop.hurried = stop.requested
        stop.signal = stop.signal or signal.Signals(number)
        wake()
        if stop.hurried and stop.interruptible:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
