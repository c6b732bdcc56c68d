"""docs/how-to/migrate-from-prodigy.md shows what its commands print, one after the other.

To write the page's examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integration/cli
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost.cli import main
from milepost.testing import FakeClock
from tests.integration.cli import old_home
from tests.integration.cli.test_reference import BLOCK

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "migrate-from-prodigy.md"


def test_examples_print_what_the_page_shows(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old_home.leave(tmp_path)
    text = PAGE.read_text()

    def run(match: re.Match[str]) -> str:
        result = CliRunner().invoke(main, shlex.split(match["args"]), obj=clock)
        assert result.exit_code in (0, 1), result.output
        return f"```console\n$ milepost {match['args']}\n{result.output}```"

    shown = BLOCK.sub(run, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        PAGE.write_text(shown)
    assert shown == text
    assert len(BLOCK.findall(text)) >= 5
