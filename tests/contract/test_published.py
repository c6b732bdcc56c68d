"""The pages on testing a store and an executor of one's own, as somebody who reads them does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.test_examples import BLOCK, ROOT, STAND_INS


def test_the_page_on_a_store_is_a_suite(tmp_path: Path) -> None:
    """Its code is a test module, for a package that is installed, in a folder of its own.

    A few of its tests are run: all of them are run on our own stores.
    """
    page = (ROOT / "docs" / "how-to" / "test-a-store.md").read_text(encoding="utf-8")
    installed = tmp_path / "mystore-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mystore\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[milepost.stores]\n"
        "mystore = mystore:open_mystore\nmystore-in-memory = mystore:open_mystore\n"
    )
    (tmp_path / "test_mystore.py").write_text("\n\n".join(BLOCK.findall(page)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(STAND_INS)))}
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("test_mystore.py", "-k", "whole or next_opener or killed_in"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "10 passed, 2 skipped" in ran.stdout, "a store in memory has one opener"


def test_the_page_on_an_executor_is_a_suite(tmp_path: Path) -> None:
    """With the executor of the page on writing one, and an engine of two threads."""
    page = (ROOT / "docs" / "how-to" / "test-an-executor.md").read_text(encoding="utf-8")
    (tmp_path / "test_mine.py").write_text("\n\n".join(BLOCK.findall(page)), encoding="utf-8")
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("test_mine.py", "-k", "not without_end and not many_items"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(STAND_INS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "28 passed, 3 skipped" in ran.stdout, "threads are not to be killed"
