"""What only a terminal gets: times of this place, and a pager for what is longer than it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost.cli import main
from tests.integration.cli.conftest import CommandLine

IN_UTC = re.compile(r"\d\d:\d\d(\.\d+)?Z")
HERE = re.compile(r"\d\d:\d\d(\.\d+)?\+05:30")

PAGES = (
    "jobs",
    "jobs --stuck",
    "show nightly",
    "history nightly",
    "results nightly",
    "changes nightly 4",
    "checkpoint nightly --list",
    "dead nightly",
    "dead nightly eu/2",
    "failures nightly",
    "failures nightly --each",
    "failures nightly --details",
    "fork nightly 5 again",
)
"""Pages with times in them."""

LINES = 12
"""How many lines the terminal has."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place five and a half hours before UTC, and a terminal that is wide enough for a line."""
    monkeypatch.setattr("milepost.cli.output.is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("TZ", "HERE-05:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("place")
def test_a_terminal_gets_the_time_here(milepost: CommandLine) -> None:
    """With the offset, so that it names the same moment everywhere; --utc and JSON have a Z."""
    for call in PAGES:
        told = milepost(*call.split()).stdout
        assert HERE.search(told), call
        assert not IN_UTC.search(told), call
        for more in ("--utc", "--json"):
            told = milepost(*call.split(), more).stdout
            assert IN_UTC.search(told), call
            assert not HERE.search(told), call


@pytest.mark.usefixtures("place")
def test_a_time_from_the_screen_names_the_moment(milepost: CommandLine) -> None:
    """What was copied off a page is a moment of the job."""
    (at,) = re.findall(r"(?m)^created +(\S+)", milepost("show", "nightly").stdout)
    assert at.endswith("+05:30")
    assert milepost.json("changes", "nightly", at)["before"]["seq"] == 1


@pytest.mark.usefixtures("place")
def test_elsewhere_times_are_utc(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever this machine is: what a pipe gets does not depend on it."""
    monkeypatch.setattr("milepost.cli.output.is_terminal", lambda _: False)
    for call in PAGES:
        told = milepost(*call.split()).stdout
        assert IN_UTC.search(told), call
        assert not HERE.search(told), call


def paged(store: Path, *args: str, pager: str | None = None) -> tuple[str, str]:
    """What a terminal of a few lines shows, and what its pager got."""
    folder = store.parent
    got, script = folder / "paged", folder / "pager.py"
    got.unlink(missing_ok=True)
    script.write_text(f"import sys\nopen({str(got)!r}, 'w').write(sys.stdin.read())\n")
    env = {**os.environ, "TERM": "xterm-256color", "LINES": str(LINES), "COLUMNS": "150"}
    env["PAGER"] = f"{sys.executable} {script}" if pager is None else pager
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "milepost", *args, "--db", str(store)]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 1 << 16):
                shown += chunk
        except OSError:
            pass  # how Linux says that nobody writes to it any more
    os.close(master)
    assert process.returncode in (0, 2)
    return shown.decode(), got.read_text() if got.exists() else ""


def test_what_is_longer_than_the_terminal_is_paged(store: Path) -> None:
    shown, got = paged(store, "show", "nightly")
    assert "events that it would take now" in got
    assert "events that it would take now" not in shown
    shown, got = paged(store, "jobs")
    assert ("nightly" in shown, got) == (True, ""), "it is short"


@pytest.mark.parametrize(
    ("args", "pager"),
    [(("--no-pager",), None), ((), ""), ((), "cat"), ((), "/there/is no such pager")],
    ids=["--no-pager", "empty", "cat", "absent"],
)
def test_no_pager(store: Path, args: tuple[str, ...], pager: str | None) -> None:
    """Where none is wanted or there is none, all of it stands on the screen."""
    shown, got = paged(store, "show", "nightly", *args, pager=pager)
    assert "events that it would take now" in shown
    assert "\x1b[" in shown, "in colour"
    assert got == ""


def test_a_pager_that_is_no_command(store: Path) -> None:
    shown, _ = paged(store, "show", "nightly", pager="less '")
    assert "PAGER is no command" in shown
    assert "--no-pager" in shown
    assert "defect" not in shown


def test_a_pipe_is_not_paged(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is; nor is JSON, on a terminal or off it."""
    monkeypatch.setattr("milepost.cli.output.through_pager", lambda _: pytest.fail("it was paged"))
    milepost("show", "nightly")
    monkeypatch.setattr("milepost.cli.output.is_terminal", lambda _: True)
    milepost("show", "nightly", "--json")


def test_help_groups_commands_by_what_they_are_for() -> None:
    """Every command stands under one heading, and nothing needs a store."""
    told = CliRunner().invoke(main, ["--help"], terminal_width=100).output
    headings = re.findall(r"(?m)^(\S[^\n]*):$", told)
    assert headings[1:4] == ["Look at jobs", "Take a job up again", "Steer a job"]
    assert "Commands" not in headings
    rows = re.findall(r"(?m)^  ([a-z-]+)( +)\S", told.partition("Look at jobs")[2])
    named = [name for name, _ in rows if name != "milepost"]
    assert len(named) == len(set(named))
    assert {"jobs", "completion", "recover", "verify", "compile"} <= set(named)
    assert len({len(name) + len(gap) for name, gap in rows if name != "milepost"}) == 1


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_time_is_on_one_line(
    milepost: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """In tables that are too wide for the terminal: other columns are folded, not these."""
    monkeypatch.setenv("COLUMNS", str(width))
    for call in PAGES:
        if call.startswith(("show", "fork")):
            continue  # there are times in their running text
        shown = milepost(*call.split()).stdout
        begun = re.findall(r"20\d\d-\d\d-\d\dT?", shown)
        assert len(HERE.findall(shown)) == len(begun) > 0, (call, shown)
        assert max(map(len, shown.splitlines())) <= width
