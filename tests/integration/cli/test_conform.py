"""`milepost conform`: exit 0 if logs are as a definition says, 1 if one departs, else 2."""

from __future__ import annotations

import random
import re
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from milepost import StateManager
from milepost.cli import main
from milepost.lifecycles import mapreduce
from milepost.testing import FakeClock
from milepost.testing.definition import Definition
from milepost.testing.lifecycle.values import beginnings, created_with
from tests.contract.lifecycles.compiling import at_once
from tests.contract.lifecycles.texts import TEXTS
from tests.integration.cli import old_home
from tests.integration.cli.conftest import CommandLine
from tests.integration.cli.story import JOB, tell_on_a_server
from tests.integration.cli.test_verify import damage
from tests.postgres import needs_postgres, new_url
from tests.stores.make import store_of

ROOT: Final = Path(__file__).parents[3]
NOW: Final = str(ROOT / "statemachine.yaml")
BEFORE: Final = tuple(str(ROOT / "lifecycles" / f"mapreduce-{n}.yaml") for n in (1, 2))
EVERY: Final = tuple(arg for file in (NOW, *BEFORE) for arg in ("--definition", file))


def edited(folder: Path, old: str, new: str) -> str:
    """The built-in definition with one edit, as a file."""
    text = Path(NOW).read_text(encoding="utf-8")
    assert old in text
    file = folder / "edited.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return str(file)


def test_what_was_written_by_a_definition_conforms(milepost: CommandLine) -> None:
    """Every job; one by a beginning of its id; in JSON."""
    page = milepost("conform", "--definition", NOW).stdout
    assert page.endswith(": conforms\n")
    answer = milepost.json("conform", "night", "--definition", NOW)
    (job,) = answer["jobs"]
    assert answer["conforms"]
    assert (answer["verdict"], job["job"], job["verdict"]) == ("conforms", JOB, "conforms")
    assert (job["commits"], job["items"], job["by_tables"]) == (9, 8, True)
    assert answer["definitions"] == [{"file": NOW, "lifecycle": "mapreduce", "version": 3}]
    assert len(milepost.json("conform", JOB, "weekly-1", "--definition", NOW)["jobs"]) == 2


def test_a_departure_is_told_with_all_that_is_known(milepost: CommandLine, tmp_path: Path) -> None:
    """The commit, the fact, who, where, what is allowed, which guard said no, with its values."""
    file = edited(tmp_path, "attempts_left: attempts <", "attempts_left: attempts + 1 <")
    answer = milepost.json("conform", "--definition", file, exit_code=1)
    (job,) = (one for one in answer["jobs"] if one["verdict"] != "conforms")
    told = job["departure"]
    assert (answer["conforms"], job["conforms"], job["job"]) == (False, False, JOB)
    assert (told["seq"], told["fence"], told["owner"]) == (7, 1, "worker-1")
    assert (told["fact"], told["subject"], told["state"]) == (
        "items 'retry'",
        "item 'eu/2'",
        "failed",
    )
    assert (told["allowed"], told["by_payload"]) == (["give_up", "skip"], [])
    (guard,) = told["guards"]
    assert guard["row"] == "failed.retry"
    assert guard["values"]["attempts"] == 1
    page = milepost("conform", JOB, "--definition", file, exit_code=1).stdout
    for said in ("DEPARTS", "commit 7, 2023-", "by worker-1 (fence 1)", "  give_up, skip\n"):
        assert said in page


def test_a_value_that_differs_is_told_with_who_set_it(
    milepost: CommandLine, tmp_path: Path
) -> None:
    """Here a checkpoint has another one; the tables would say so too, later."""
    file = edited(
        tmp_path, "set: {suspect: false, permanent: event.permanent}", "set: {permanent: true}"
    )
    told = milepost.json("conform", JOB, "--definition", file, exit_code=1)["jobs"][0]["departure"]
    (value,) = told["values"]
    assert value == {
        "name": "permanent",
        "defined": True,
        "found": False,
        "seq": 5,
        "row": "running.fail",
        "text": "true",
    }
    assert told["kind"] == "checkpoint"


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_stores_of_every_format_conform(
    version: int, milepost: CommandLine, tmp_path: Path
) -> None:
    """By the definitions of their time; without these nobody can tell."""
    store = shutil.copy(store_of(version), tmp_path / "old.db")
    there = CommandLine(Path(store), milepost.clock)
    answer = there.json("conform", *EVERY)
    assert answer["conforms"]
    assert {job["by_tables"] for job in answer["jobs"]} == {True}
    none = there.json(
        "conform", "--definition", str(ROOT / "examples/orders/orders.yaml"), exit_code=2
    )
    assert {job["verdict"] for job in none["jobs"]} == {"cannot tell"}
    assert none["conforms"] is None
    assert "whose definition was not given" in none["jobs"][0]["untold"]


