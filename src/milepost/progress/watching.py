"""A thread beside a run that looks at it now and then and shows what it saw; the run does nothing.

The loop of the run is neither called nor held up: the thread reads what the run has in any case.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from milepost.progress.figures import Figures, Meter
from milepost.text.escapes import printable

if TYPE_CHECKING:
    from milepost.progress.seen import Seen

__all__ = ["Display", "watched"]

_log: Final = logging.getLogger("milepost.progress")


class Display(Protocol):
    """Where a run is shown. Its methods are called one after the other."""

    every_s: float
    """Seconds between two looks."""

    def show(self, figures: Figures) -> None:
        """Show how far the run is."""
        ...

    def end(self, figures: Figures) -> None:
        """Show how the run ended, and leave the place in order."""
        ...


class _Watcher:
    """Shows one run on one display. A display that fails is given up, and the run goes on."""

    def __init__(self, look: Callable[[], Seen], display: Display, clock: Callable[[], float]):
        self._look = look
        self._display = display
        self._clock = clock
        self._meter = Meter(look(), clock())
        self._over = threading.Event()
        self._given_up = False

    def show(self) -> None:
        """Show how far it is."""
        self._try(lambda: self._display.show(self._figures()))

    def watch(self) -> None:
        """Show the run until it is over."""
        while not self._over.wait(self._display.every_s) and not self._given_up:
            self.show()

    def end(self, thread: threading.Thread, why: str) -> None:
        """Show how it ended."""
        self._over.set()
        thread.join()
        self._try(lambda: self._display.end(self._figures(ended=why or self._how_it_ended())))

    def _figures(self, *, ended: str = "") -> Figures:
        return self._meter.figures(self._look(), self._clock(), ended=ended)

    def _how_it_ended(self) -> str:
        seen = self._look()
        if seen.state.finished or seen.state.phase in seen.state.roles.outcomes:
            return seen.state.phase
        why = seen.halted or (f"stopped ({seen.stopping})" if seen.stopping else "left")
        return f"{seen.state.phase}, {why}"

    def _try(self, show: Callable[[], None]) -> None:
        try:
            show()
        except Exception as error:  # noqa: BLE001 what shows a run must never end it
            if not self._given_up:
                _log.warning("progress is shown no more: %s", printable(repr(error)))
            self._given_up = True


@contextmanager
def watched(
    look: Callable[[], Seen], display: Display, clock: Callable[[], float]
) -> Iterator[None]:
    """Show the run that `look` looks at on `display` while the block runs, and how it ended."""
    watcher = _Watcher(look, display, clock)
    watcher.show()  # before the run prints anything
    thread = threading.Thread(target=watcher.watch, name="milepost-progress", daemon=True)
    thread.start()
    why = ""
    try:
        yield
    except BaseException as error:
        why = f"ended by {type(error).__name__}"
        raise
    finally:
        watcher.end(thread, why)
