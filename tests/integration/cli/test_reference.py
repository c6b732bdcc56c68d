"""docs/reference/cli.md names every command and option, and shows what they really print.

So does every other page that shows commands on the story's store.

To write the page's examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integration/cli
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from copy import copy
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from milepost import StateManager
from milepost.cli import commands, main
from milepost.cli.commands import COMMANDS, COMPILER, command
from milepost.testing import FakeClock
from milepost.web import serving
from tests.integration.cli import old_home
from tests.integration.cli.conftest import CommandLine
from tests.integration.cli.story import JOB, tell

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference" / "cli.md"
PAGES = [PAGE, *(DOCS / "how-to" / name for name in ("operate.md", "recover.md"))]
SHARED = ("--db", "--json", "--debug", "--lifecycle", "--utc", "--no-pager")
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


def test_what_help_tells_of_the_compiler_is_what_its_commands_say():
    """They are listed before they are loaded too, apart from those of other packages."""
    entries = {entry.name: entry for entry in entry_points(group="milepost.commands")}
    assert {
        name: each.load().get_short_help_str(limit=1_000) for name, each in entries.items()
    } == (dict(COMPILER))


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_is_documented(name: str) -> None:
    """Each option of a command stands in its section; those that all share, at the top."""
    text = sections()[name]
    shared = PAGE.read_text().split("\n## ")[0]
    for parameter in command(name).params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            where = shared if option in SHARED else text
            assert f"`{option}" in where, option


LISTENING = serving.listening

NEEDS: dict[str, tuple[str, Mapping[str, str]]] = {
    "watch": ("cancel", {}),
    "delete": ("cancel", {}),
    "resume": ("pause", {}),
    "retry": ("fail", {"cause": "error", "message": "no disk"}),
}
"""By command, the event that brings the story's job where the examples in its help do something."""

ENDS_WITH: Mapping[str, int] = {"plan": 1, "import": 1, "watch": 1}
"""By command, the exit code of an example that has an answer other than yes."""


def examples_of(name: str) -> list[str]:
    """The examples in the help of a command, as they stand there."""
    told = CliRunner().invoke(main, [name, "--help"], terminal_width=200).output
    lines = told.partition("Examples:")[2].splitlines()
    return [line.strip() for line in lines if line.strip()]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FakeClock]:
    """The story's store beside a home of the old tool, and the time there."""
    folder, clock = tmp_path_factory.mktemp("told"), FakeClock()
    tell(folder, clock)
    old_home.leave(folder).rename(folder / ".prodigy")
    shutil.copy(DOCS.parent / "statemachine.yaml", folder)
    return folder, clock


def place(
    told: tuple[Path, FakeClock], folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> FakeClock:
    """What was told, in `folder`, which is where the command is called and the person at home."""
    shutil.copytree(told[0], folder)
    store, clock = folder / "jobs.db", copy(told[1])
    if name in NEEDS:
        event, payload = NEEDS[name]
        with StateManager.open(store, clock=clock) as manager:
            manager.fire(JOB, event, payload, operator=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.syspath_prepend(str(DOCS.parent / "examples" / "orders"))
    return clock


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_ends_with_two_examples_that_run(
    name: str, told: tuple[Path, FakeClock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples in a command's help are calls that it answers, each on the story's store."""
    lines = examples_of(name)
    assert len(lines) == 2
    ended = []
    monkeypatch.setattr(serving, "listening", lambda host, _: LISTENING(host, 0))  # any free port
    monkeypatch.setattr(serving, "run", lambda *_, **given: given["clock"].now_us())
    for at, line in enumerate(lines):
        clock = place(told, tmp_path / str(at), name, monkeypatch)
        program, named, *args = map(os.path.expanduser, shlex.split(line))
        assert (program, named) == ("milepost", name)
        result = CliRunner().invoke(main, [name, *args], obj=clock, env={"MILEPOST_DB": None})
        assert result.exit_code in (0, ENDS_WITH.get(name, 0)), f"{line}\n{result.output}"
        ended.append(result.exit_code)
    assert ENDS_WITH.get(name, 0) in ended


def test_an_example_that_does_not_run_would_be_noticed(
    told: tuple[Path, FakeClock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without what it needs, an example ends with another exit code."""
    monkeypatch.setitem(NEEDS, "retry", ("pause", {}))
    with pytest.raises(AssertionError, match="milepost retry nightly"):
        test_help_ends_with_two_examples_that_run("retry", told, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_shows(
    page: Path, milepost: CommandLine, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example of a page is run, in order, on the story's store, which the variable names."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("MILEPOST_DB", store.name)
    monkeypatch.setattr("milepost.cli.commands.recover.default_owner", lambda: "host:4711")
    old_home.leave(store.parent)
    shutil.copy(DOCS.parent / "statemachine.yaml", store.parent)
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