def test_a_job_that_changed_its_version_is_held_against_both(
    milepost: CommandLine, tmp_path: Path
) -> None:
    """The change too, by what the later definition says; without the earlier, from there on."""
    store = Path(shutil.copy(store_of(1), tmp_path / "old.db"))
    there = CommandLine(store, milepost.clock)
    with StateManager.open(store, clock=milepost.clock) as manager:
        manager.fire("left", "pause")
    assert there.json("conform", "left", *EVERY)["conforms"]
    alone = there.json("conform", "left", "--definition", NOW, exit_code=2)["jobs"][0]
    assert (alone["verdict"], alone["steps"]) == ("cannot tell", 1)
    assert "from commit 1 on it ran by mapreduce 1" in alone["untold"]
    file = edited(
        tmp_path, "suspect: false, crashes: 0, permanent", "suspect: true, crashes: 0, permanent"
    )
    told = there.json(
        *("conform", "left", "--definition", file),
        *("--definition", BEFORE[0]),
        exit_code=1,
    )["jobs"][0]["departure"]
    assert (told["kind"], told["fact"], told["values"][0]["name"]) == (
        "migration",
        "migrated",
        "suspect",
    )


def test_logs_that_came_another_way_conform(milepost: CommandLine, tmp_path: Path) -> None:
    """Forked, gone back, imported from another tool, from a file, moved, compacted."""
    milepost("fork", JOB, "5", "again", "--apply")
    milepost("rewind", JOB, "6", "--apply")
    old_home.leave(tmp_path)
    milepost("import", "prodigy", str(tmp_path / "prodigy"), exit_code=1)
    milepost("recover", "mapreduce-20230301_120000", "--apply")
    milepost("cancel", "again", "--apply")
    milepost("compact", "--all", "--apply")
    jobs = milepost.json("conform", "--definition", NOW)["jobs"]
    assert len(jobs) == 5
    file = tmp_path / "log.jsonl"
    milepost("export", JOB, "--log", "--out", str(file))
    scratch = CommandLine(tmp_path / "scratch.db", milepost.clock)
    scratch("import", "log", str(file))
    assert scratch.json("conform", "--definition", NOW)["conforms"]
    milepost("move", str(milepost.store), str(tmp_path / "moved.db"), "--apply", exit_code=0)
    moved = CommandLine(tmp_path / "moved.db", milepost.clock)
    assert len(moved.json("conform", "--definition", NOW)["jobs"]) == 5


def test_a_log_that_cannot_be_read_cannot_be_told_of(milepost: CommandLine) -> None:
    """Up to there nothing departs; what is damaged is for `verify` to say."""
    damage(milepost.store, "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq = 7")
    job = milepost.json("conform", JOB, "--definition", NOW, exit_code=2)["jobs"][0]
    assert (job["verdict"], job["commits"]) == ("cannot tell", 6)
    assert job["untold"].startswith("commit 7 cannot be read: its digest does not follow")


