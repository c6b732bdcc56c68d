"""Where output goes: data to stdout, all else to stderr; a pipe that was closed is no trouble.

On a terminal times are those of this place, and what is longer than it goes through a pager.

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

from milepost.cli.paging import through_pager
from milepost.inspect.json import as_json, to_json
from milepost.inspect.page import Page
from milepost.inspect.text import to_text
from milepost.inspect.view import View
from milepost.inspect.words import local_times
from milepost.text.escapes import encodable, printable_lines

__all__ = ["is_terminal", "note", "write_format", "write_json", "write_page"]


def write_json(view: View) -> None:
    """Write a view as JSON, the same on a terminal and in a pipe."""
    write_format(to_json(view), as_json)


def write_page(page: Callable[[], Page], *, utc: bool = False, paged: bool = True) -> None:
    """Draw a page on a terminal; write it as plain text, its times in UTC, anywhere else.

    Args:
        page: Gives the page; it is asked once it is known which times are wanted.
        utc: Times in UTC on a terminal too.
        paged: What is longer than the terminal goes through the person's pager, if there is one.
    """
    if not is_terminal(sys.stdout):
        _write(to_text(page(), _encoding()))
        return
    from milepost.cli.terminal import drawn  # noqa: PLC0415 rich is slow to import

    with local_times(local=not utc):
        text, height = drawn(page())
    if not (paged and text.count("\n") >= height and through_pager(text)):
        _write(text)


def write_format(text: str, escape: Callable[[str], str]) -> bool:
    """Write text of a format that is UTF-8 by its rules, safe to show already.

    Where stdout has another encoding it is ASCII, and the rest as `escape` gives it. False once
    nobody reads it.
    """
    utf_8 = codecs.lookup(_encoding()).name == "utf-8"
    return _write(text if utf_8 else encodable(text, "ascii", escape))


def note(text: str) -> None:
    """Tell the person something that is no data."""
    click.echo(f"milepost: {printable_lines(text)}", err=True)


def is_terminal(stream: IO[str] | None) -> bool:
    """True if `stream` is a terminal that can do more than print."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def _write(text: str) -> bool:
    """Write data to stdout; False, and quietly nothing, once nobody reads there."""
    if sys.stdout is None:
        return False
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # so that the flush at exit is quiet too
        return False
    return True


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"
