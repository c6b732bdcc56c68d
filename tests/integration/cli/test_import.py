"""`milepost import`: what it says, what it writes, and with which code it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from milepost import StateManager
from milepost.cli import main
from tests.integration.cli import old_home
from tests.integration.cli.conftest import CommandLine
from tests.integration.cli.old_home import HALF_DONE, TORN
from tests.integration.legacy.curator.folders import SAMPLE, SAMPLE_JOB


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return old_home.leave(tmp_path)


def test_a_dry_run_says_what_would_be_and_writes_nothing(milepost: CommandLine, home: Path) -> None:
    """Also where there is no store yet; then there is none afterwards."""
    before = milepost.store.read_bytes()
    answer = milepost.json("import", "prodigy", str(home), "--dry-run", exit_code=1)
    assert (answer["dry_run"], answer["whole"]) == (True, False)
    outcomes = {job["job"]: (job["outcome"], job["phase"]) for job in answer["jobs"]}
    assert outcomes == {HALF_DONE: ("would-import", "map"), TORN: ("failed", "")}
    assert milepost.store.read_bytes() == before
    elsewhere = milepost.store.with_name("none.db")
    milepost("import", "prodigy", str(home), "--dry-run", "--db", str(elsewhere), exit_code=1)
    assert not elsewhere.exists()


def test_it_imports_and_importing_again_changes_nothing(milepost: CommandLine, home: Path) -> None:
    args = ("import", "prodigy", str(home), "--job", HALF_DONE)
    [first] = milepost.json(*args)["jobs"]
    assert (first["outcome"], first["problem"]) == ("imported", "")
    assert first["progress"]["done"] == 2
    with StateManager.open(milepost.store, read_only=True) as manager:
        state = manager.get_state(HALF_DONE)
        assert manager.verify(HALF_DONE)[0].sound
    [again] = milepost.json(*args)["jobs"]
    assert again["outcome"] == "already-imported"
    with StateManager.open(milepost.store, read_only=True) as manager:
        assert manager.get_state(HALF_DONE) == state


def test_it_makes_the_store(milepost: CommandLine, home: Path) -> None:
    store = milepost.store.with_name("fresh.db")
    result = milepost("import", "prodigy", str(home), "--db", str(store), exit_code=1)
    assert "nothing of the old job can be read" in result.stdout
    with StateManager.open(store, create=False) as manager:
        assert manager.job_ids() == [HALF_DONE]


def test_where_no_job_can_be_made_no_store_is(milepost: CommandLine, home: Path) -> None:
    """It is told as of a store that is there."""
    args = ("import", "prodigy", str(home), "--job", TORN)
    fresh = CommandLine(milepost.store.with_name("fresh.db"), milepost.clock)
    told = fresh.json(*args, exit_code=1)
    assert told["jobs"] == milepost.json(*args, exit_code=1)["jobs"]
    assert not fresh.store.exists()


def test_notes_are_shown_if_asked_for(milepost: CommandLine, home: Path) -> None:
    args = ("import", "prodigy", str(home), "--dry-run", "--job", HALF_DONE)
    assert " chosen " not in milepost(*args).stdout
    assert " chosen " in milepost(*args, "--notes").stdout


def test_the_history_says_where_a_job_is_from(milepost: CommandLine, home: Path) -> None:
    """Where from, when, and all that was reported, for as long as there is the job."""
    milepost("import", "prodigy", str(home), "--job", HALF_DONE)
    events = milepost.json("history", HALF_DONE)["events"]
    [told] = [event for event in events if event["kind"] == "imported"]
    assert told["payload"]["tool"] == "prodigy"
    assert told["payload"]["source"].endswith("checkpoint-v1.json")
    assert told["payload"]["imported_at"].startswith("2023-11-14T")
    assert told["payload"]["report"][0]["code"] == "chosen"
    assert told["at"] == "2023-03-01T12:00:00Z"


def fails(milepost: CommandLine, *args: str) -> Result:
    env = {"MILEPOST_DB": str(milepost.store)}
    result = CliRunner().invoke(main, args, obj=milepost.clock, env=env)
    assert result.exit_code == 2
    return result


def test_what_is_not_there_is_trouble(milepost: CommandLine, home: Path) -> None:
    for args, said in (
        (("import", "prodigy", str(home / "no")), "no such directory to import from"),
        (("import", "prodigy", str(home), "--job", "other"), "no job 'other' in"),
        (("import", "prodigy", str(home), "--repo", "other"), "has no job of a repo 'other'"),
        (("import", "luigi", str(home)), "'luigi' is not one of 'curator', 'prodigy', 'log'"),
    ):
        assert said in fails(milepost, *args).stderr


def test_an_empty_home_is_no_loss(milepost: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = milepost("import", "prodigy", str(tmp_path / "empty"))
    assert "there are no jobs of prodigy in it" in result.stdout
    assert result.stdout.startswith("tool  prodigy\n")


def test_no_path_is_no_folder(milepost: CommandLine) -> None:
    """A variable of a shell that is not set is not the folder that one stands in."""
    for what in (("",), ("prodigy", ""), ("log", "")):
        assert "PATH is empty" in fails(milepost, "import", *what).stderr


def test_the_tool_is_told_by_what_is_there(milepost: CommandLine, tmp_path: Path) -> None:
    """And said; where nothing shows it, what to do is."""
    told = milepost("import", str(SAMPLE), "--dry-run", exit_code=1)
    assert "this is taken for a folder of curator" in told.stderr
    answer = milepost.json("import", "curator", str(SAMPLE), exit_code=1)
    assert (answer["tool"], [job["job"] for job in answer["jobs"]]) == ("curator", [SAMPLE_JOB])
    [found] = [line for line in answer["jobs"][0]["report"] if line["severity"] == "loss"]
    assert found["code"] == "value-not-json"
    (tmp_path / "empty").mkdir()
    said = fails(milepost, "import", str(tmp_path / "empty")).stderr
    assert "does not show which tool left it: name one of curator, prodigy" in said
    assert "not 3" in fails(milepost, "import", "curator", "a", "b").stderr
