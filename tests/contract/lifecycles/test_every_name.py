"""Each name of the built-in lifecycle called otherwise: all works as before, or checkers say no.

A definition is renamed in one place after the other, compiled, and stands in the place of the
built-in tables in a process of its own, where a job runs, fails, is killed, recovered and done.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from milepost.lifecycles import mapreduce
from milepost_codegen.compiler import compile_definition
from milepost_codegen.python import emit_python

from .compiling import BUILT_IN, ROOT
from .generated_words import missing_in
from .names import Name, names_of, renamed
from .spelling import spell

NAMES = [name for name in names_of(BUILT_IN) if name.kind != "lifecycle"]
FILES = sorted(
    path
    for folder in ("src/milepost", "codegen", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "mapreduce import" in (text := path.read_text(encoding="utf-8")) and "@generated" not in text
)
MODULE = mapreduce.__name__
TABLES = "src/milepost/lifecycles/mapreduce.py"
PARAMS = ("max_attempts", "max_dead")


class Server:
    """The process that tells a job by tables that stand in the place of the built-in ones."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.before = self.told("", dict(zip(PARAMS, PARAMS, strict=True)))

    def told(self, module: str, params: dict[str, str]) -> dict[str, str]:
        """What there was to be seen of the job."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"module": module, "params": params}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, str] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.contract.lifecycles.smoke"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Server(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


@cache
def with_names(*names: Name) -> str:
    """The source of the built-in tables in which these names are spelt otherwise."""
    text = renamed(BUILT_IN, lambda name: spell(name.name) if name in names else name.name)
    return emit_python(compile_definition(text.encode(), "statemachine.yaml").lifecycle)


def tables_of(source: str) -> ModuleType:
    """The module of that source."""
    module = ModuleType("renamed_tables")
    sys.modules[module.__name__] = module  # dataclasses look their own module up
    try:
        exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102 ours
    finally:
        del sys.modules[module.__name__]
    return module


@cache
def uses(*names: Name) -> tuple[str, ...]:
    """The lines that would not pass the type checkers."""
    found = missing_in(FILES, MODULE, tables_of(with_names(*names)))
    return tuple(f"{one.file.relative_to(ROOT)}:{one.line}: {one.what}" for one in found)


def called_again(text: str, name: Name) -> str:
    """What was told, with the one name as it was before; JSON in the order of its names."""
    text = re.sub(rf"(?<![A-Za-z0-9]){spell(name.name)}(?![A-Za-z0-9_])", name.name, text)
    body, _, code = text.rpartition("= ")
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return text
    return json.dumps(answer, indent=1, sort_keys=True) + code


@pytest.mark.parametrize("name", NAMES, ids=lambda name: "-".join(filter(None, name)))
def test_a_renamed_name_changes_nothing(name: Name, server: Server, tmp_path: Path) -> None:
    """The job is told as before; where code names it, the type checkers find that besides."""
    module = tmp_path / "tables.py"
    module.write_text(with_names(name), encoding="utf-8")
    is_param = {param: name.kind == "variable" and name.name == param for param in PARAMS}
    params = {param: spell(param) if given else param for param, given in is_param.items()}
    told = server.told(str(module), params)
    assert "error" not in told, told["error"]
    told = {called_again(key, name): called_again(text, name) for key, text in told.items()}
    nobody = Name("", "", "-")
    assert told == {key: called_again(text, nobody) for key, text in server.before.items()}


def test_a_job_that_differs_is_noticed(server: Server, tmp_path: Path) -> None:
    """Control: without the role of an event, what is told is another thing."""
    text = BUILT_IN.replace("      give_up: give_up\n", "")
    assert text != BUILT_IN
    lifecycle = compile_definition(text.encode(), "statemachine.yaml").lifecycle
    module = tmp_path / "tables.py"
    module.write_text(emit_python(lifecycle), encoding="utf-8")
    assert server.told(str(module), dict(zip(PARAMS, PARAMS, strict=True))) != server.before


def test_code_that_names_a_word_is_found_by_the_type_checker(tmp_path: Path) -> None:
    """What the quick look says of one name of each kind, mypy says too; and of no other line."""
    kinds: dict[str, Name] = {}
    for name in NAMES:
        if uses(name):
            kinds.setdefault(name.kind, name)
    assert {"state", "event", "variable", "enum", "member"} <= set(kinds)  # no code names a field
    shadow = tmp_path / "mapreduce.py"
    shadow.write_text(with_names(*kinds.values()), encoding="utf-8")
    files = sorted({line.partition(":")[0] for name in NAMES for line in uses(name)})
    found = _mypy(files, tmp_path, shadow) - _mypy(files, tmp_path, ROOT / TABLES)
    assert found == {line.rpartition(":")[0] for line in uses(*kinds.values())}


def _mypy(files: list[str], folder: Path, tables: Path) -> set[str]:
    """The lines of `files` with errors, where `tables` stand in the place of the built-in ones.

    All else that the files import is left out: it is a matter of the names of the tables alone.
    """
    asked = [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty"]
    asked += ["--cache-dir", str(folder / "cache"), "--follow-imports", "skip"]
    asked += ["--shadow-file", TABLES, str(tables), TABLES, "src/milepost/machine.py", *files]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(\S+\.py:\d+): error", done.stdout, re.MULTILINE)
    return {line for line in found if line.partition(":")[0] in files}
