"""Choices of pages: which jobs, in which order, which moments; and tables as CSV."""

from __future__ import annotations

import csv
import json
import re
from html import escape
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from milepost import StateManager
from milepost.cli import main
from milepost.inspect.facets import facets
from milepost.testing import FakeClock
from milepost.web.app import application
from tests.integration.cli.story import JOB


def _ids(client: TestClient, query: str) -> list[str]:
    return [job["id"] for job in client.get(f"/jobs.json{query}").json()["jobs"]]


@pytest.mark.parametrize(
    ("query", "args"),
    [
        ("?outcome=active", ["--outcome", "active"]),
        ("?outcome=cancelled", ["--outcome", "cancelled"]),
        ("?since=30s", ["--since", "30s"]),
        ("?since=9w", ["--since", "9w"]),
        ("?sort=id", ["--sort", "id"]),
        ("?sort=left&phase=setup", ["--sort", "left", "--phase", "setup"]),
    ],
)
def test_jobs_are_chosen_as_the_command_chooses_them(
    client: TestClient, clock: FakeClock, tmp_path: Path, query: str, args: list[str]
) -> None:
    db = str(tmp_path / "jobs.db")
    with StateManager.open(db, clock=clock) as writer:
        writer.fire("weekly-1", "cancel")
    told = CliRunner().invoke(main, ["jobs", *args, "--json", "--db", db], obj=clock)
    assert told.exit_code == 0
    assert client.get(f"/jobs.json{query}").text == told.stdout


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/?outcome=won", "outcome must be one of active, "),
        ("/?sort=size", "sort must be one of created, "),
        ("/?phase=mapp", "phase must be one of setup, map, "),
        ("/?of=other", "of must be one of "),
        ("/?stuck=1&phase=mapp", "phase must be one of setup, map, "),
        ("/?stuck=1&outcome=won", "outcome must be one of active, "),
        (f"/jobs/{JOB}/items?state=dead&state=ded", "state must be one of pending, running, "),
        ("/?since=soon", "since: &#39;soon&#39; is no age"),
        (f"/jobs/{JOB}/changes?a=yesterday", "&#39;yesterday&#39; is no moment"),
        (f"/jobs/{JOB}/changes?b=-1&a=-0", "a is the earlier one"),
    ],
)
def test_a_choice_that_is_none_is_said(looked_at: TestClient, place: str, said: str) -> None:
    answer = looked_at.get(place)
    assert answer.status_code == 400
    assert said in answer.text
    path, _, query = place.partition("?")
    data = looked_at.get(f"{path if path != '/' else '/jobs'}.json?{query}")
    assert data.status_code == 400
    assert data.json()["code"] == "query"
    assert escape(data.json()["message"]) in answer.text.replace("&#39;", "&#x27;")


@pytest.mark.parametrize(
    ("place", "of", "said"),
    [
        ("/?outcome=failed", "jobs", "looked for outcome failed: none of 3 jobs matched"),
        ("/?prefix=x&phase=map", "jobs", "id begins with x, phase map: none of 3 jobs matched"),
        ("/?phase=map&outcome=failed&since=9w", "jobs", "written to within 9w: none of 3 jobs"),
        (f"/jobs/{JOB}/items?state=skipped", "items", "state skipped: none of 8 items matched"),
        (f"/jobs/{JOB}/items?key=us/*&state=dead", "items", "key fits us/*, state dead: none of 8"),
        (f"/jobs/{JOB}/items?first=70&last=80", "items", "first ordinal 70, last ordinal 80: none"),
        ("/jobs/weekly-1/items?failed=1", "items", "looked for failed or dead: none of 2 items"),
        (
            f"/jobs/{JOB}/history?after=99",
            "events",
            "after commit 99: no commit after 99: the newest",
        ),
        ("/jobs/weekly-1/plan?failed=1", "", "looked for failed or dead: none of 2 items matched"),
    ],
)
def test_what_was_looked_for_and_is_not_there_is_said(
    looked_at: TestClient, place: str, of: str, said: str
) -> None:
    """With an address that lifts the filter; where something is found nothing is said."""
    path, _, query = place.partition("?")
    page = looked_at.get(place).text
    assert said in page
    assert f'<a href="{path}">show all</a>' in page
    everything = looked_at.get(path).text
    assert "looked for" not in everything
    assert "show all" not in everything
    data = looked_at.get(f"{path if path != '/' else '/jobs'}.json?{query}").json()
    if of:
        assert data[of] == []
        count = {"jobs": "total", "items": "matched"}.get(of)
        assert count is None or data[count] == 0


