"""A FastAPI service that shows a job while it is killed and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost import StateManager
from tests.integration.examples.programs import EXAMPLES, imported, killed_once, recorded

pytest.importorskip("fastapi")


def test_a_service_shows_a_job_that_is_killed_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON and as a page; an unknown job is a 404, and nothing but GET is taken."""
    from starlette.testclient import TestClient

    db = tmp_path / "jobs.db"
    given = ["--db", str(db)]
    monkeypatch.setenv("MILEPOST_DB", str(db))
    with (
        StateManager.open(db) as manager,
        imported("job_service", "worker") as worker,
        imported("job_service", "service") as service,
        TestClient(service.app) as client,
    ):
        assert client.get("/jobs").json() == []
        command = [str(EXAMPLES / "job_service" / "worker.py"), *given, "--pause-s", "0.05"]
        killed_once(command, tmp_path, recorded(manager, "squares", 3))
        killed = manager.get_state("squares")
        assert client.get("/jobs").json() == ["squares"]
        then = client.get("/jobs/squares").json()
        assert (then["phase"], then["finished"], then["seq"]) == ("map", False, killed.seq)
        assert then["progress"]["left"] == killed.progress.left > 0
        assert 'http-equiv="refresh"' in client.get("/jobs/squares/page").text

        assert worker.main([*given, "--pause-s", "0"]) == 0
        assert capsys.readouterr().out == f"{sum(n * n for n in range(60))}\n"
        now = client.get("/jobs/squares").json()
        assert (now["phase"], now["finished"], now["progress"]["left"]) == ("completed", True, 0)
        page = client.get("/jobs/squares/page").text
        assert "60 of 60: 60 done" in page
        assert 'http-equiv="refresh"' not in page
        assert client.get("/jobs/nothing").status_code == 404
        assert client.post("/jobs/squares").status_code == 405
