"""The import contracts: they name all that there is, and break where they should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CONTRACTS: Final[list[dict[str, Any]]] = tomllib.loads(
    (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)["tool"]["importlinter"]["contracts"]
NEEDED: Final = {"drawings", "integers", "machine", "refusals", "roles", "text"}
"""What the compiler may know of the run time; `machine` knows `integers` and `refusals`."""


def _contract(name: str) -> dict[str, Any]:
    (found,) = (each for each in CONTRACTS if each["name"].startswith(name))
    return found


def _top() -> set[str]:
    """The modules and folders of `src/milepost`."""
    found = (ROOT / "src" / "milepost").iterdir()
    kept = (path for path in found if path.suffix == ".py" or (path / "__init__.py").exists())
    return {path.stem for path in kept} - {"__init__"}


def test_the_compiler_is_kept_from_all_of_the_run_time_but_what_it_needs() -> None:
    """A new folder of the run time is out of its reach until somebody decides otherwise."""
    forbidden = _contract("The compiler knows nothing")["forbidden_modules"]
    assert set(forbidden) == {f"milepost.{name}" for name in _top() - NEEDED}


def test_power_cuts_are_kept_from_all_of_milepost() -> None:
    """A new folder of the run time is out of their reach; those of `testing` stand above them."""
    forbidden = _contract("Power cuts know")["forbidden_modules"]
    ours = {name for name in forbidden if name.startswith("milepost.")}
    assert ours == {f"milepost.{name}" for name in _top() - {"testing"}}
    assert "power" in _contract("Testing")["layers"][-1].split(" | ")


def test_the_page_shows_the_list_of_the_contract() -> None:
    """Line by line; `testing` and `__main__`, which nobody imports, are told of in words."""
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\n(cli\n.*?)```", page, re.DOTALL)
    assert shown.splitlines() == _contract("Run time")["layers"][1:]


def test_nothing_in_reading_can_write() -> None:
    """A Writer is named nowhere there; elsewhere in `state/` it is, as the control."""
    state = ROOT / "src" / "milepost" / "state"
    writing = [
        path.relative_to(state).parts[0]
        for path in state.rglob("*.py")
        if re.search(r"\bWriter\b|\.writing\(", path.read_text(encoding="utf-8"))
    ]
    assert "reading" not in writing
    assert {"keeping", "writing"} <= set(writing)


def _linted(folder: Path) -> str:
    """What lint-imports says of the two packages in `folder`, by the contracts that are there."""
    paths = os.pathsep.join(str(folder / name) for name in ("src", "codegen"))
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two packages and their contracts, to plant something in."""
    folder = tmp_path_factory.mktemp("planted")
    for name in ("src", "codegen"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_what_there_is_keeps_every_contract(copied: Path) -> None:
    """The control of the next test: nothing is planted, and nothing breaks."""
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in _linted(copied)


@pytest.mark.parametrize(
    ("place", "line", "broken"),
    [
        ("src/milepost/log/rows.py", "import milepost.items.ledger", "Run time"),
        ("src/milepost/log/rows.py", "import milepost.testing.clock", "Run time"),
        ("src/milepost/items/inputs.py", "import milepost.stores.memory", "Run time"),
        ("src/milepost/stores/memory.py", "import milepost.job.state", "Run time"),
        ("src/milepost/job/state.py", "import milepost.stores.memory", "Run time"),
        ("src/milepost/stores/memory.py", "import milepost.log.codec", "Stores keep rows"),
        ("src/milepost/stores/protocol.py", "import milepost.stores.sqlite.schema", "Stores: the"),
        ("src/milepost/stores/memory.py", "import milepost.stores.sqlite.schema", "Stores: the"),
        ("src/milepost/state/reading/sizes.py", "import milepost.state.writing.append", "State"),
        ("src/milepost/state/loose.py", "", "State"),
        ("src/milepost/loose.py", "", "Run time"),
        ("src/milepost/log/facts.py", "import milepost.log.drafts", "No imports go in a circle"),
        ("src/milepost/lifecycles/mapreduce.py", "import milepost.errors", "Run time"),
        ("src/milepost/lifecycles/mapreduce.py", "import msgspec", "Generated modules"),
        ("src/milepost/machine.py", "import milepost_codegen.model", "The run time never"),
        ("src/milepost/job/fold.py", "import pydantic", "What belongs to the compiler"),
        (
            "src/milepost/legacy/prodigy/walk.py",
            "import milepost.log.rows",
            "Readers of old state",
        ),
        (
            "codegen/milepost_codegen/expressions/text.py",
            "import milepost_codegen.drawings.mermaid",
            "Compiler",
        ),
        ("codegen/milepost_codegen/source.py", "import milepost_codegen.write", "Compiler"),
        ("codegen/milepost_codegen/names.py", "import milepost.log.facts", "The compiler knows"),
        ("src/milepost/testing/clock.py", "import milepost.testing.power", "Testing"),
        ("src/milepost/testing/loose.py", "", "Testing"),
        ("src/milepost/testing/power/medium.py", "import milepost.testing.power.images", "Power"),
        ("src/milepost/testing/power/medium.py", "import milepost.errors", "Power cuts know"),
        ("src/milepost/testing/power/harness.py", "import pytest", "Power cuts know"),
    ],
)
def test_what_is_planted_breaks_its_contract(
    copied: Path, place: str, line: str, broken: str
) -> None:
    """An import against each rule, and a module that has no place."""
    path = copied / place
    before = path.read_bytes() if path.exists() else None
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
        said = _linted(copied)
    finally:
        path.unlink() if before is None else path.write_bytes(before)
    verdicts = [each for each in said.splitlines() if " BROKEN" in each]
    assert any(each.startswith(broken) for each in verdicts), said
