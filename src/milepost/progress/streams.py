"""What is written to the terminal beside the screen, by `print` and by logs: sent past it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.file_proxy import FileProxy

from milepost.progress.lines import is_terminal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Redirected"]

_Handler = logging.StreamHandler[Any]  # Any: of whatever it writes to


@dataclass(slots=True)
class Redirected:
    """The streams that were replaced, and the handlers of logs that had them."""

    before: dict[str, TextIO] = field(default_factory=dict)
    now: dict[str, TextIO] = field(default_factory=dict)
    handlers: list[tuple[_Handler, TextIO, TextIO]] = field(default_factory=list)

    @classmethod
    def through(cls, console: Console) -> Redirected:
        """Have what goes to a terminal by `sys.stdout` and `sys.stderr` printed by `console`.

        A stream that leads elsewhere, into a file say, is left alone.
        """
        found = cls()
        if console.is_jupyter:
            return found
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is None or not is_terminal(stream):
                continue
            proxy = cast("TextIO", FileProxy(console, stream))
            found.before[name], found.now[name] = stream, proxy
            for handler in _handlers():
                if handler.stream is stream:
                    handler.setStream(proxy)
                    found.handlers.append((handler, stream, proxy))
            setattr(sys, name, proxy)
        return found

    def undo(self) -> None:
        """Put everything back that nobody has replaced since; the start of a line is written."""
        for proxy in self.now.values():
            proxy.flush()
        self.undo_unwritten()

    def undo_unwritten(self) -> None:
        """As `undo`, and write nothing: in a child, where the console's locks may be held."""
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