def test_definitions_of_the_project_are_taken(
    milepost: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the nearest pyproject.toml lists, with their earlier versions."""
    monkeypatch.chdir(tmp_path)
    told = milepost("conform", exit_code=2)
    assert "which definition? Name its file with --definition." in told.stderr
    entry = f'{{ source = "{NOW}", earlier = ["{BEFORE[0]}"] }}'
    (tmp_path / "pyproject.toml").write_text(f"[tool.milepost]\nlifecycles = [{entry}]\n")
    answer = milepost.json("conform")
    assert [one["version"] for one in answer["definitions"]] == [1, 3]
    (tmp_path / "pyproject.toml").write_text("[tool.milepost]\nlifecycles = 7\n")
    milepost("conform", exit_code=2)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--definition", "nowhere.yaml"), "nowhere.yaml: no such file or directory"),
        (
            ("--definition", NOW, "--definition", f"{ROOT}/docs/../statemachine.yaml"),
            "are both of mapreduce 3",
        ),
        (("nine", "--definition", NOW), "no job 'nine' in "),
        (("weekly", "--definition", NOW), "2 jobs begin with 'weekly'"),
    ],
)
def test_what_cannot_be_done_is_said(
    args: tuple[str, ...], said: str, milepost: CommandLine
) -> None:
    assert said in milepost("conform", *args, exit_code=2).stderr


def test_a_file_that_is_no_definition_is_said_to_be_none(
    milepost: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text("lifecycle: odd\nversion: 1\nmachines: {job: {}}\n")
    told = milepost("conform", "--definition", str(file), exit_code=2).stderr
    assert "it is no definition" in told


def test_a_generated_module_is_said_to_be_none(milepost: CommandLine) -> None:
    """A reader of YAML would object to its second line."""
    told = milepost("conform", "--definition", mapreduce.__file__, exit_code=2).stderr
    problem = "it is a Python module: give the YAML file that it was compiled from"
    assert f"{mapreduce.__file__}: {problem}" in told


def test_the_extra_that_is_missing_is_named(
    milepost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    told = milepost("conform", "--definition", NOW, exit_code=2).stderr
    assert "milepost[compile]" in told
    assert "PyYAML" in told


def test_an_edited_target_is_told_with_its_item(milepost: CommandLine, tmp_path: Path) -> None:
    """What the row counts otherwise is of somebody."""
    file = edited(tmp_path, "on: succeed, to: done,", "on: succeed, to: skipped,")
    told = milepost.json("conform", JOB, "--definition", file, exit_code=1)["jobs"][0]["departure"]
    assert (told["kind"], told["subject"], told["state"]) == (
        "tally",
        "item 'eu/0' and 1 more",
        "skipped",
    )


def test_a_wrong_target_is_told_with_the_step_that_led_there(
    milepost: CommandLine, tmp_path: Path
) -> None:
    """The event, the row that takes it, the state before and the one after."""
    file = edited(tmp_path, "on: start_map, to: map}", "on: start_map, to: reduce}")
    told = milepost.json("conform", JOB, "--definition", file, exit_code=1)["jobs"][0]["departure"]
    assert told["kind"] == "tally"
    assert told["steps"] == [
        {"event": "start_map", "row": "setup.start_map", "source": "setup", "target": "reduce"}
    ]
    page = milepost("conform", JOB, "--definition", file, exit_code=1).stdout
    assert "'start_map' by setup.start_map, from 'setup' to 'reduce'\n" in page


def test_events_that_only_some_payload_lets_come_are_told_apart(
    milepost: CommandLine, tmp_path: Path
) -> None:
    """Here a failure that may be permanent, beside what comes whatever it carries."""
    file = edited(
        tmp_path,
        "      - {from: running, on: succeed, to: done,",
        "      - {from: pending, on: succeed, to: done,",
    )
    text = Path(file).read_text(encoding="utf-8")
    old = "{from: running, on: fail, to: failed,"
    assert old in text
    Path(file).write_text(text.replace(old, f"{old} when: not event.permanent,"), encoding="utf-8")
    told = milepost.json("conform", JOB, "--definition", file, exit_code=1)["jobs"][0]["departure"]
    assert told["fact"] == "items 'succeed'"
    assert told["by_payload"] == ["fail"]
    assert not {"fail", "succeed"}.intersection(told["allowed"])
    page = milepost("conform", JOB, "--definition", file, exit_code=1).stdout
    assert "by payload       fail\n" in page


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "lifecycle: mapreduce",
            "lifecycle: [",
            "it cannot be read: while parsing a flow sequence",
        ),
        ("    initial: pending", "    initail: pending", "did you mean 'initial'?"),
        ("{from: reduce, on: reopen,", "{from: reduce, on: reopn,", "did you mean 'reopen'?"),
        ("on: give_up, to: dead", "on: give_up, to: ded", "did you mean 'dead'?"),
        (
            "      reopen: reopen",
            "      outcomes: {completed: completed}",
            "unknown outcome 'comple",
        ),
    ],
)
def test_what_is_misspelt_is_told_with_its_line(
    old: str, new: str, said: str, milepost: CommandLine, tmp_path: Path
) -> None:
    file = edited(tmp_path, old, new)
    told = milepost("conform", "--definition", file, exit_code=2).stderr
    assert re.match(rf"milepost: {re.escape(file)}:\d+: ", told)
    assert said in told
    assert "unicode string" not in told


def test_a_name_that_there_is_not_is_said_to_be_none(milepost: CommandLine, tmp_path: Path) -> None:
    """In words of the language, and no job is looked at."""
    file = edited(tmp_path, "attempts_left: attempts <", "attempts_left: attemps <")
    told = milepost("conform", "--definition", file, exit_code=2).stderr
    old = "attempts_left: attempts <"
    text = Path(NOW).read_text(encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    assert f"{file}:{line}: machine 'item': guard 'attempts_left': 'attemps <" in told
    assert "there is no 'attemps' that can be read there (there are: attempts, " in told
    assert told.endswith(": did you mean 'attempts'?\n")


def test_tables_that_are_not_at_hand_are_asked_for(milepost: CommandLine, tmp_path: Path) -> None:
    """The definition is enough to tell; the option that names the tables is said beside it."""
    text = TEXTS["ticket"]
    file = tmp_path / "ticket.yaml"
    file.write_text(text, encoding="utf-8")
    store = tmp_path / "ticket.db"
    begun = created_with(beginnings(Definition.read(file), random.Random(1)))  # noqa: S311
    with StateManager.open(store, lifecycle=at_once(text), clock=milepost.clock) as manager:
        manager.create_job(job_id="first", **begun)
    there = CommandLine(store, milepost.clock)
    told = there("conform", "--definition", str(file)).stdout
    assert "not at hand: name their module as --lifecycle MODULE" in " ".join(told.split())


@needs_postgres
def test_a_store_on_a_server_conforms(postgres: str, clock: FakeClock) -> None:
    url = tell_on_a_server(new_url(postgres), clock)
    environment: dict[str, Any] = {"MILEPOST_DB": url}
    done = CliRunner().invoke(main, ["conform", "--definition", NOW], obj=clock, env=environment)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(": conforms\n")
