"""What every request passes, and the headers of each answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from milepost import StateManager
from milepost.cli import main
from milepost.testing import FakeClock
from milepost.web.app import application
from milepost.web.guard import is_loopback
from tests.integration.cli.story import JOB

TOKEN = "a token of some length"  # noqa: S105 of the test alone
PLACES = ("/", f"/jobs/{JOB}", "/jobs.json", "/static/style.css", "/jobs/none", "/nowhere")


@pytest.mark.parametrize("place", PLACES)
def test_every_answer_has_the_strict_headers(looked_at: TestClient, place: str) -> None:
    headers = looked_at.get(place).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-cache"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("place", PLACES)
def test_pages_are_read_alone(looked_at: TestClient, method: str, place: str) -> None:
    answer = looked_at.request(method, place)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("place", PLACES)
def test_head_is_get_without_the_body(looked_at: TestClient, place: str) -> None:
    head, got = looked_at.head(place), looked_at.get(place)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert got.content
    assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8423", 200),
        ("localhost", 200),
        ("[::1]:8423", 200),
        ("LOCALHOST:1", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8423", 421),
        ("", 421),
    ],
)
def test_another_host_is_refused(looked_at: TestClient, host: str, status: int) -> None:
    """A name of another site that resolves to this machine."""
    assert looked_at.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0", "jobs.example"])  # noqa: S104
def test_with_a_token_nothing_is_told_without_it(
    manager: StateManager, clock: FakeClock, listens: str
) -> None:
    pages = application(manager, clock=clock, host=listens, token=TOKEN)
    client = TestClient(pages, base_url=f"http://{listens}")
    for place in PLACES:
        refused = client.get(place)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert JOB not in refused.text
    for wrong in (
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Basic %%%"},
        {"authorization": f"Digest {TOKEN}"},
        {"authorization": "Bearer"},
    ):
        assert client.get("/", headers=wrong).status_code == 401
    assert client.get("/", auth=("anybody", "wrong")).status_code == 401
    assert client.get("/", auth=("anybody", TOKEN)).status_code == 200
    assert client.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("kind", ["", ".json"])
def test_what_has_not_changed_is_not_sent_again(
    client: TestClient, clock: FakeClock, tmp_path: Path, kind: str
) -> None:
    """By the newest commit: a look later gives 304, a commit gives the page."""
    place = f"/jobs/weekly-1{kind}"
    etag = client.get(place).headers["etag"]
    clock.advance(60)
    same = client.get(place, headers={"if-none-match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    other = client.get(f"{place}?limit=1", headers={"if-none-match": etag})
    assert other.status_code == 200
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as writer:
        writer.fire("weekly-1", "start_map")
    changed = client.get(place, headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_looking_writes_nothing(client: TestClient, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.glob("jobs.db*")}
    for place in PLACES:
        client.get(place)
    after = {path.name: path.read_bytes() for path in tmp_path.glob("jobs.db*")}
    assert before["jobs.db"] == after["jobs.db"]
    assert {name for name in after if not name.endswith("-shm")} >= {"jobs.db"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--host", "0.0.0.0"], "give a token"),  # noqa: S104
        (["--host", "jobs.example"], "give a token"),
        (["--token", "short"], "at least 16"),
    ],
)
def test_what_others_reach_needs_a_token(tmp_path: Path, args: list[str], said: str) -> None:
    told = CliRunner().invoke(main, ["serve", "--db", str(tmp_path / "jobs.db"), *args])
    assert told.exit_code == 2
    assert said in told.output


@pytest.mark.parametrize(
    ("host", "yes"),
    [("localhost", True), ("127.8.0.1", True), ("::1", True), ("::", False), ("10.0.0.1", False)],
)
def test_loopback_is_told_from_the_rest(host: str, *, yes: bool) -> None:
    assert is_loopback(host) is yes
