"""`python -m milepost_codegen`: the compiler's commands by themselves."""

import sys

import click

from milepost.text.escapes import lenient, printable
from milepost_codegen.cli import compile_command
from milepost_codegen.explaining import explain_command

main = click.Group(name="milepost_codegen", help="The lifecycle compiler.")
main.add_command(compile_command)
main.add_command(explain_command)

_INTERRUPTED = 130


def _run() -> int:
    lenient(sys.stdout, sys.stderr)
    try:
        return main(prog_name="milepost_codegen", standalone_mode=False) or 0
    except click.ClickException as error:
        click.echo(f"Error: {printable(error.format_message())}", err=True)
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(_run())
