"""The page on proofs: its definitions are checked as it says, and its program runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.shell import Shell, check

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "proofs.md"


def test_the_page_prints_what_is_printed(tmp_path: Path) -> None:
    check(PAGE, Shell(tmp_path))
    (program,) = re.findall(
        r"(?ms)^\$ milepost check tickets.yaml --snippet \S+\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
    )
    (tmp_path / "shows.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "shows.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(" -> ") == len(re.findall(r'\("\d+\. ', program))
