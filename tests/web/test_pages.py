"""Every page of the store: as HTML, as the JSON that the command line gives too, and its head."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.testing import FakeClock
from milepost.web.app import application
from tests.integration.cli.story import JOB

PAGES = (
    *("/", f"/jobs/{JOB}", f"/jobs/{JOB}/items", f"/jobs/{JOB}/failures", f"/jobs/{JOB}/plan"),
    *(f"/jobs/{JOB}/history", f"/jobs/{JOB}/changes?a=1&b=5", "/?stuck=1", "/?phase=map"),
    *(f"/jobs/{JOB}/failures?each=1", f"/jobs/{JOB}/items?state=dead&first=1&last=5"),
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_landmarks_and_no_style_or_script_of_its_own(
    looked_at: TestClient, page: str
) -> None:
    answer = looked_at.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.text
    assert text.count("<h1>") == text.count("<main") == text.count("<footer>") == 1
    assert '<html lang="en">' in text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize(
    ("page", "args"),
    [
        ("/jobs.json", ["jobs"]),
        (f"/jobs/{JOB}/items.json", ["items", JOB]),
        (f"/jobs/{JOB}/failures.json", ["failures", JOB]),
        (f"/jobs/{JOB}/failures.json?each=1", ["failures", JOB, "--each"]),
        (f"/jobs/{JOB}/plan.json?failed=1", ["plan", JOB, "--failed"]),
        (f"/jobs/{JOB}/history.json", ["history", JOB]),
        (f"/jobs/{JOB}/changes.json?a=2&b=6", ["changes", JOB, "2", "6"]),
        (f"/jobs/{JOB}.json", ["show", JOB]),
        (f"/jobs/{JOB}/show.json", ["show", JOB]),
        ("/jobs.json?prefix=week", ["jobs", "--prefix", "week"]),
        ("/jobs.json?stuck=1", ["jobs", "--stuck"]),
    ],
)
def test_data_is_what_the_command_gives(
    manager: StateManager, clock: FakeClock, tmp_path: Path, page: str, args: list[str]
) -> None:
    """Byte for byte, with payloads shown: there is one reading of the store."""
    client = TestClient(
        application(manager, clock=clock, payloads=True), base_url="http://localhost"
    )
    answer = client.get(page)
    assert answer.headers["content-type"] == "application/json"
    store = {"MILEPOST_DB": str(tmp_path / "jobs.db")}  # what it advises then names no store either
    told = CliRunner(env=store).invoke(main, [*args, "--json"], obj=clock)
    assert told.exit_code == 0
    assert answer.text == told.stdout


def test_payloads_and_variables_are_hidden_unless_they_are_asked_for(
    client: TestClient, manager: StateManager, clock: FakeClock
) -> None:
    """On every page and in its JSON; the control: with payloads the value is there."""
    day = "2023-11-14"
    shown = TestClient(
        application(manager, clock=clock, payloads=True), base_url="http://localhost"
    )
    pages = (f"/jobs/{JOB}", f"/jobs/{JOB}.json", f"/jobs/{JOB}/history?upto=1")
    for page in pages:
        hidden = re.sub(r"2023-11-14T[0-9:.]+Z", "", client.get(page).text)
        assert day not in hidden
        assert "[hidden]" in hidden, page
        told = re.sub(r"2023-11-14T[0-9:.]+Z", "", shown.get(page).text)
        assert day in told or "history" in page, page
        assert "[hidden]" not in told
    variables = client.get(f"/jobs/{JOB}.json").json()["variables"]
    assert variables == {"day": "[hidden]"}


def test_what_a_job_holds_is_escaped(tmp_path: Path) -> None:
    """Keys, messages and ids are text, whatever is in them, in HTML and in the grid."""
    hostile = '"><script>alert(1)</script>\x1b[31m\u202e'
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job([hostile, "b"], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(hostile, "start")])
        manager.record("j", [ItemEvent(hostile, "fail", {"cause": "error", "message": hostile})])
        client = TestClient(application(manager), base_url="http://localhost")
        for page in ("/jobs/j", "/jobs/j/items", "/jobs/j/failures", "/jobs/j/plan"):
            text = client.get(page, params={"key": hostile} if "items" in page else {}).text
            assert "<script>alert" not in text
            assert "&lt;script&gt;alert" in text, page
            assert "\x1b" not in text
            assert "\u202e" not in text


def test_a_job_that_is_active_is_live_and_one_that_has_ended_is_not(
    client: TestClient, manager: StateManager, tmp_path: Path
) -> None:
    """Without a script the page is loaded anew; both only while something may change."""
    live = client.get(f"/jobs/{JOB}").text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in live
    assert "/static/live.js" in live
    with StateManager.open(tmp_path / "jobs.db") as writer:
        writer.fire("weekly-1", "cancel")
    ended = client.get("/jobs/weekly-1").text
    assert "refresh" not in ended
    assert "live.js" not in ended


def test_the_worst_state_of_a_cell_wins(tmp_path: Path) -> None:
    """One dead item among thousands that are done is seen, and its cell leads to it."""
    count, dead = 10_001, 5_000
    with StateManager.open(tmp_path / "jobs.db") as manager:
        keys = [f"k{n}" for n in range(count)]
        manager.create_job(keys, job_id="j", config={"max_attempts": 1})
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(key, "start") for key in keys])
        rest = [key for n, key in enumerate(keys) if n != dead]
        manager.record("j", [ItemEvent(key, "succeed", {"result": 1}) for key in rest])
        told = {"cause": "error", "message": "no"}
        manager.record("j", [ItemEvent(keys[dead], "fail", told), ItemEvent(keys[dead], "give_up")])
        client = TestClient(application(manager), base_url="http://localhost")
        grid = client.get("/jobs/j/grid.json").json()
        assert len(grid["cells"]) <= 2_500
        assert sum(sum(cell["counts"].values()) for cell in grid["cells"]) == count
        (worst,) = (cell for cell in grid["cells"] if cell["worst"] == "dead")
        assert worst["first"] <= dead <= worst["last"]
        assert worst["counts"] == {"dead": 1, "done": grid["size"] - 1}
        ends = {"first": worst["first"], "last": worst["last"]}
        items = client.get("/jobs/j/items.json", params=ends).json()["items"]
        assert [item["key"] for item in items if item["state"] == "dead"] == [keys[dead]]
        assert len(items) == grid["size"]
        assert [cell["last"] + 1 for cell in grid["cells"]][:-1] == [
            cell["first"] for cell in grid["cells"]
        ][1:]


def test_the_drawing_shows_the_path(looked_at: TestClient) -> None:
    """With no style but its own."""
    answer = looked_at.get(f"/jobs/{JOB}/lifecycle.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "visited" in answer.text
    assert "current" in answer.text
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert "'sha256-" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("page", "status", "said"),
    [
        ("/jobs/none", 404, "none"),
        ("/jobs/a%00b", 404, "a\\x00b"),
        (f"/jobs/{'a' * 300}", 404, "job id"),
        ("/?phase=%00", 400, "phase"),
        (f"/?prefix={'%00' * 5_000}", 400, "prefix"),
        ("/jobs/none/items", 404, "none"),
        ("/jobs/none/lifecycle.svg", 404, "none"),
        (f"/jobs/{JOB}/nothing", 404, "no such page"),
        (f"/jobs/{JOB}/items?limit=many", 400, "limit must be a whole number from 1 to 1000"),
        (f"/jobs/{JOB}/items?limit=1001", 400, "limit must be"),
        (f"/jobs/{JOB}/history?after=-1", 400, "after must be"),
        (f"/jobs/{JOB}/changes?a=5&b=2", 400, "a is the earlier one"),
        (f"/jobs/{JOB}/changes?a=1&b=9999", 404, "9999"),
        ("/static/../app.py", 404, ""),
        ("/static/nothing.css", 404, "no such file"),
    ],
)
def test_what_is_not_there_is_said(
    looked_at: TestClient, page: str, status: int, said: str
) -> None:
    answer = looked_at.get(page)
    assert answer.status_code == status
    assert said in answer.text
    assert "Traceback" not in answer.text


def test_trouble_of_data_is_data(looked_at: TestClient) -> None:
    answer = looked_at.get("/jobs/none.json")
    assert answer.status_code == 404
    assert json.loads(answer.text)["code"] == "job-absent"
    assert json.loads(looked_at.get(f"/jobs/{JOB}/items.json?limit=x").text)["code"] == "query"


def test_an_id_that_ends_like_data_has_both_its_pages(tmp_path: Path) -> None:
    with StateManager.open(tmp_path / "jobs.db") as manager:
        for job in ("a", "a.json"):
            manager.create_job(["x"], job_id=job)
        client = TestClient(application(manager), base_url="http://localhost")
        assert "<h1>a.json</h1>" in client.get("/jobs/a.json").text
        assert client.get("/jobs/a.json.json").json()["job"] == "a.json"
        for job in ("a", "a.json"):
            assert client.get(f"/jobs/{job}/show.json").json()["job"] == job
            assert f'href="/jobs/{job}/show.json"' in client.get(f"/jobs/{job}").text


def test_a_plan_that_changes_nothing_says_what_is_left(looked_at: TestClient) -> None:
    """A job whose items wait for a run is told from one to which nothing happens any more."""
    waits = looked_at.get("/jobs/weekly-1/plan").text
    assert "nothing to change: a run does what is left" in waits
    assert "nothing is left to do" not in waits
    assert "a run does what is left" not in looked_at.get(f"/jobs/{JOB}/plan").text


@pytest.mark.parametrize("page", [each for each in PAGES if each.startswith("/jobs")] + ["/jobs"])
def test_a_slash_at_the_end_leads_to_the_page_without_it(looked_at: TestClient, page: str) -> None:
    """With what was asked; the list of jobs stands at `/`, by its own name too."""
    path, _, query = page.partition("?")
    answer = looked_at.get(f"{path}/?{query}", follow_redirects=True)
    assert answer.status_code == 200
    ended = path if path != "/jobs" else "/"
    assert (answer.url.path, answer.url.query.decode()) == (ended, query)
    assert looked_at.get("/jobs?phase=map").url.query == b"phase=map"


@pytest.mark.parametrize("page", [f"/jobs/{JOB}", f"/jobs/{JOB}/history", f"/jobs/{JOB}.json"])
def test_ages_move_under_a_weak_etag(client: TestClient, clock: FakeClock, page: str) -> None:
    """HEAD is as GET of that moment; later what has not changed is still known by its ETag."""
    head, full = client.head(page), client.get(page)
    assert head.headers["content-length"] == full.headers["content-length"]
    etag = full.headers["etag"]
    assert etag.startswith('W/"')
    clock.advance(5_000)
    assert client.head(page).headers["content-length"] == client.get(page).headers["content-length"]
    now = client.get(page).headers["etag"]
    for given in (now, now.removeprefix("W/"), f'"other", {now}'):
        assert client.get(page, headers={"if-none-match": given}).status_code == 304
    assert client.get(page, headers={"if-none-match": '"other"'}).status_code == 200
