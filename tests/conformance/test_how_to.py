"""docs/how-to/check-a-log-against-a-definition.md shows what its commands really print.

To write its examples anew: MILEPOST_UPDATE_DOCS=1 pytest tests/conformance/test_how_to.py
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from milepost.cli import main
from milepost.testing import FakeClock
from tests.conformance.definitions import ROOT
from tests.integration.cli.story import tell

PAGE: Final = ROOT / "docs" / "how-to" / "check-a-log-against-a-definition.md"
BLOCK: Final = re.compile(r"(?ms)^```console\n\$ milepost ([^\n]*)\n.*?^```$")


def test_examples_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the page, on the story's store, beside a definition edited as it says."""
    clock = FakeClock()
    tell(tmp_path, clock)
    text = PAGE.read_text(encoding="utf-8")
    (edited,) = re.findall(r"(?m)^      (attempts_left: .*)$", text)
    definition = (ROOT / "statemachine.yaml").read_text(encoding="utf-8")
    assert edited not in definition
    (tmp_path / "statemachine.yaml").write_text(definition, encoding="utf-8")
    (tmp_path / "edited.yaml").write_text(
        definition.replace("attempts_left: attempts < max_attempts", edited), encoding="utf-8"
    )
    shutil.copytree(ROOT / "lifecycles", tmp_path / "lifecycles")
    monkeypatch.chdir(tmp_path)
    codes: list[int] = []

    def run(block: re.Match[str]) -> str:
        done = CliRunner().invoke(main, shlex.split(block[1]), obj=clock, terminal_width=200)
        codes.append(done.exit_code)
        return f"```console\n$ milepost {block[1]}\n{done.output}```"

    shown = BLOCK.sub(run, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        PAGE.write_text(shown, encoding="utf-8")
    assert shown == text
    assert codes == [0, 1, 0]


def test_the_page_names_every_kind() -> None:
    """And no kind that there is not."""
    from typing import get_args

    from milepost.conformance.departures import Kind

    table = PAGE.read_text(encoding="utf-8").split("| --- | --- |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.strip().splitlines()]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(get_args(Kind))
