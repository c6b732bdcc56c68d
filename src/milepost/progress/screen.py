"""The terminal of this process, with two lines for each run that is shown: drawn by rich.

There is one for all runs, whichever threads they are in. What else is written to the terminal in
the meantime, by `print` or by a handler of a log, appears above. The cursor stays visible, so that
whatever ends the process leaves the terminal in order.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from milepost.progress.streams import Redirected
from milepost.progress.wording import details, left, rate, span

if TYPE_CHECKING:
    from milepost.progress.figures import Figures

__all__ = ["Picture", "Row"]

_NAME_COLUMNS: Final = 28
_LEAST_BAR: Final = 10  # columns


class Row:
    """One run on the screen: a display, see milepost.progress.watching."""

    every_s = 0.25

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def show(self, figures: Figures) -> None:
        """Draw the screen with how far the run is."""
        _screen.draw(self, Picture(figures, self._now()))

    def end(self, figures: Figures) -> None:
        """Leave the run's last figures above the screen, which goes with the last of the runs."""
        _screen.leave(self, Picture(figures, self._now()))


class _Screen:
    """What is drawn now, by run, in the order in which the runs came. Safe for threads.

    Whoever draws, or prints above what is drawn, holds the lock.
    """

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._held = False
        self._rows: dict[Row, RenderableType] = {}
        self._live: Live | None = None
        self._redirected = Redirected()

    def hold(self) -> None:
        """Let nothing be drawn while the process forks: a child would find its locks taken."""
        self._lock.acquire()
        self._held = True

    def go_on(self) -> None:
        """After the fork, in the parent. Nothing, if this was loaded while the fork had begun."""
        if self._held:
            self._held = False
            self._lock.release()

    def forked(self) -> None:
        """In the child of a fork: the terminal is the parent's, and nothing is drawn any more."""
        self._redirected.undo_unwritten()
        self.go_on()
        self._renew()

    def draw(self, row: Row, picture: RenderableType) -> None:
        """Show `picture` as the row's."""
        with self._lock:
            self._rows[row] = picture
            if self._live is None:
                self._live = self._begun()
            self._live.update(Group(*self._rows.values()), refresh=True)

    def leave(self, row: Row, picture: RenderableType) -> None:
        """Show `picture` for good, and no row any more."""
        with self._lock:
            self._rows.pop(row, None)
            live = self._live or self._begun()
            self._live = live
            live.update(Group(*self._rows.values()))
            if self._rows:
                live.console.print(picture)
                return
            self._live = None
            try:
                live.update(picture, refresh=True)
            finally:
                self._redirected.undo()
                live.stop()

    def _begun(self) -> Live:
        console = Console(stderr=True, highlight=False)
        live = Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._redirected = Redirected.through(console, self._lock)
        live.start()
        console.show_cursor(True)
        return live


_screen: Final = _Screen()
os.register_at_fork(
    before=_screen.hold, after_in_parent=_screen.go_on, after_in_child=_screen.forked
)


class Picture:
    """Two lines for one run: how far it is, and what else there is to say of it.

    On a narrow terminal there is no bar, and a long name is cut first.
    """

    def __init__(self, figures: Figures, now: datetime) -> None:
        self._figures = figures
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        figures = self._figures
        phase, count = self._phase(), _count(figures)
        most = options.max_width - len(phase) - len(count) - 3
        name = Text(figures.job_id, style="bold", no_wrap=True)
        name.truncate(max(min(most, _NAME_COLUMNS), 1), overflow="ellipsis")
        told = [name, Text(phase, style="cyan"), Text(count)]
        if most - len(name) < _LEAST_BAR:
            yield Text(" ", no_wrap=True, overflow="ellipsis").join(filter(None, told))
        else:
            grid = Table.grid("", "", Column(ratio=1), "", padding=(0, 1, 0, 0), expand=True)
            grid.add_row(*told[:2], _bar(figures), told[2])
            yield grid
        yield Text(self._details(), style="dim", no_wrap=True, overflow="ellipsis")

    def _phase(self) -> str:
        figures = self._figures
        if figures.ended or not figures.phase_number:
            return figures.phase
        return f"{figures.phase} {figures.phase_number}/{figures.phase_count}"

    def _details(self) -> str:
        figures = self._figures
        told = [figures.ended] if figures.ended and figures.ended != figures.phase else []
        if figures.works or figures.ended:
            told += [rate(figures.rate_per_s), left(figures)]
        told += details(figures, self._now)
        told.append(f"after {span(figures.elapsed_s)}")
        return f"  {', '.join(part for part in told if part)}"


def _bar(figures: Figures) -> RenderableType:
    if figures.total_count and (figures.works or figures.ended):
        return ProgressBar(total=figures.total_count, completed=figures.settled_count)
    if figures.ended:
        return Text("")
    return ProgressBar(total=None, pulse=True)


def _count(figures: Figures) -> str:
    if not figures.total_count or not (figures.works or figures.ended):
        return ""
    share = figures.settled_count / figures.total_count
    return f"{figures.settled_count:,}/{figures.total_count:,} {share:4.0%}"
