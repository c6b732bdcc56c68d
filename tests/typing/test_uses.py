"""Both type checkers reject every illegal use of a generated module, and nothing else."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.python import emit_python

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
USES = Path(__file__).with_name("uses.py")
DEFINITIONS = [
    ROOT / "statemachine.yaml",
    ROOT / "tests" / "golden" / "rich_example.yaml",
    ROOT / "tests" / "unit" / "compiler" / "awkward_names.yaml",
    *sorted((ROOT / "examples" / "lifecycles").glob("*.yaml")),
]
BAD = re.compile(r"# BAD:([a-z-]+)")


def rejected_by_mypy(files: list[Path], folder: Path) -> set[tuple[str, int]]:
    """The file names and lines of all errors under `--strict`."""
    command = [BIN / "mypy", "--strict", "--warn-unreachable", "--python-version", "3.11"]
    done = subprocess.run(
        [*command, "--config-file", os.devnull, "--cache-dir", folder / "cache", *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = re.findall(r"^(.+):(\d+): error: ", done.stdout, re.MULTILINE)
    return {(Path(name).name, int(line)) for name, line in found}


def rejected_by_pyright(files: list[Path], folder: Path) -> set[tuple[str, int]]:
    """The file names and lines of all errors in strict mode."""
    settings = {
        "include": [str(file) for file in files],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "venvPath": str(BIN.parents[1]),
        "venv": BIN.parent.name,
    }
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [BIN / "pyright", "--project", config, "--outputjson"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(files)
    return {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in answer["generalDiagnostics"]
        if one["severity"] == "error"
    }


CHECKERS = [rejected_by_mypy, rejected_by_pyright]
Checker = Callable[[list[Path], Path], set[tuple[str, int]]]


def marked(text: str) -> dict[int, str]:
    """The id of each line that must be rejected."""
    found = ((number, BAD.search(line)) for number, line in enumerate(text.splitlines(), start=1))
    return {number: bad[1] for number, bad in found if bad}


@pytest.mark.parametrize("checker", CHECKERS)
def test_illegal_uses_are_rejected_and_legal_ones_are_not(checker: Checker, tmp_path: Path) -> None:
    """Line by line: what is rejected is what is marked."""
    text = USES.read_text(encoding="utf-8")
    use = tmp_path / "uses.py"
    use.write_text(text, encoding="utf-8")
    rejected = {line for _, line in checker([use], tmp_path)}
    wanted = marked(text)
    assert {wanted[line] for line in wanted if line not in rejected} == set()
    assert rejected == set(wanted)


def test_the_marks_are_distinct() -> None:
    """Each illegal use has an id of its own."""
    ids = list(marked(USES.read_text(encoding="utf-8")).values())
    assert len(ids) == len(set(ids)) >= 20


@pytest.mark.parametrize("checker", CHECKERS)
def test_generated_modules_are_clean(checker: Checker, tmp_path: Path) -> None:
    """Neither checker finds anything, at its strictest."""
    files: list[Path] = []
    for path in DEFINITIONS:
        lifecycle = compile_definition(path.read_bytes(), path.name).lifecycle
        files.append(tmp_path / f"generated_{path.stem}.py")
        files[-1].write_text(emit_python(lifecycle), encoding="utf-8")
    assert checker(files, tmp_path) == set()


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_that_is_asked_about_a_mistake_says_so(checker: Checker, tmp_path: Path) -> None:
    """The judge can say no."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("count: int = 1\ncount = 'two'\n", encoding="utf-8")
    assert checker([wrong], tmp_path) == {("wrong.py", 2)}
