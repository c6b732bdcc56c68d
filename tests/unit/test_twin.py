"""The tool that writes AsyncStateManager, and what it says of one that has drifted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from milepost_twin.__main__ import main

SRC = Path(__file__).parents[2] / "src"
MANAGER = "milepost/state/manager"
TWIN = "milepost/aio/manager.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the sources that the tool reads, and of what it writes."""
    for folder in (MANAGER, "milepost/aio"):
        shutil.copytree(SRC / folder, tmp_path / folder)
    return tmp_path


def changed(root: Path, file: str, before: str, after: str) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after), encoding="utf-8")


def check(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a check, and what it said; nothing is written by one."""
    files = {path: path.read_bytes() for path in root.rglob("*.py")}
    code = main(["--check", "--root", str(root)])
    assert {path: path.read_bytes() for path in root.rglob("*.py")} == files
    return code, capsys.readouterr().err


def test_the_twins_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """Where this fails: `make compile` writes them anew."""
    assert main(["--check", "--root", str(SRC)]) == 0, capsys.readouterr().err


DRIFTS: dict[str, Callable[[Path], None]] = {
    "a parameter more": lambda root: changed(
        root,
        f"{MANAGER}/retention.py",
        "largest: int = LARGEST)",
        "largest: int = LARGEST, x: int = 1)",
    ),
    "another default": lambda root: changed(
        root, f"{MANAGER}/retention.py", "largest: int = LARGEST)", "largest: int = 7)"
    ),
    "another type": lambda root: changed(
        root, f"{MANAGER}/retention.py", "-> Kept | None:", "-> Kept:"
    ),
    "another word in a docstring": lambda root: changed(
        root, f"{MANAGER}/retention.py", "Every value is read.", "All values are read."
    ),
    "a method less": lambda root: changed(
        root, f"{MANAGER}/retention.py", "    def kept(", "    def _kept("
    ),
    "a parameter of open": lambda root: changed(
        root,
        f"{MANAGER}/__init__.py",
        "create: Create = True,",
        "create: Create = True, x: int = 1,",
    ),
}


@pytest.mark.parametrize("kind", DRIFTS)
def test_a_change_of_the_source_alone_is_a_drift(
    kind: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with what to do, and gone once the twins are written anew."""
    DRIFTS[kind](root)
    code, told = check(root, capsys)
    assert code == 1
    assert f"{TWIN}: the file is out of date with milepost.state.manager: run" in told
    assert main(["--root", str(root)]) == 0
    assert check(root, capsys)[0] == 0


def test_a_twin_that_was_edited_or_is_missing_is_a_drift(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(root, TWIN, "self.manager.sizes, job_id,", "self.manager.sizes, 'j',")
    code, told = check(root, capsys)
    assert (code, "edited by hand" in told) == (1, True)
    (root / TWIN).unlink()
    code, told = check(root, capsys)
    assert (code, "is missing" in told) == (1, True)
    assert main(["--root", str(root)]) == 0
    assert (root / TWIN).read_bytes() == (SRC / TWIN).read_bytes()


def test_a_change_inside_a_method_is_none(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The negative control: what the twin does not show does not make it stale."""
    changed(
        root,
        f"{MANAGER}/upkeep.py",
        "        return self._store.vacuum()",
        "        return (self._store.vacuum())",
    )
    assert check(root, capsys) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("def vacuum(self)", "def vacuum(self, *names: str)", "takes *args"),
        ("    def vacuum(self)", "    @staticmethod\n    def vacuum(self)", "under staticmethod"),
        ("def vacuum(self) -> Vacuumed", "def vacuum(self)", "no function of a known return type"),
        ("def vacuum(self) -> Vacuumed", "def vacuum(self) -> Nowhere", "where does Nowhere come"),
        ("def vacuum(self) -> Vacuumed", "def vacuum(self, x=1) -> Vacuumed", "no annotation"),
    ],
)
def test_a_method_that_no_rule_covers_is_refused(
    before: str, after: str, problem: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with its place, and nothing is written."""
    changed(root, f"{MANAGER}/upkeep.py", before, after)
    code, told = check(root, capsys)
    assert (code, problem in told, "upkeep.py:" in told) == (2, True, True), told
