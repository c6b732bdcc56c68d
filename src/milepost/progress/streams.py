"""What is written to the terminal beside the screen, by `print` and by logs: sent past it."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from rich.ansi import AnsiDecoder
from rich.text import Text

from milepost.progress.lines import is_terminal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Redirected"]

_Handler = logging.StreamHandler[Any]  # Any: of whatever it writes to


class _Past(io.TextIOBase):
    """A stream of a terminal whose lines appear above the screen; once let go, the stream itself.

    Each thread has a line of its own, which appears whole when it ends. A line and the screen are
    written under one lock: whoever draws in between would have the other's place wrong.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._decoder = AnsiDecoder()
        self._lock = threading.RLock()
        self._console: Console | None = None
        self._started: dict[int, str] = {}  # the start of a line, by thread
        self._ended: set[int] = set()  # threads whose line was ended for them

    def take(self, console: Console, lock: threading.RLock) -> None:
        """Print by `console` from now on; `lock` is what whoever draws there holds."""
        self._lock, self._console = lock, console

    def let_go(self) -> None:
        """Print what every thread has started, and write past no screen any more."""
        with self._lock:
            self._ended.update(self._started)
            for thread in list(self._started):
                self._end_line(thread)
            self._console = None

    def let_go_unwritten(self) -> None:
        """As `let_go`, and print nothing: in the child of a fork, where it is the parent's."""
        self._started.clear()
        self._console = None

    def write(self, text: str, /) -> int:
        """Print the lines that `text` ends, and keep the start of the next."""
        thread = threading.get_ident()
        with self._lock:
            told = text
            if thread in self._ended:
                self._ended.discard(thread)
                told = text.removeprefix("\n")
            if self._console is None:
                self._stream.write(told)
                return len(text)
            whole, end, rest = (self._started.pop(thread, "") + told).rpartition("\n")
            if rest:
                self._started[thread] = rest
            if end:
                self._print(whole)
        return len(text)

    def flush(self) -> None:
        """Print the start of this thread's line as a line."""
        with self._lock:
            if self._console is None:
                self._stream.flush()
            else:
                self._end_line(threading.get_ident())

    def _end_line(self, thread: int) -> None:
        if started := self._started.pop(thread, ""):
            self._print(started)

    def _print(self, lines: str) -> None:
        if self._console is not None:
            decoded = (self._decoder.decode_line(line) for line in lines.split("\n"))
            self._console.print(Text("\n").join(decoded))

    @property
    def rich_proxied_file(self) -> TextIO:
        """The stream behind: a console of rich that finds this one writes there."""
        return self._stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        """The stream's."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # typeshed has an attribute
        """The stream's."""
        return self._stream.errors

    def fileno(self) -> int:
        """The stream's."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """The stream's."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """True."""
        return True

    def __getattr__(self, name: str) -> Any:  # Any: whatever else the stream has
        return getattr(self._stream, name)


_kept: Final[dict[int, _Past]] = {}
"""By the id of their streams, for good: `print` of Python before 3.13.3 holds no reference to what
it prints to, so that one which another thread takes away must not be freed."""


def _past(stream: TextIO) -> _Past:
    return _kept.setdefault(id(stream), _Past(stream))


@dataclass(slots=True)
class Redirected:
    """The streams that were replaced, and the handlers of logs that had them."""

    before: dict[str, TextIO] = field(default_factory=dict)
    now: dict[str, _Past] = field(default_factory=dict)
    handlers: list[tuple[_Handler, TextIO, TextIO]] = field(default_factory=list)

    @classmethod
    def through(cls, console: Console, lock: threading.RLock) -> Redirected:
        """Have what goes to a terminal by `sys.stdout` and `sys.stderr` printed by `console`.

        A stream that leads elsewhere, into a file say, is left alone.

        Args:
            console: The console that draws the screen.
            lock: The lock that whoever draws holds.
        """
        found = cls()
        if console.is_jupyter:
            return found
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is None or isinstance(stream, _Past) or not is_terminal(stream):
                continue
            past = _past(stream)
            past.take(console, lock)
            proxy = cast("TextIO", past)
            found.before[name], found.now[name] = stream, past
            for handler in _handlers():
                if handler.stream is stream:
                    handler.setStream(proxy)
                    found.handlers.append((handler, stream, proxy))
            setattr(sys, name, proxy)
        return found

    def undo(self) -> None:
        """Put everything back that nobody has replaced since; the start of a line is written."""
        for proxy in self.now.values():
            proxy.let_go()
        self._put_back()

    def undo_unwritten(self) -> None:
        """As `undo`, and write nothing: in the child of a fork."""
        for proxy in self.now.values():
            proxy.let_go_unwritten()
        self._put_back()

    def _put_back(self) -> None:
        for name, stream in self.before.items():
            if getattr(sys, name) is self.now[name]:
                setattr(sys, name, stream)
        for handler, stream, proxy in self.handlers:
            if handler.stream is proxy:
                handler.stream = stream


def _handlers() -> Iterator[_Handler]:
    """The handlers of all loggers that write to a stream."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if isinstance(handler, logging.StreamHandler):
                    yield handler