def test_where_no_holder_left_that_is_said(tmp_path: Path) -> None:
    """Beside it, that the other filters were left out; and of an empty store that it is one."""
    clock = FakeClock()
    with StateManager.open(tmp_path / "other.db", clock=clock) as other:
        client = TestClient(application(other, clock=clock), base_url="http://localhost")
        for place in ("/", "/?stuck=1"):
            text = client.get(place).text
            assert "there are no jobs in this store" in text
            assert "show all" not in text
        other.create_job(["a"], job_id="j")
        page = client.get("/?stuck=1&phase=map").text
        assert "looked for jobs left by their holders: none of 1 job matched" in page
        assert "whatever else was asked for: phase map" in page
        assert client.get("/jobs/j/failures").text.count("no failures") == 1


def test_each_choice_says_how_many_jobs_it_leaves(client: TestClient, tmp_path: Path) -> None:
    """Beside those that are made; what its address leads to is as many."""
    with StateManager.open(tmp_path / "jobs.db") as writer:
        writer.fire("weekly-1", "cancel")
    for query in ("", "?outcome=active", "?prefix=week&phase=setup", "?since=52w"):
        found = client.get(f"/facets.json{query}").json()
        assert found["schema"] == "milepost.facets/1"
        assert (found["looked_at"], found["more"]) == (2 if "prefix" in query else 3, False)
        page = client.get(f"/{query}").text
        links = re.findall(r'href="/\?([^"]*)"[^>]*>(?:<span.*?</span> )?(\d+) ', page)
        chosen = parse_qs(query[1:])
        filters = {"phase": "phases", "outcome": "outcomes", "of": "lifecycles"}
        shown = [found[of] for name, of in filters.items() if len(found[of]) > 1 or name in chosen]
        assert len(links) == sum(map(len, shown)) > 0
        for address, count in links:
            leads = address.replace("&amp;", "&")
            if len(parse_qs(leads)) >= len(chosen) and parse_qs(leads) != chosen:
                assert len(_ids(client, f"?{leads}")) == int(count), (query, leads)
    counts = client.get("/facets.json").json()
    assert counts["outcomes"] == [
        {"count": 2, "value": "active"},
        {"count": 1, "value": "cancelled"},
    ]


def test_choices_are_counted_among_the_newest_jobs(manager: StateManager) -> None:
    found = facets(manager, most=2)
    assert (found.looked_at, found.more) == (2, True)
    assert sum(one.count for one in found.phases) == 2
    assert not facets(manager, most=3).more


def test_jobs_that_were_left_have_no_choices(looked_at: TestClient) -> None:
    assert looked_at.get("/facets.json?stuck=1").status_code == 400
    assert looked_at.get("/facets").status_code == 404


@pytest.mark.parametrize(
    ("query", "args"),
    [
        ("a=2023-11-14T22:13:29Z&b=-1", ["2023-11-14T22:13:29Z", "-1"]),
        ("a=-3", ["-3"]),
        ("a=2023-11-14T23:13:29%2B01:00", ["2023-11-14T23:13:29+01:00"]),
    ],
)
def test_moments_are_those_of_the_command(
    looked_at: TestClient, client: TestClient, tmp_path: Path, query: str, args: list[str]
) -> None:
    told = CliRunner().invoke(
        main, ["changes", JOB, *args, "--json", "--db", str(tmp_path / "jobs.db")]
    )
    assert told.exit_code == 0
    ends = [json.loads(told.stdout)[end]["seq"] for end in ("before", "after")]
    found = client.get(f"/jobs/{JOB}/changes.json?{query}").json()
    assert [found[end]["seq"] for end in ("before", "after")] == ends
    page = looked_at.get(f"/jobs/{JOB}/changes?{query}").text
    first = parse_qs(query)["a"][0]
    assert f'name="a" aria-describedby="moments" value="{first}"' in page


