"""The program: its own commands, those that other packages bring, and the edge of the process."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

import click

from milepost.cli.commands import COMMANDS, COMPILER, TASKS, command
from milepost.cli.keys import DEBUG
from milepost.cli.options import debug_option, examples, lifecycle_option, store_option
from milepost.cli.trouble import TROUBLE, Misuse, Trouble, nearest, told
from milepost.refusals import MilepostError
from milepost.text.escapes import lenient, printable, printable_lines

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Program", "main"]

_GROUP: Final = "milepost.commands"
_COMPILER: Final = "milepost_codegen."
_INTERRUPTED: Final = 130
_SELDOM: Final = 50_000  # objects more between two collections of cycles


class Program(click.Group):
    """A click group whose commands other packages may add to, by name, loaded when they are run.

    Every error that a command meets ends here, as one message and an exit code.
    """

    def main(self, *args: Any, **extra: Any) -> Any:  # Any: as click declares it
        """Run as a program. What it loads is no garbage: cycles are looked for seldom.

        Nor at the very end, when the process gives all back at once: that took it 30 ms.
        """
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)
        before = gc.get_threshold()
        gc.set_threshold(_SELDOM, *before[1:])
        try:
            return super().main(*args, **extra)
        finally:
            gc.set_threshold(*before)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # Any: as click declares it
    ) -> click.Context:
        """The context of one call. Raises Misuse, Trouble, and Exit after help or the version."""
        lenient(sys.stdout, sys.stderr)
        try:
            _refuse_half_characters(args)
            return super().make_context(info_name and printable(info_name), args, parent, **extra)
        except click.ClickException as error:
            raise Misuse(error) from error
        except OSError as error:  # of help or the version, which are written here
            if error.errno == errno.EPIPE:
                raise  # the reader has gone: click ends in silence
            raise Trouble(_message(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's
        """Its own commands, then those of other packages."""
        return [*COMMANDS, *sorted(name for name in _foreign() if name not in COMMANDS)]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 click's
        cmd_name: str,
    ) -> click.Command | None:
        """The command of that name, loaded now. Raises Trouble for another package's."""
        if cmd_name in COMMANDS:
            return command(cmd_name)
        entry = _foreign().get(cmd_name)
        return _load(entry) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with. Raises UsageError with the nearest name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            advice = nearest(name, self.list_commands(ctx))
            if name in COMPILER:
                advice = f": it comes with the package milepost_codegen, as an entry point {_GROUP}"
            raise click.UsageError(f"no command {name!r}{advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 click's
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands by what they are for, without loading any."""
        foreign = {name: each for name, each in _foreign().items() if name not in COMMANDS}
        sections = {
            task: {name: one.told for name, one in listed.items()} for task, listed in TASKS.items()
        }
        sections["Write a lifecycle"] = {
            name: told for name, told in COMPILER.items() if name in foreign
        }
        sections["Commands of other packages"] = {
            name: f"From {each.module}."
            for name, each in sorted(foreign.items())
            if name not in COMPILER
        }
        width = max(map(len, COMMANDS))  # so that all sections have one column of names
        for title, listed in sections.items():
            if listed:
                with formatter.section(title):
                    formatter.write_dl(
                        [
                            (name.ljust(width), told.partition(";")[0].rstrip(".") + ".")
                            for name, told in listed.items()
                        ]
                    )

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what it raises becomes a message on stderr and an exit code.

        The commands that it advises reach the store of this one.
        """
        # Help and the version, which end before, advise nothing.
        from milepost.cli.advising import reaching_words  # noqa: PLC0415
        from milepost.text.commands import reaching  # noqa: PLC0415

        with reaching(lambda: reaching_words(ctx.meta)):
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (KeyboardInterrupt, click.Abort):
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except click.ClickException as error:
            _trace(ctx)
            Misuse(error).show()
            raise click.exceptions.Exit(TROUBLE) from error
        except (MilepostError, OSError) as error:
            _trace(ctx)
            raise Trouble(_message(error)) from error
        except Exception as error:
            _trace(ctx)
            unexpected = printable(f"{type(error).__name__}: {error}")
            raise Trouble(
                f"unexpected, a defect of milepost: {unexpected}; --debug shows where"
            ) from error


def _foreign() -> dict[str, EntryPoint]:
    """The commands that installed packages bring, by name; none of them is imported."""
    from importlib.metadata import entry_points  # noqa: PLC0415 slow, and seldom needed

    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def _refuse_half_characters(words: list[str]) -> None:
    """Raise UsageError for a word that no system hands to a program: no file can be named by it."""
    for word in words:
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            raise click.UsageError(f"'{printable(word)}' has half a character in it") from None


def _load(entry: EntryPoint) -> click.Command:
    from milepost.discovery.modules import UnusableError, strangers  # noqa: PLC0415 seldom needed
    from milepost.extras import absent  # noqa: PLC0415 seldom needed

    try:
        with strangers("cannot be loaded"):
            found = entry.load()
    except UnusableError as error:
        if entry.module.startswith(_COMPILER):
            lacking = absent(error.__cause__, "compile", f"milepost {entry.name}")
            if lacking is not None:
                raise Trouble(str(lacking)) from error
        raise Trouble(
            f"the command {entry.name!r} is {entry.value} and {error}; install that package again"
        ) from error
    if not isinstance(found, click.Command):
        raise Trouble(f"the command {entry.name!r} is {entry.value}, which is no click command")
    return found


def _message(error: MilepostError | OSError) -> str:
    message = told(error) if isinstance(error, OSError) else str(error)
    return "\n".join((message, *getattr(error, "__notes__", ())))


def _trace(ctx: click.Context) -> None:
    """Show where the error that is being handled came from, if that was asked for."""
    if ctx.meta.get(DEBUG):
        click.echo(printable_lines(traceback.format_exc()), err=True, nl=False)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 click's
    """Print the versions of the package, of what it stores and of its lifecycle."""
    if not value or ctx.resilient_parsing:
        return
    # What `--version` tells of is loaded for `--version` alone.
    from importlib.metadata import version  # noqa: PLC0415

    from milepost.lifecycles.mapreduce import LIFECYCLE  # noqa: PLC0415
    from milepost.log.formats import FORMAT  # noqa: PLC0415
    from milepost.stores.sqlite.schema import VERSION  # noqa: PLC0415

    click.echo(
        f"milepost {version('milepost')}\n"
        f"store format {VERSION}, log format {FORMAT}\n"
        f"lifecycle {LIFECYCLE.name} version {LIFECYCLE.version} ({LIFECYCLE.digest:.12})"
    )
    ctx.exit()


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("milepost jobs --db jobs.db", "milepost show nightly --db jobs.db"),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the versions of the package, of what it stores and of its lifecycle.",
)
@debug_option(envvar="MILEPOST_DEBUG")
@lifecycle_option()
@store_option(envvar="MILEPOST_DB")
def main() -> None:
    """Look at the durable state of jobs, and take them up again after a crash.

    Data goes to stdout, all else to stderr. Exit codes: 0 yes, 1 the answer is no, 2 wrong usage
    or trouble, 130 interrupted. Only `checkpoint`, `keep`, `import` and what is told to `--apply`
    change a store; `salvage` and `backup` make new ones.
    """
