"""The core without the compiler's packages: what it does, and what it says of what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = ("graphviz", "jinja2", "pydantic", "PyYAML")
MISSING: Final = (
    *("graphviz", "jinja2", "pydantic", "pydantic_core", "yaml"),
    *("starlette", "uvicorn"),
)
WITHOUT: Final = f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}));"
"""Code after which each of these cannot be imported: an entry that is None says so."""
RUN: Final = """
from concurrent.futures import ThreadPoolExecutor
from milepost import StateManager
from milepost.executors import run
with StateManager.open("jobs.db") as manager, ThreadPoolExecutor(2) as pool:
    manager.create_job({"a": 1, "b": 2}, job_id="core")
    run(manager, "core", lambda item: item.value, lambda pairs: sum(v for _, v in pairs),
        executor=pool, check=True)
    print(manager.result("core"))
"""
COMMAND: Final = "from milepost.cli import main; main(sys.argv[1:])"


def told(folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which the core has run a job."""
    made = tmp_path_factory.mktemp("core")
    ran = told(made, RUN)
    assert (ran.stdout, ran.returncode) == ("3\n", 0), ran.stderr
    return made


def test_jobs_are_run_and_looked_at(folder: Path) -> None:
    for words in (["jobs"], ["show", "core"], ["results", "core"], ["verify"], ["--help"]):
        looked = told(folder, COMMAND, *words, *(() if "--help" in words else ("--db", "jobs.db")))
        assert looked.returncode == 0, looked.stderr
        assert looked.stdout


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["diagram", "core", "--db", "jobs.db"], "compile"),
        (["compile", "job.yaml"], "compile"),
        (["check", "job.yaml"], "compile"),
        (["diff", "a.yaml", "b.yaml"], "compile"),
        (["schema"], "compile"),
        (["serve", "--db", "jobs.db"], "web"),
        (["import", "prodigy", ".", "--db", "jobs.db"], "legacy"),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_what_is_lacking_is_told_with_the_way_to_have_it(
    folder: Path, words: list[str], extra: str
) -> None:
    """One line that names the extra, and exit code 2."""
    asked = told(folder, COMMAND, *words)
    assert asked.returncode == 2
    assert asked.stderr.startswith("milepost: ")
    assert asked.stderr.rstrip().endswith(f"pip install 'milepost[{extra}]'")
    assert "Traceback" not in asked.stderr


def test_the_core_names_none_of_them() -> None:
    """Control: each of them is of an extra, and no dependency of all."""
    from importlib.metadata import requires

    wanted = [line for line in requires("milepost") or () if "extra ==" not in line]
    for package in PACKAGES:
        assert not any(line.lower().startswith(package.lower()) for line in wanted)
        assert any(line.lower().startswith(package.lower()) for line in requires("milepost") or ())
