"""The page on a lifecycle of one's own: its definition, its programs and its commands work.

To write its outputs anew: MILEPOST_UPDATE_DOCS=1 pytest tests/docs/test_own_lifecycle.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.shell import Shell, check

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """Every file that it shows is written, and every command run, in order."""
    check(DOCS / "how-to" / "a-lifecycle-of-your-own.md", Shell(tmp_path, (tmp_path,)))


def test_an_output_that_differs_is_noticed(tmp_path: Path) -> None:
    """Control: not where only a time differs."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo 2023-11-14T22:13:20Z at\n2001-01-01T00:00:00Z at\n```\n")
    check(page, Shell(tmp_path))
    page.write_text("```console\n$ echo 2023-11-14T22:13:20Z at\n2001-01-01T00:00:00Z by\n```\n")
    with pytest.raises(AssertionError):
        check(page, Shell(tmp_path))
