"""Where output goes: data to stdout, all else to stderr; a pipe that was closed is no trouble.

All that is written is safe to show, and what the encoding of stdout does not have is written as an
escape of the format that it stands in.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable
from typing import IO

import click

from milepost.inspect.json import as_json, to_json
from milepost.inspect.page import Page
from milepost.inspect.text import to_text
from milepost.inspect.view import View
from milepost.text.escapes import encodable, printable_lines

__all__ = ["is_terminal", "note", "write_format", "write_json", "write_page"]


def write_json(view: View) -> None:
    """Write a view as JSON, the same on a terminal and in a pipe."""
    write_format(to_json(view), as_json)


def write_page(page: Page) -> None:
    """Draw a page on a terminal; write it as plain text anywhere else."""
    if is_terminal(sys.stdout):
        from milepost.cli.terminal import draw  # noqa: PLC0415 rich is slow to import

        draw(page)
    else:
        _write(to_text(page, _encoding()))


def write_format(text: str, escape: Callable[[str], str]) -> None:
    """Write text of a format that is UTF-8 by its rules, safe to show already.

    Where stdout has another encoding it is ASCII, and the rest as `escape` gives it.
    """
    utf_8 = codecs.lookup(_encoding()).name == "utf-8"
    _write(text if utf_8 else encodable(text, "ascii", escape))


def note(text: str) -> None:
    """Tell the person something that is no data."""
    click.echo(f"milepost: {printable_lines(text)}", err=True)


def is_terminal(stream: IO[str] | None) -> bool:
    """True if `stream` is a terminal that can do more than print."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    """Write data to stdout; quietly nothing once the reader has gone, or without a stdout."""
    if sys.stdout is None:
        return
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the flush at exit is quiet too


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
