"""The Python blocks of the pages run, in order, as a reader would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
"""Modules of services that pages report to, which check what they are given."""
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
ENGINES = re.compile(r"(?m)^(?:import|from) (distributed|ray)\b")
"""Clusters that pages run on, which are not installed for every Python."""
EXAMPLES = sorted((ROOT / "examples").rglob("README.md"))
ALL_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *EXAMPLES]
PAGES = [page for page in ALL_PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """One script per page, in a fresh folder and a fresh interpreter.

    A warning is an error there, and not in the processes of a cluster that a page starts.
    """
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for needed in ENGINES.findall("\n".join(blocks)):
        pytest.importorskip(needed, reason=f"{page.name} runs on {needed}, which is not installed")
    script = tmp_path / "page.py"
    script.write_text("\n\n".join(blocks), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(STAND_INS), os.environ.get("PYTHONPATH", ""))),
        "MLFLOW_TOLD": str(tmp_path / "mlflow.json"),
    }
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    if page.name == "watch-a-run.md":
        told = json.loads((tmp_path / "mlflow.json").read_text(encoding="utf-8"))
        last = {"settled": 10.0, "dead": 0.0, "left": 0.0}
        assert told == {"nightly": {"last": last, "milepost.phase": "completed"}}
        assert "job reviews: completed, 200 of 200 (100%)" in run.stderr


def test_the_readme_counts_words_and_goes_on_when_run_again(tmp_path: Path) -> None:
    """The example gives its result, and the same when it is started again."""
    (block,) = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert run.stdout == "10\n"
    assert len([line for line in block.splitlines() if line.strip()]) <= 16


def test_the_readme_ends_in_a_report_where_an_item_fails(tmp_path: Path) -> None:
    """What is the matter, how many are dead, and what comes next; and none of it is a traceback."""
    (block,) = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    bad = block.replace('"that is the question"', "None")
    assert bad != block
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", bad], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert run.stdout.startswith("job words is failed: 1 dead, 0 allowed")
        assert "milepost requeue words --apply" in run.stdout
        assert "Traceback" not in run.stderr
    command = [sys.executable, "-m", "milepost", "show", "words", "--db", "jobs.db"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "1 dead, 0 allowed" in shown.stdout
    assert "milepost requeue words --apply" in shown.stdout


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
