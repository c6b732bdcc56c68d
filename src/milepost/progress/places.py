"""Where a run is shown: on a terminal or in a notebook, in a log, on stderr, or nowhere."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from milepost.progress.lines import LOGGER, Lines, is_terminal, log_line, write_line
from milepost.progress.watching import Display, watched

if TYPE_CHECKING:
    from milepost.progress.seen import Seen

__all__ = ["shown"]


def shown(
    look: Callable[[], Seen], clock: Callable[[], float] = time.monotonic
) -> AbstractContextManager[None]:
    """A block in which the run that `look` looks at is shown, wherever somebody would see it.

    `look` is called from another thread, a few times a second.
    """
    display = _display()
    return nullcontext() if display is None else watched(look, display, clock)


def _display() -> Display | None:
    if _in_notebook() or _on_terminal(sys.stderr):
        from milepost.progress.screen import Row  # noqa: PLC0415 rich is slow to import

        return Row(_local_now)
    logger = logging.getLogger(LOGGER)
    if logger.hasHandlers():
        return Lines(log_line, _local_now) if logger.isEnabledFor(logging.INFO) else None
    return Lines(write_line, _local_now) if _seen(sys.stderr) else None


def _local_now() -> datetime:
    return datetime.now().astimezone()


def _on_terminal(stream: TextIO | None) -> bool:
    """True if lines can be drawn over there."""
    if not is_terminal(stream):
        return False
    return os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def _in_notebook() -> bool:
    """True in a Jupyter kernel that can show what changes: rich draws there by ipywidgets."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    kind = "" if shell is None else f"{type(shell).__module__}.{type(shell).__name__}"
    notebook = kind.endswith(".ZMQInteractiveShell") or "google.colab" in kind
    return notebook and find_spec("ipywidgets") is not None


def _seen(stream: TextIO | None) -> bool:
    """True if what is written there may be read by somebody: it is not closed, nor thrown away."""
    if stream is None or getattr(stream, "closed", False):
        return False
    try:
        return not os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())
    except (AttributeError, OSError, io.UnsupportedOperation):  # of no file: somebody collects it
        return True
