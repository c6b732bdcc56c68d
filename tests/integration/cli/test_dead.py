"""The dead letter queue on the command line: list, show, export, requeue."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from milepost import StateManager
from tests.integration.cli.conftest import CommandLine


def test_dead_lists_shows_and_exports(milepost: CommandLine, tmp_path: Path) -> None:
    """All of it, one of it, or all of it into a file."""
    (letter,) = milepost.json("dead", "nightly")["letters"]
    assert (letter["key"], letter["value"], len(letter["failures"])) == ("eu/2", {"n": 2}, 2)
    assert (
        "no such dead letter; there is 1 in all"
        in milepost("dead", "nightly", "--cause", "error").stderr
    )
    assert "no answer in 30 s" in milepost("dead", "nightly", "eu/2").stdout
    assert "no such dead letter" in milepost("dead", "nightly", "eu/3").stderr
    assert "no item of key 'eu/99'" in milepost("dead", "nightly", "eu/99", exit_code=2).stderr
    path = tmp_path / "dead.jsonl"
    told = milepost("dead", "nightly", "--export", str(path))
    assert (told.stdout, told.stderr) == (
        "",
        "milepost: exported 1 dead letter of nightly\n",
    )
    (line,) = path.read_text().splitlines()
    entry = json.loads(line)
    assert sorted(entry) == ["failures", "key", "value"]
    assert entry["failures"][1]["cause"] == "timeout"
    assert milepost("dead", "nightly", "--export", "-").stdout == path.read_text()


def test_requeue_shows_then_applies(milepost: CommandLine, store: Path) -> None:
    """Without --apply nothing is changed; with it, even while an executor holds the job."""
    before = store.read_bytes()
    planned = milepost.json("requeue", "nightly", "--glob", "eu/*")
    assert (planned["applied"], planned["requeued"]["keys"], planned["left"]) == (
        False,
        ["eu/2"],
        0,
    )
    assert store.read_bytes() == before
    nothing = milepost("requeue", "nightly", "--cause", "error", "--apply").stdout
    assert nothing.endswith("nothing to change\n")
    applied = milepost.json("requeue", "nightly", "--apply")
    assert (applied["applied"], applied["seq"], applied["left"]) == (True, 10, 0)
    assert "dead" not in milepost("plan", "nightly").stdout.split("PART")[1].split()


def test_a_job_that_takes_none_back_says_so_beforehand(milepost: CommandLine, store: Path) -> None:
    """A refusal that is known is told in the plan."""
    with StateManager.open(store, clock=milepost.clock) as manager:
        manager.fire("nightly", "pause", operator=True)
    shown = milepost("requeue", "nightly", exit_code=1).stdout
    assert "a job in paused takes no item back" in shown
    assert "accepts no such event" in milepost("requeue", "nightly", "--apply", exit_code=2).stderr


def test_plan_and_recover_take_scopes(milepost: CommandLine) -> None:
    """The options make one scope; those that do not fit together are trouble."""
    plan = milepost.json("plan", "nightly", "--failed", "--attempts-below", "2", "--item", "eu/3")
    assert plan["item_events"] == {"retry": 1}
    assert plan["scope"] == "failed or dead; key eu/3; fewer than 2 attempts"
    assert [part["count"] for part in plan["parts"] if part["name"] == "outside"] == [7]
    ranged = milepost.json("plan", "nightly", "--range", "2..3", "--ordinal", "3")
    assert [part["keys"] for part in ranged["parts"] if part["name"] == "retriable"] == [["eu/3"]]
    exact = milepost.json("plan", "nightly", "--from-checkpoint", "5", "--exactly")
    assert exact["rewinds_to"] == 5
    forward = milepost.json("plan", "nightly", "--from-checkpoint", "5")
    assert forward["rewinds_to"] is None
    again = milepost.json("recover", "nightly", "--phase", "map", "--apply")
    assert (again["phase"], again["plan"]["undone"]["count"]) == ("map", 2)
    for wrong in (
        ["--phase", "map", "--failed"],
        ["--exactly"],
        ["--range", "3"],
        ["--range", "3..2"],
        ["--phase", "reduce"],
    ):
        assert milepost("plan", "nightly", *wrong, exit_code=2).stderr


def test_failures_are_listed_in_groups_or_one_by_one(milepost: CommandLine) -> None:
    """Groups are of all, single ones the newest; what is chosen is chosen for both."""
    whole = milepost.json("failures", "nightly")
    assert [(one["cause"], one["count"], one["items"]) for one in whole["groups"]] == [
        ("timeout", 2, 2),
        ("error", 1, 1),
    ]
    assert "each" not in whole
    one = milepost("failures", "nightly", "--each", "--limit", "1")
    assert "eu/3" in one.stdout
    assert "eu/2" not in one.stdout
    assert "the newest 1 of 3 failures" in one.stderr
    chosen = milepost.json("failures", "nightly", "--each", "--item", "eu/2")
    assert (chosen["count"], [each["seq"] for each in chosen["each"]]) == (3 - 1, [5, 7])
    assert "no failures" in milepost("failures", "weekly-1").stderr
    escaped = milepost("failures", "nightly", "--details").stdout
    assert "\\x1b[31mred" in escaped
    assert "\x1b" not in escaped


def test_show_says_what_to_do_about_dead_letters(milepost: CommandLine, store: Path) -> None:
    """How many the job may complete with, and the commands; nothing once there are none."""
    shown = milepost.json("show", "nightly")
    assert (shown["progress"]["dead"], shown["dead_allowed"]) == (1, 0)
    assert "1 dead, 0 allowed" in milepost("show", "nightly").stdout
    commands = [step["command"] for step in shown["next_steps"]]
    assert commands == [
        "milepost dead nightly --details",
        "milepost requeue nightly --apply",
        "milepost allow-dead nightly 1 --apply",
    ]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "milepost"
        milepost(*arguments)
    assert milepost.json("show", "nightly")["next_steps"] == []


@pytest.mark.parametrize("most", [0, 1, 7])
def test_how_many_may_be_dead_is_asked_of_the_lifecycle(
    milepost: CommandLine, store: Path, most: int
) -> None:
    """The guards decide, whatever they read; where they allow any number there is no bound."""
    with StateManager.open(store, clock=milepost.clock) as manager:
        manager.create_job(list("abcdefg"), job_id="few", config={"max_dead": most})
    assert milepost.json("show", "few")["dead_allowed"] == (None if most == 7 else most)
