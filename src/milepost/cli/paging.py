"""The person's pager: `PAGER`, else less. For what is longer than the terminal that it is for."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Final

import click

from milepost.cli.trouble import Trouble

__all__ = ["through_pager"]

_USUAL: Final = "less"
_NONE: Final = ("", "cat")


def through_pager(text: str) -> bool:
    """Show `text` by the pager and wait until the person has left it; False if there is none.

    There is none where nobody can turn pages, since stdin is no terminal, where `PAGER` is empty
    or `cat`, and where its program is not installed. Raises Trouble for one that is no command.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    wanted = os.environ.get("PAGER", _USUAL).strip()
    try:
        words = shlex.split(wanted)
    except ValueError as error:
        raise Trouble(
            f"PAGER is no command: {wanted!r}: {error}; set it anew, or say --no-pager"
        ) from None
    if not words or wanted in _NONE or shutil.which(words[0]) is None:
        return False
    click.echo_via_pager(text.removesuffix("\n"))  # which ends the last line itself
    return True
