"""Where output goes: data to stdout, all else to stderr; a pipe that was closed is no trouble."""

from __future__ import annotations

import os
import sys
from typing import IO

import click

from milepost.inspect.json import to_json
from milepost.inspect.page import Page
from milepost.inspect.text import to_text
from milepost.inspect.views import View

__all__ = ["is_terminal", "note", "write", "write_json", "write_page"]


def write(text: str) -> None:
    """Write data to stdout; quietly nothing once the reader has gone."""
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the flush at exit is quiet too


def write_json(view: View) -> None:
    """Write a view as JSON, the same on a terminal and in a pipe."""
    write(to_json(view))


def write_page(page: Page) -> None:
    """Draw a page on a terminal; write it as plain text anywhere else."""
    if is_terminal(sys.stdout):
        from milepost.cli.terminal import draw  # noqa: PLC0415 rich is slow to import

        draw(page)
    else:
        write(to_text(page))


def note(text: str) -> None:
    """Tell the person something that is no data."""
    click.echo(f"milepost: {text}", err=True)


def is_terminal(stream: IO[str]) -> bool:
    """True if `stream` is a terminal that can do more than print."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
