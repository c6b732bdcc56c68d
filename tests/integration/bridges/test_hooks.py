"""The hooks for pre-commit do what they say, run as pre-commit runs them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .machines import ROOT

HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
}
DEFINITION = """\
lifecycle: orders
version: 1
machines:
  order:
    initial: open
    states: {open: {}, closed: {final: true}}
    events: {close: {}}
    transitions:
      - {from: open, on: close, to: closed}
"""
SETTINGS = """\
[tool.milepost]
lifecycles = [{ source = "orders.yaml", python = "app", diagrams = "pictures" }]
"""


def run(hook: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The hook's entry in `folder`, with its commands found where they were installed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    entry = shlex.split(HOOKS[hook]["entry"])
    return subprocess.run(
        entry,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose generated files are current."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "orders.yaml").write_text(DEFINITION, encoding="utf-8")
    made = run("milepost-compile", tmp_path)
    assert (made.returncode, made.stdout) == (0, "")
    assert "wrote app/orders.py" in made.stderr
    return tmp_path


def test_the_hooks_are_what_pre_commit_wants() -> None:
    """Installed from a clone as a package, run once and not for each file."""
    assert sorted(HOOKS) == ["milepost-compile", "milepost-compile-check"]
    for hook in HOOKS.values():
        assert hook["language"] == "python"
        assert hook["pass_filenames"] is False
        assert hook["entry"].startswith("milepost compile")
        assert hook["name"]
        assert hook["description"].endswith(".")


@pytest.mark.parametrize(
    ("name", "checked", "compiled"),
    [
        ("orders.yaml", True, True),
        ("deep/down/orders.yml", True, True),
        ("pyproject.toml", True, True),
        ("services/a/pyproject.toml", True, True),
        ("app/orders.py", True, False),
        ("pictures/orders.order.svg", True, False),
        ("notes.txt", False, False),
        ("my-pyproject.toml", False, False),
    ],
)
def test_the_files_that_call_for_a_hook(name: str, *, checked: bool, compiled: bool) -> None:
    """Whatever is generated, and whatever it is generated from."""
    files = {hook: re.compile(HOOKS[hook]["files"]) for hook in HOOKS}
    assert bool(files["milepost-compile-check"].search(name)) is checked
    assert bool(files["milepost-compile"].search(name)) is compiled


def test_a_clean_project_passes(project: Path) -> None:
    """And nothing is written."""
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = run("milepost-compile-check", project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("milepost-compile", project).returncode == 0
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_hand_edit_fails_and_says_so(project: Path) -> None:
    """With the line that was changed."""
    module = project / "app" / "orders.py"
    module.write_text(module.read_text(encoding="utf-8") + "SURPRISE = 1\n", encoding="utf-8")
    done = run("milepost-compile-check", project)
    assert done.returncode == 1
    assert "app/orders.py:1:1: E901 the file was edited by hand" in done.stderr
    assert "-SURPRISE = 1" in done.stdout


def test_a_stale_file_fails_until_the_other_hook_mends_it(project: Path) -> None:
    """The two messages differ, and so do the remedies."""
    definition = project / "orders.yaml"
    definition.write_text(DEFINITION.replace("close", "shut"), encoding="utf-8")
    done = run("milepost-compile-check", project)
    assert done.returncode == 1
    assert "app/orders.py:1:1: E902 the file is out of date with orders.yaml" in done.stderr
    assert "edited by hand" not in done.stderr
    assert run("milepost-compile", project).returncode == 0
    assert run("milepost-compile-check", project).returncode == 0


def test_a_wrong_definition_fails_both(project: Path) -> None:
    """With the compiler's own findings."""
    definition = project / "orders.yaml"
    definition.write_text(DEFINITION.replace("to: closed", "to: clsed"), encoding="utf-8")
    for hook in HOOKS:
        done = run(hook, project)
        assert done.returncode == 1
        assert "unknown state 'clsed'" in done.stderr


def test_a_project_without_lifecycles_is_trouble(tmp_path: Path) -> None:
    """A hook that finds nothing to check must not pass."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    done = run("milepost-compile-check", tmp_path)
    assert done.returncode == 2
    assert "lists no lifecycles" in done.stderr
