"""docs/reference/cli.md names every command and option, and shows what they really print.

So does every other page that shows commands on the story's store.

To write the page's examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integration/cli
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from milepost.cli import commands, main
from milepost.cli.commands import COMMANDS, command
from tests.integration.cli import old_home
from tests.integration.cli.conftest import CommandLine

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference" / "cli.md"
PAGES = [PAGE, *(DOCS / "how-to" / name for name in ("operate.md", "recover.md"))]
BLOCK = re.compile(r"(?ms)^```console\n\$ milepost (?P<args>[^\n]*)\n.*?^```$")


def sections() -> dict[str, str]:
    """The page's sections, by the command in their heading."""
    parts = re.split(r"(?m)^## `milepost (\S+?)`$", PAGE.read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented() -> None:
    """Each has a section, and there is none for a command that does not exist."""
    assert set(sections()) == set(COMMANDS)


def test_what_the_help_says_of_a_command_is_what_the_command_says() -> None:
    """It is listed before it is loaded: under its name, and with the first line of its help."""
    assert {name: one.told for name, one in COMMANDS.items()} == {
        name: command(name).get_short_help_str(limit=1_000) for name in COMMANDS
    }
    assert [command(name).name for name in COMMANDS] == list(COMMANDS)
    folder = Path(commands.__path__[0])
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {one.module for one in COMMANDS.values()} == modules


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_is_documented(name: str) -> None:
    """Each option of a command stands in its section; those that all share, at the top."""
    text = sections()[name]
    shared = PAGE.read_text().split("\n## ")[0]
    for parameter in command(name).params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            where = shared if option in ("--db", "--json", "--debug", "--lifecycle") else text
            assert f"`{option}" in where, option


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_ends_with_two_examples_that_parse(name: str) -> None:
    """The examples in a command's help are calls that the command takes."""
    told = CliRunner().invoke(main, [name, "--help"]).output
    lines = [line.strip() for line in told.partition("Examples:")[2].splitlines() if line.strip()]
    assert len(lines) == 2
    for line in lines:
        program, named, *args = shlex.split(line)
        assert (program, named) == ("milepost", name)
        context = click.Context(command(name))
        command(name).make_context(name, args, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_shows(
    page: Path, milepost: CommandLine, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of a page is run, in order, on the story's store."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setattr("milepost.cli.commands.recover.default_owner", lambda: "host:4711")
    old_home.leave(store.parent)
    text = page.read_text()

    def run(match: re.Match[str]) -> str:
        result = CliRunner().invoke(main, shlex.split(match["args"]), obj=milepost.clock)
        return f"```console\n$ milepost {match['args']}\n{result.output}```"

    shown = BLOCK.sub(run, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        page.write_text(shown)
    assert shown == text


def test_every_command_has_an_example() -> None:
    """Of the command line's own page, at least one each."""
    assert len(BLOCK.findall(PAGE.read_text())) >= len(COMMANDS)
