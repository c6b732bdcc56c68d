"""Trouble: how a command says on stderr that it could not answer. It ends with exit code 2."""

from __future__ import annotations

from difflib import get_close_matches
from typing import IO, Any, Final

import click

__all__ = ["TROUBLE", "Trouble", "nearest"]

TROUBLE: Final = 2
"""The exit code of wrong usage and of trouble; 1 means that the answer is no."""


class Trouble(click.ClickException):
    """A message for people: `milepost: <message>`."""

    exit_code = TROUBLE

    def show(self, file: IO[Any] | None = None) -> None:  # Any: as click declares it
        """Write the message to stderr."""
        click.echo(f"milepost: {self.format_message()}", file=file, err=True)


def nearest(wanted: str, known: list[str]) -> str:
    """`: did you mean …?` with the nearest of `known`, or nothing."""
    found = get_close_matches(wanted, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(found)}?" if found else ""
