"""The page on power cuts: its ledger is tried as it stands there, and says what is shown.

To write its outputs anew: MILEPOST_UPDATE_DOCS=1 pytest tests/docs/test_cut_the_power.py
"""

from __future__ import annotations

from pathlib import Path

from tests.docs.shell import Shell, check

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "cut-the-power.md"


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Every file that it shows is written, and every command run, in order."""
    check(PAGE, Shell(tmp_path, (tmp_path,), columns=80))
