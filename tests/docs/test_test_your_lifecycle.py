"""The page on testing a lifecycle, from its first line to its last, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-your-lifecycle.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_ends_in_a_suite_that_passes(tmp_path: Path) -> None:
    """The definition, the command, fewer than 30 lines of test, and what it prints."""
    blocks: dict[str, list[str]] = {}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        blocks.setdefault(language, []).append(text)
    (definition,), (test, bounded) = blocks["yaml"], blocks["py"]
    printed, _ = blocks["text"]
    assert len([line for line in test.splitlines() if line.strip()]) < 30
    (tmp_path / "door.yaml").write_text(definition, encoding="utf-8")
    (tmp_path / "test_door.py").write_text(f"{test}\n{bounded}", encoding="utf-8")
    environment = {**os.environ, "MILEPOST_TRACES": str(tmp_path / "traces")}
    for line in blocks["sh"]:
        name, *arguments = line.split()
        if name == "pytest":
            arguments += ["-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-m", name, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert printed.strip() in done.stdout


CONFTEST = 'pytest_plugins = ["milepost.testing.lifecycle.summary"]\n'


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """A folder with the door of the page, compiled, and its test."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    definition, *_ = (text for language, text in blocks if language == "yaml")
    test, *_ = (text for language, text in blocks if language == "py")
    (tmp_path / "door.yaml").write_text(definition, encoding="utf-8")
    (tmp_path / "test_door.py").write_text(test, encoding="utf-8")
    assert asked(tmp_path, "milepost", "compile", "door.yaml", "--out", ".")[0] == 0
    return tmp_path


def asked(folder: Path, module: str, *arguments: str) -> tuple[int, str]:
    """The exit code of a module that is run in the folder, and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "MILEPOST_TRACES": str(folder / "traces")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def tampered(folder: Path) -> None:
    """A row of the generated module leads elsewhere, so that a door is shut and never broken."""
    module = folder / "door.py"
    text = module.read_text(encoding="utf-8")
    row = 'source="open", event="kick", target="broken"'
    assert text.count(row) == 1
    module.write_text(text.replace(row, row.replace("broken", "shut")), encoding="utf-8")


@pytest.mark.parametrize("how", [(), ("-n", "2")], ids=["alone", "by xdist"])
def test_what_was_covered_is_seen_without_asking(door: Path, how: tuple[str, ...]) -> None:
    """By whoever runs the tests in one process, or names the plugin."""
    if how:
        (door / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    code, said = asked(door, "pytest", "-q", "-p", "no:cacheprovider", "-k", "trace", *how)
    assert (code, said.count("door: arcs 7 of 7, pairs 10 of 10,")) == (0, 1), said


def test_it_is_written_where_nobody_gathers_it(door: Path) -> None:
    code, said = asked(door, "unittest", "test_door.TestDoor.test_every_trace_is_taken")
    assert (code, said.count("door: arcs 7 of 7, pairs 10 of 10,")) == (0, 1), said


@pytest.mark.parametrize(
    ("right", "typo", "what"),
    [
        (
            "initial: shut\n",
            "initial: shutt\n",
            "door.yaml:6: machine 'door': unknown state 'shutt'",
        ),
        ("turns + 1", "turns + ", "door.yaml:16: machine 'door': row 3 .*'turns \\+'"),
        ("to: open}", "to: open", "door.yaml:15: it cannot be read: while parsing a flow mapping"),
    ],
)
def test_a_typo_is_told_of_in_one_traceback(door: Path, right: str, typo: str, what: str) -> None:
    """It ends where the file is named, and has the place and the word."""
    file = door / "door.yaml"
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, typo), encoding="utf-8")
    code, said = asked(door, "pytest", "-q", "-p", "no:cacheprovider")
    assert code == 2
    assert re.search(f"Unreadable: {what}", said), said
    assert "direct cause" not in said
    places = re.findall(r"^(\S+\.py):\d+: in ", said, re.MULTILINE)
    assert places[0] == "test_door.py"
    assert len(places) <= 3


def test_a_module_that_was_tampered_with_comes_to_an_end(door: Path) -> None:
    """The life of the page would go in circles for ever; it says where."""
    tampered(door)
    code, said = asked(door, "pytest", "-q", "-p", "no:cacheprovider", "-k", "survives")
    assert code == 1
    assert "a life made 5,000 commits and came to no end: job front goes in circles" in said
    assert "push to open, kick to shut" in said


COUNTS = """

def test_few_sequences_were_tried() -> None:
    assert 0 < TestDoor.machine.tried["sequences"] < 30
"""


def test_what_is_found_is_one_error_and_no_lines_of_ours(door: Path) -> None:
    """What the end of a sequence finds does not stand in for what a rule had found.

    Nor is it made small, which takes a minute or more, where a trace has shown it already.
    """
    tampered(door)
    with (door / "test_door.py").open("a", encoding="utf-8") as test:
        test.write(COUNTS)
    code, said = asked(door, "pytest", "-q", "-p", "no:cacheprovider", "-k", "not survives")
    assert code == 1
    assert "3 failed, 1 passed" in said, said
    assert "another exception occurred" not in said
    assert "Explanation:" not in said