def test_the_phases_of_a_job_and_how_long_they_took(
    client: TestClient, clock: FakeClock, tmp_path: Path
) -> None:
    """Each stay, to the microsecond; the last of a job that has ended takes no time."""
    found = client.get(f"/jobs/{JOB}/timeline.json").json()
    told = [(stay["phase"], stay["seq"], stay["seconds"]) for stay in found["stays"]]
    assert told[:-1] == [("setup", 1, 4.0), ("map", 3, 5.5), ("paused", 8, 12.0)]
    last = found["stays"][-1]
    assert (last["phase"], last["left_at"]) == ("map", None)
    assert last["seconds"] == pytest.approx(90)
    clock.advance(10)
    again = client.get(f"/jobs/{JOB}/timeline.json", headers={"if-none-match": ""}).json()
    assert again["stays"][-1]["seconds"] == pytest.approx(100)
    page = client.get(f"/jobs/{JOB}/history").text
    bar = re.search(r'<svg class="bar"[^>]*aria-label="([^"]*)">(.*?)</svg>', page, re.DOTALL)
    assert bar is not None
    assert "paused 12 s" in bar[1]
    assert bar[2].count("<rect") == len(found["stays"])
    with StateManager.open(tmp_path / "jobs.db", clock=clock) as writer:
        writer.fire("weekly-1", "cancel")
    ended = client.get("/jobs/weekly-1/timeline.json").json()["stays"]
    assert [(stay["phase"], stay["seconds"] > 0) for stay in ended] == [
        ("setup", True),
        ("cancelled", False),
    ]


@pytest.mark.parametrize(
    ("place", "of"),
    [
        ("/jobs", "jobs"),
        (f"/jobs/{JOB}/items", "items"),
        (f"/jobs/{JOB}/grid", "cells"),
        (f"/jobs/{JOB}/failures", "groups"),
        (f"/jobs/{JOB}/failures?each=1", "each"),
        (f"/jobs/{JOB}/history", "events"),
        (f"/jobs/{JOB}/timeline", "stays"),
        (f"/jobs/{JOB}/changes?a=2", "items"),
        ("/jobs?stuck=1", "jobs"),
    ],
)
def test_a_table_is_csv_too(looked_at: TestClient, place: str, of: str) -> None:
    """A row for each line of the JSON, its cells the same values, in columns by name."""
    path, _, query = place.partition("?")
    data = looked_at.get(f"{path}.json?{query}").json()[of]
    answer = looked_at.get(f"{path}.csv?{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert len(rows) == len(data) > 0
    for row, line in zip(rows, data, strict=True):
        for name, cell in row.items():
            assert cell == _as_cell(line, name.split(".")), name
    page = looked_at.get(place if path != "/jobs" else f"/?{query}").text
    if of not in ("cells", "stays"):
        links = re.findall(r'href="([^"]*\.csv[^"]*)"', page)
        assert [urlsplit(link).path for link in links] == [f"{path}.csv"]


def _as_cell(line: object, path: list[str]) -> str:
    for name in path:
        line = line.get(name) if isinstance(line, dict) else None
    if line is None:
        return ""
    if isinstance(line, str):
        return line
    return json.dumps(line, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


@pytest.mark.parametrize("page", ["show", "plan", "facets"])
def test_what_is_no_table_is_no_csv(looked_at: TestClient, page: str) -> None:
    place = f"/jobs/{JOB}/{page}.csv" if page != "facets" else "/facets.csv"
    answer = looked_at.get(place)
    assert answer.status_code == 404
    assert "no table" in answer.json()["message"]


def test_csv_hides_payloads_as_pages_do_and_keeps_any_text(tmp_path: Path) -> None:
    """Commas, quotes, all breaks of lines, and columns that stay where there are no rows."""
    key = 'a,"b"\nc\rd\r\ne'
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job([key], job_id="j")
        manager.fire("j", "start_map", {"variables": {"secret": "told"}})
        client = TestClient(application(manager), base_url="http://localhost")
        assert "told" not in client.get("/jobs/j/history.csv").text
        (row,) = csv.DictReader(StringIO(client.get("/jobs/j/items.csv").text, newline=""))
        assert row["key"] == key
        none = client.get("/jobs/j/items.csv?state=done").text
        assert none == client.get("/jobs/j/items.csv").text.partition("\n")[0] + "\n"
        shown = TestClient(application(manager, payloads=True), base_url="http://localhost")
        assert "told" in shown.get("/jobs/j/history.csv").text
