"""`milepost completion`: what makes a shell complete what is typed."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from milepost.cli.options import debug_option, examples
from milepost.cli.output import write_format
from milepost.text.escapes import printable_lines

__all__ = ["completion"]

_PROGRAM: Final = "milepost"
_VARIABLE: Final = "_MILEPOST_COMPLETE"


@click.command(
    "completion",
    epilog=examples("milepost completion bash", "milepost completion fish"),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@debug_option()
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Write what makes a shell complete commands, options, names and ids of jobs.

    For bash and zsh, a line of ~/.bashrc or ~/.zshrc: eval "$(milepost completion bash)". For fish,
    once: milepost completion fish > ~/.config/fish/completions/milepost.fish. Ids of jobs, and
    names of their lifecycle, come from the store of --db or MILEPOST_DB.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click knows these three
    script = kind(context.find_root().command, {}, _PROGRAM, _VARIABLE).source()
    write_format(f"{script.strip()}\n", printable_lines)
