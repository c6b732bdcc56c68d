"""A job on Dask whose cluster dies with its process; it goes on on another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milepost import StateManager
from tests.integration.examples.programs import (
    EXAMPLES,
    begun_since,
    imported,
    killed_once,
    recorded,
)

pytest.importorskip("distributed")


def test_a_job_goes_on_on_another_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was counted before the kill is not counted again."""
    db = tmp_path / "words.db"
    given = ["--db", str(db)]
    with StateManager.open(db) as manager, imported("dask_words", "words") as words:
        command = [str(EXAMPLES / "dask_words" / "words.py"), *given, "--pause-s", "0.1"]
        killed_once(command, tmp_path, recorded(manager, "words", 3))
        killed = manager.get_state("words")
        assert killed.progress.left > 0
        assert words.main(given) == 0
        counted = json.loads(capsys.readouterr().out)
        assert (counted["to"], counted["is"], sum(counted.values())) == (30, 20, 160)
        left = {f"{n:03}" for n in range(40)} - set(killed.processed_items)
        assert begun_since(manager, "words", killed.seq) == left
        assert all(report.sound for report in manager.verify())
