"""What the commands answer stays as it is: pages, and the names and values of every schema."""

from __future__ import annotations

import pytest

from milepost.inspect import json as in_json
from tests.integration.cli.answers import KEPT, ask


def test_every_command_answers_as_before() -> None:
    """`tests/golden/answers.txt` has what each answered; answers.py says how to write it anew."""
    assert ask() == KEPT.read_text(encoding="utf-8")


def test_a_name_that_changes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: an answer in which one field has another name is not as before."""
    to_json = in_json.to_json
    monkeypatch.setattr(
        "milepost.cli.output.to_json",
        lambda view: to_json(view).replace('"crashes":', '"deaths":'),
    )
    assert ask() != KEPT.read_text(encoding="utf-8")
