"""Benchmarks can be run: what they measure is there, and still answers as they call it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

BENCH = Path(__file__).resolve().parents[2] / "bench"
SHORT = [
    "steps",
    "imports",
    "starting",
    "records",
    "statements",
    "measuring",
    "batches",
    "large",
    "servers",
    "whole",
]
"""Those that need no large store, no engine and no peer that the tests do not have."""


def brief(*names: str) -> subprocess.CompletedProcess[str]:
    """One round of one turn of each; its figures say nothing."""
    return subprocess.run(
        [sys.executable, BENCH / "run.py", "--json", *names],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MILEPOST_BENCH_BRIEF": "1"},
    )


def test_short_benchmarks_measure_what_they_name():
    done = brief(*SHORT)

    assert done.returncode == 0, done.stderr
    benches = json.loads(done.stdout)["benches"]
    assert list(benches) == SHORT
    for name, figures in benches.items():
        assert figures, name
        assert all(figure["rounds"] >= 1 for figure in figures), name


def test_every_benchmark_can_be_loaded_and_is_offered():
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "no-such"], check=False, capture_output=True, text=True
    )

    assert done.returncode == 2
    offered = done.stderr.split("there are ")[1].split(", ")
    assert {each.strip() for each in offered} >= {*SHORT, "growth", "peers", "engines"}


def test_a_benchmark_whose_subject_wants_more_than_it_gives_fails(tmp_path: Path):
    copied = tmp_path / "bench"
    copied.mkdir()
    for source in BENCH.glob("*.py"):
        (copied / source.name).write_text(source.read_text().replace('"permanent"', '"gone"'))

    done = subprocess.run(
        [sys.executable, copied / "run.py", "--json", "steps"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MILEPOST_BENCH_BRIEF": "1"},
    )

    assert done.returncode != 0
    assert "KeyError: 'permanent'" in done.stderr


BROUGHT = {
    "aiosqlite": "langgraph-checkpoint-sqlite",
    "dask": "distributed",
    "langgraph": "langgraph-checkpoint-sqlite",
    "langchain_core": "langgraph-checkpoint-sqlite",
    "opentelemetry": "opentelemetry-sdk",
    "sqlalchemy": "dbos",
    "statemachine": "python-statemachine",
    "z3": "z3-solver",
}
"""Modules whose package has another name, or that come along with one."""

OURS = {"milepost", "milepost_codegen"}


def test_what_a_benchmark_imports_is_installed_with_them():
    """`make bench` has an environment of its own, of the extra `bench` and nothing else."""
    found = wanted()

    assert {"dbos", "starlette", "ray"} <= found.keys()
    assert {name: where for name, where in found.items() if name not in installed()} == {}


def test_a_package_that_nobody_lists_would_be_found():
    """The control: one of the developers' that is not in the extra."""
    assert "hypothesis" not in installed()


def wanted() -> dict[str, str]:
    """The packages of all imports in the folder, each with a module that has it."""
    ours = {path.stem for path in BENCH.glob("*.py")} | OURS | sys.stdlib_module_names
    found: dict[str, str] = {}
    for path in sorted(BENCH.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for top in {name.partition(".")[0] for name in names} - ours:
                found[BROUGHT.get(top, top.replace("_", "-"))] = path.name
    return found


def installed() -> set[str]:
    """The packages of the extra `bench`, with those of the extras that it names, and the base."""
    project = tomllib.loads((BENCH.parent / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    extras = project["optional-dependencies"]
    left, found = [*project["dependencies"], *extras["bench"]], set[str]()
    while left:
        named = Requirement(left.pop())
        if named.name == "milepost":
            left += [each for extra in named.extras for each in extras[extra]]
        else:
            found.add(named.name)
    return found
