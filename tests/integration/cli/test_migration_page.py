"""The pages on migrating show what their commands print, one after the other.

To write the page's examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integration/cli
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost.cli import main
from milepost.testing import FakeClock
from tests.integration.cli import old_home
from tests.integration.cli.test_reference import BLOCK
from tests.integration.legacy.curator.folders import NOW_US, SAMPLE

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.mark.parametrize(("name", "commands"), [("prodigy", 5), ("curator", 4)])
def test_examples_print_what_the_page_shows(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, name: str, commands: int
) -> None:
    monkeypatch.chdir(tmp_path)
    old_home.leave(tmp_path)
    shutil.copytree(SAMPLE, tmp_path / "curator")
    if name == "curator":
        clock.step(NOW_US / 1_000_000 - 1_700_000_000)
    page = PAGES / f"migrate-from-{name}.md"
    text = page.read_text()

    def run(match: re.Match[str]) -> str:
        result = CliRunner().invoke(main, shlex.split(match["args"]), obj=clock)
        assert result.exit_code in (0, 1), result.output
        return f"```console\n$ milepost {match['args']}\n{result.output}```"

    shown = BLOCK.sub(run, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        page.write_text(shown)
    assert shown == text
    assert len(BLOCK.findall(text)) >= commands
