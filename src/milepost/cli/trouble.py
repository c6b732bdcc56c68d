"""Trouble: how a command says on stderr that it could not answer. It ends with exit code 2.

What people typed stands in these messages, so they are safe to show, as all output is.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO, Any, Final

import click

from milepost.text.escapes import printable, printable_lines

__all__ = ["TROUBLE", "Misuse", "Trouble", "nearest", "told"]

TROUBLE: Final = 2
"""The exit code of wrong usage and of trouble; 1 means that the answer is no."""

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Trouble(click.ClickException):
    """A message for people: `milepost: <message>`."""

    exit_code = TROUBLE

    def show(self, file: IO[Any] | None = None) -> None:  # Any: as click declares it
        """Write the message to stderr."""
        click.echo(f"milepost: {printable_lines(self.format_message())}", file=file, err=True)


class Misuse(click.ClickException):
    """Wrong usage, or another error of click's own, told as click tells it and safe to show."""

    exit_code = TROUBLE

    def __init__(self, error: click.ClickException) -> None:
        super().__init__(error.format_message())
        self._error = error

    def show(self, file: IO[Any] | None = None) -> None:  # Any: as click declares it
        """Write the usage, if the error is about that, and the message to stderr."""
        error = self._error
        if isinstance(error, (Trouble, click.exceptions.NoArgsIsHelpError)):
            error.show(file)
            return
        message = error.format_message()
        if isinstance(error, click.MissingParameter):  # lists the choices, one a line
            message = printable_lines(message.replace("\n\t", "\n  "))
        else:
            message = printable(message)
        if isinstance(error, click.UsageError):
            click.UsageError(message, error.ctx).show(file)
        else:
            click.ClickException(message).show(file)


def nearest(wanted: str, known: list[str]) -> str:
    """`: did you mean …?` with the nearest of `known`, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 seldom needed

    found = get_close_matches(wanted, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(found)}?" if found else ""


def told(error: OSError) -> str:
    """What the system says about a file: which, what is wrong with it, and what to do."""
    if not error.strerror or error.filename is None:
        return str(error)
    path = Path(os.fsdecode(error.filename))
    if isinstance(error, FileNotFoundError) and not os.path.isdir(path.parent):  # noqa: PTH112 asks in peace
        return f"{path}: the folder {path.parent} does not exist: make it first"
    problem = error.strerror[:1].lower() + error.strerror[1:]
    if error.errno in _NO_ROOM:
        return f"{path}: {problem}: free some space and try again"
    return f"{path}: {problem}: check the path, and what you may do there"
