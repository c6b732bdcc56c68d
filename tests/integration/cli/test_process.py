"""The command as a process: what it imports, pipes that close, terminals."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from milepost import StateManager
from milepost.cli.terminal import draw
from milepost.drawings.looks import Meaning
from milepost.inspect.page import Column, Fields, Note, Table
from milepost.inspect.states import StateName
from milepost.log.facts import FORMAT

SLOW = ("pydantic", "jinja2", "graphviz", "yaml", "z3", "rich", "milepost_codegen", "opentelemetry")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """`python -m milepost` with `args`."""
    command = [sys.executable, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def imported(*args: str) -> list[str]:
    """Which of SLOW a call of the command imports."""
    code = (
        "import sys; from milepost.cli import main\n"
        f"try: main({args!r})\n"
        f"finally: sys.stderr.write(' '.join(n for n in {SLOW!r} if n in sys.modules))"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    return done.stderr.split()


@pytest.mark.parametrize("args", [["--help"], ["jobs"], ["show", "nightly"]], ids=" ".join)
def test_looking_imports_nothing_slow(store: Path, args: list[str]) -> None:
    """Neither the compiler nor what only terminals need is imported where it is not used."""
    assert imported("--db", str(store), *args) == []


def test_an_import_would_be_noticed() -> None:
    """The negative control: the compiler's own command does import the compiler."""
    assert "milepost_codegen" in imported("compile", "--help")


def test_python_m_milepost(store: Path) -> None:
    """`python -m milepost` is the same command; its version names all that is versioned.

    The format of a store is the number that `milepost migrate` tells.
    """
    done = run("-m", "milepost", "--version")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("milepost ")
    told = run("-m", "milepost", "migrate", "--db", str(store), "--json").stdout
    assert lines[1] == f"store format {json.loads(told)['newest']}, log format {FORMAT}"
    assert lines[2].startswith("lifecycle mapreduce version ")


@pytest.mark.parametrize(("args", "code"), [(["jobs"], 0), (["verify"], 0), (["show", "x"], 2)])
def test_a_closed_pipe_is_quiet(store: Path, args: list[str], code: int) -> None:
    """A reader that has gone is no trouble: no message, and the exit code of the answer."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "milepost", *args, "--db", str(store)]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    os.close(writing)
    assert done.returncode == code
    assert "Broken" not in done.stderr
    assert "Traceback" not in done.stderr


PAGE = (
    Note("a\x1b[31mb"),
    Fields(title="about", entries=(("phase", StateName("failed", Meaning.FAILED)),)),
    Table(columns=(Column("N", numeric=True), Column("WHAT")), rows=(("1", "x"), ("22", "y"))),
    Table(columns=(Column("N"),), rows=(), empty="nothing"),
    Fields(entries=()),
)


def drawn(*, no_color: bool) -> str:
    """The page on a terminal of forty columns."""
    sink = io.StringIO()
    console = Console(
        file=sink, force_terminal=True, width=40, color_system="truecolor", no_color=no_color
    )
    draw(PAGE, console)
    return sink.getvalue()


def test_a_terminal_gets_colour_and_glyphs() -> None:
    """Colour is never the only signal: without it the glyph and the name are still there."""
    colourful, plain = drawn(no_color=False), drawn(no_color=True)
    assert "\x1b[38;2;213;94;0m✗ failed" in colourful
    assert "38;2;" not in plain
    assert "✗ failed" in plain
    assert r"a\x1b[31mb" in colourful
    assert "nothing" in colourful


def test_names_are_no_markup(store: Path) -> None:
    """A terminal shows a variable's name as it is, as a pipe does."""
    with StateManager.open(store) as manager:
        manager.create_job(["a"], job_id="named", variables={"[/x] :smile:": "[bold]y"})
    done = run("-m", "milepost", "show", "named", "--db", str(store))
    assert "[/x] :smile:  [bold]y" in done.stdout
    sink = io.StringIO()
    console = Console(
        file=sink, force_terminal=True, width=80, color_system="truecolor", no_color=True
    )
    draw((Fields(entries=(("[/x] :smile:\x1b", "[bold]y"),)),), console)
    assert "[/x] :smile:\\x1b  [bold]y" in sink.getvalue().replace("\x1b[2m", "").replace(
        "\x1b[0m", ""
    )
