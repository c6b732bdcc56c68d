"""The pages of a PostgreSQL store: read only, live while a job is active, no password in any."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from milepost import StateManager
from milepost.testing import FakeClock
from milepost.web.app import application
from tests.integration.cli.story import JOB, tell_on_a_server
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres

PASSWORD = "hush-hush"  # noqa: S105 the server of tests asks for none


@pytest.fixture
def url(postgres: str) -> str:
    return new_url(postgres.replace("//postgres:@", f"//postgres:{PASSWORD}@"))


def test_pages_of_a_server_are_those_of_a_file(url: str) -> None:
    """Each page is there, and what another records while they are served is shown by the next."""
    clock = FakeClock()
    tell_on_a_server(url, clock)
    with StateManager.open(url, create=False, read_only=True, clock=clock) as manager:
        client = TestClient(application(manager, clock=clock), base_url="http://127.0.0.1:8423")
        for page in ("", "/items", "/failures", "/plan", "/history", ".json", "/history.json"):
            got = client.get(f"/jobs/{JOB}{page}")
            assert got.status_code == 200, page
            assert PASSWORD not in got.text
        assert PASSWORD not in client.get("/").text
        assert "live.js" in client.get(f"/jobs/{JOB}").text
        with StateManager.open(url, clock=clock) as other:
            other.fire(JOB, "cancel", {"reason": "enough"}, operator=True)
        ended = client.get(f"/jobs/{JOB}").text
        assert "live.js" not in ended
        assert "cancelled" in ended
