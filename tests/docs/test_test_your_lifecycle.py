"""The page on testing a lifecycle, from its first line to its last, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-your-lifecycle.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_ends_in_a_suite_that_passes(tmp_path: Path) -> None:
    """The definition, the command, fewer than 30 lines of test, and what it prints."""
    blocks: dict[str, list[str]] = {}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        blocks.setdefault(language, []).append(text)
    (definition,), (test, bounded) = blocks["yaml"], blocks["py"]
    printed, _ = blocks["text"]
    assert len([line for line in test.splitlines() if line.strip()]) < 30
    (tmp_path / "door.yaml").write_text(definition, encoding="utf-8")
    (tmp_path / "test_door.py").write_text(f"{test}\n{bounded}", encoding="utf-8")
    environment = {**os.environ, "MILEPOST_TRACES": str(tmp_path / "traces")}
    for line in blocks["sh"]:
        name, *arguments = line.split()
        if name == "pytest":
            arguments += ["-q", "-rP", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-m", name, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert printed.strip() in done.stdout
