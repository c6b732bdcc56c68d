"""The command `milepost explain`, which reads no definition and needs none of its packages."""

from __future__ import annotations

from typing import Final

import click

from milepost.text.escapes import printable
from milepost_codegen.explanations import explain

__all__ = ["explain_command"]

_TROUBLE: Final = 2


@click.command("explain")
@click.argument("code")
@click.pass_context
def explain_command(context: click.Context, *, code: str) -> None:
    """Say what a finding's CODE means and how to mend it."""
    try:
        text = explain(code.upper())
    except KeyError:
        click.echo(f"milepost explain: there is no finding '{printable(code)}'", err=True)
        context.exit(_TROUBLE)
    click.echo(text, nl=False)
