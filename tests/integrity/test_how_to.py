"""docs/how-to/repair.md shows what its commands really print, on a store damaged as it says.

To write its examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integrity/test_how_to.py
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
from tests.integration.cli.story import tell
from tests.integrity.test_repair import damage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "repair.md"
BLOCK = re.compile(r"(?ms)^```console\n(.*?)^```$")
CALL = re.compile(r"(?m)^\$ milepost (.*)$")


def test_examples_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the page is run, in order."""
    clock = FakeClock()
    store = tell(tmp_path, clock)
    damage(
        store,
        "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq = 7",
        "UPDATE checkpoints SET snapshot = x'00' WHERE id >> 40 = 1",
    )
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")

    def run(block: re.Match[str]) -> str:
        told = ""
        for args in CALL.findall(block[1]):
            result = CliRunner().invoke(main, shlex.split(args), obj=clock)
            assert result.exit_code in (0, 1), result.output
            told += f"$ milepost {args}\n{result.output}"
        return f"```console\n{told}```"

    shown = BLOCK.sub(run, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        PAGE.write_text(shown, encoding="utf-8")
    assert shown == text
