"""`python -m milepost_codegen`: the compiler's commands by themselves."""

import click

from milepost_codegen.cli import compile_command, explain_command

main = click.Group(name="milepost_codegen", help="The lifecycle compiler.")
main.add_command(compile_command)
main.add_command(explain_command)

if __name__ == "__main__":
    main(prog_name="milepost_codegen")
