"""`milepost diff`: exit codes, the text, the document and the picture.

To write the golden texts anew: MILEPOST_UPDATE_GOLDEN=1 pytest tests/integration/diff
"""

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from milepost_codegen.cli import diff_command

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ORDERS = HERE / "orders"
SVG = "{http://www.w3.org/2000/svg}"


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(diff_command, [str(arg) for arg in args])


@pytest.mark.parametrize(
    ("folder", "old", "new", "golden", "code"),
    [
        (ORDERS, "released.yaml", "draft.yaml", "orders_draft.txt", 1),
        (ORDERS, "released.yaml", "final.yaml", "orders_final.txt", 0),
        (
            ROOT / "examples" / "lifecycles" / "history" / "yarn_rm_app",
            "02.yaml",
            "03.yaml",
            "yarn_02_03.txt",
            1,
        ),
    ],
)
def test_the_text(
    monkeypatch: pytest.MonkeyPatch, folder: Path, old: str, new: str, golden: str, code: int
) -> None:
    """The report is the golden text, and the exit code says whether stored jobs survive."""
    monkeypatch.chdir(folder)
    result = run(old, new)
    file = HERE / "golden" / golden
    if os.environ.get("MILEPOST_UPDATE_GOLDEN"):
        file.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == file.read_text(encoding="utf-8")
    assert (result.exit_code, result.stderr) == (code, "")


def test_no_change() -> None:
    result = run(ORDERS / "draft.yaml", ORDERS / "draft.yaml")
    assert result.exit_code == 0
    assert result.stdout == "compatible: orders, version 2 -> 2: no change\n"


def test_trouble(tmp_path: Path) -> None:
    """A file that is missing or no definition is trouble, told on stderr with its findings."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("lifecycle: orders\nversion: 1\n")
    for args in (
        (tmp_path / "none.yaml", ORDERS / "draft.yaml"),
        (ORDERS / "draft.yaml", tmp_path),
        (ORDERS / "draft.yaml", broken),
        (ORDERS / "draft.yaml",),
        (ORDERS / "draft.yaml", ORDERS / "draft.yaml", "--svg", tmp_path / "none" / "a.svg"),
    ):
        result = run(*args)
        assert (result.exit_code, result.stdout) == (2, ""), args
        assert result.stderr
    assert "E102" in run(ORDERS / "draft.yaml", broken).stderr
    assert run(broken, broken).stderr.count("E102") == 2  # both files are told about at once


def test_the_document() -> None:
    """All of the report as data, with the places in both files."""
    result = run(ORDERS / "released.yaml", ORDERS / "draft.yaml", "--json")
    told: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["schema"] == "milepost.diff/1"
    assert told["verdict"] == "breaking"
    assert told["versions"] == {"old": 1, "new": 2}
    assert told["counts"] == {"breaking": 8, "migrated": 1, "compatible": 8}
    renamed = next(one for one in told["changes"] if one["kind"] == "renamed")
    assert (renamed["part"], renamed["name"], renamed["text"]) == ("state", "ready", "was packed")
    assert renamed["old"] == {"file": str(ORDERS / "released.yaml"), "line": 9, "column": 7}
    (effect,) = told["effects"]
    assert effect["stranded"] == [{"state": "held", "target": "", "verdict": "breaking"}]
    assert [one["why"] for one in effect["lost"]] == ["removed"] * 4
    assert {(one["section"], one["name"]) for one in effect["questions"]} == {
        ("states", "held"),
        ("context", "checks"),
        ("events", "hold"),
        ("events", "release"),
    }


def test_the_picture(tmp_path: Path) -> None:
    """Every state and arc of both versions is drawn with what became of it, beside a legend."""
    file = tmp_path / "changes.svg"
    assert run(ORDERS / "released.yaml", ORDERS / "draft.yaml", "--svg", file).exit_code == 1
    root = ET.fromstring(file.read_text(encoding="utf-8"))
    classes = {
        group.get("id"): set((group.get("class") or "").split()) for group in root.iter(f"{SVG}g")
    }
    assert "legend" in classes
    wanted = {
        "order-open": "unchanged",
        "order-ready": "changed",
        "order-checking": "added",
        "order-held": "removed",
        "edge-order-open-ready-unchanged": "unchanged",
        "edge-order-ready-open-changed": "changed",
        "edge-order-ready-checking-added": "added",
        "edge-order-ready-held-removed": "removed",
        "edge-order-ready-cancelled-removed": "removed",
    }
    assert {name: classes[name] & set(wanted.values()) for name in wanted} == {
        name: {status} for name, status in wanted.items()
    }
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"+ added", "- removed (dashed)", "~ changed", "unchanged"} <= texts


def test_the_guide_shows_what_is_printed() -> None:
    """The texts of the how-to page are the golden ones."""
    page = (ROOT / "docs" / "how-to" / "change-a-lifecycle.md").read_text(encoding="utf-8")
    golden = (HERE / "golden" / "orders_draft.txt").read_text(encoding="utf-8")
    assert f"$ milepost diff released.yaml draft.yaml\n{golden}```" in page
    final = (ORDERS / "final.yaml").read_text(encoding="utf-8")
    assert final[final.index("migrations:") :] in page
    first = (HERE / "golden" / "orders_final.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first in page
