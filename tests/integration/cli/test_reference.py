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

from milepost.cli import main
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
    assert set(sections()) == set(main.commands)


@pytest.mark.parametrize("name", list(main.commands))
def test_every_option_is_documented(name: str) -> None:
    """Each option of a command stands in its section; those that all share, at the top."""
    text = sections()[name]
    shared = PAGE.read_text().split("\n## ")[0]
    for parameter in main.commands[name].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            where = shared if option in ("--db", "--json", "--debug", "--lifecycle") else text
            assert f"`{option}" in where, option


@pytest.mark.parametrize("name", list(main.commands))
def test_help_ends_with_two_examples_that_parse(name: str) -> None:
    """The examples in a command's help are calls that the command takes."""
    told = CliRunner().invoke(main, [name, "--help"]).output
    lines = [line.strip() for line in told.partition("Examples:")[2].splitlines() if line.strip()]
    assert len(lines) == 2
    for line in lines:
        program, command, *args = shlex.split(line)
        assert (program, command) == ("milepost", name)
        context = click.Context(main.commands[name])
        main.commands[name].make_context(name, args, parent=context)


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
    assert len(BLOCK.findall(PAGE.read_text())) >= len(main.commands)
