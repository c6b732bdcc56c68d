"""`milepost history --follow`: events as lines of JSON, until the job has ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from milepost import ItemEvent, StateManager
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine

JOB = "weekly-1"
Step = Callable[[], object]


class Working(FakeClock):
    """Whoever sleeps by it sees the next step of somebody else's work."""

    def __init__(self, at_us: int, steps: Iterator[Step]) -> None:
        super().__init__(at_us)
        self.steps = steps

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        next(self.steps)()


@pytest.fixture
def manager(milepost: CommandLine) -> Iterator[StateManager]:
    with StateManager.open(milepost.store) as manager:
        yield manager


def beside(milepost: CommandLine, *steps: Step) -> CommandLine:
    """The command line while somebody else takes these steps."""
    return CommandLine(milepost.store, Working(milepost.clock.now_us(), iter(steps)))


def whole(manager: StateManager) -> list[Step]:
    """A job from setup to its end, with one moment in which nothing happens."""
    started = [ItemEvent(key, "start") for key in "ab"]
    ended = [ItemEvent("a", "succeed", {"result": 1}), ItemEvent("b", "release")]
    return [
        lambda: manager.fire(JOB, "start_map"),
        lambda: manager.record(JOB, started),
        lambda: None,
        lambda: manager.record(JOB, ended),
        lambda: manager.fire(JOB, "cancel"),
    ]


def lines(told: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.splitlines()]


def test_events_come_until_the_job_has_ended(milepost: CommandLine, manager: StateManager) -> None:
    """Each a line, named by its commit and its place in it, and the same as in the history."""
    line = beside(milepost, *whole(manager))
    found = lines(line("history", JOB, "--follow", "--interval", "5").stdout)
    assert [(one["seq"], one["index"], one["event"]) for one in found] == [
        (1, 0, "created"),
        (2, 0, "start_map"),
        (3, 0, "start"),
        (4, 0, "succeed"),
        (4, 1, "release"),
        (5, 0, "cancel"),
    ]
    assert {(one.pop("schema"), one.pop("job")) for one in found} == {("milepost.event/1", JOB)}
    assert found == milepost.json("history", JOB)["events"]


def test_a_reader_goes_on_from_a_number(milepost: CommandLine, manager: StateManager) -> None:
    """Whoever has read commit 3 gets what comes after it, each event once."""
    line = beside(milepost, *whole(manager))
    first = lines(line("history", JOB, "--follow").stdout)
    rest = lines(milepost("history", JOB, "--follow", "--after", "3").stdout)
    assert rest == [one for one in first if one["seq"] > 3] != []
    assert milepost("history", JOB, "--follow", "--after", "5").stdout == ""


def test_what_is_not_asked_for_is_left_out(milepost: CommandLine, manager: StateManager) -> None:
    """The options that choose events hold for those that come, and an index stays what it is."""
    line = beside(milepost, *whole(manager))
    told = line("history", JOB, "--follow", "--item", "b", "--grep", "rel|start$").stdout
    found = [(one["event"], one["index"], one["keys"]) for one in lines(told)]
    assert found == [("start", 0, ["b"]), ("release", 1, ["b"])]


def test_what_was_said_of_a_failure(milepost: CommandLine, manager: StateManager) -> None:
    """It is on the line, of the item that was asked for, bounded, and can be searched."""
    start, record, *_, cancel = whole(manager)
    said = {"a": "no answer", "b": "HTTP 500 " + "x" * 500}

    def fail() -> None:
        failed = [
            ItemEvent(key, "fail", {"cause": "error", "message": message})
            for key, message in said.items()
        ]
        manager.record(JOB, failed)

    line = beside(milepost, start, record, fail, cancel)
    (found,) = lines(line("history", JOB, "--follow", "--grep", "HTTP 5").stdout)
    assert (found["event"], found["count"]) == ("fail", 2)
    assert found["message"].startswith("HTTP 500 x")
    assert found["message"].endswith(" characters more)")
    assert len(found["message"]) < 300
    first = milepost.json("history", JOB, "--event", "fail")["events"][0]
    assert first["message"] == "no answer"
    of_b = milepost.json("history", JOB, "--event", "fail", "--item", "b")["events"][0]
    assert of_b["message"] == found["message"]
    assert milepost.json("history", JOB, "--item", "a", "--grep", "HTTP")["events"] == []


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--upto", "3"), "--follow has no end: leave --upto out"),
        (("--limit", "3"), "--follow has no end: leave --limit out"),
        (("--event", "cancle"), "did you mean cancel"),
        (("--item", "z"), "no item 'z'"),
        (("--interval", "0"), "0.1<=x<=3600"),
    ],
)
def test_what_makes_no_sense_is_refused(
    args: tuple[str, ...], problem: str, milepost: CommandLine
) -> None:
    """At once: a name that there is not would be waited for for ever."""
    assert problem in milepost("history", JOB, "--follow", *args, exit_code=2).stderr


def test_a_job_that_is_deleted_meanwhile(milepost: CommandLine, manager: StateManager) -> None:
    """The follower says so, also where another job has its id by then."""

    def replace() -> None:
        delete()
        manager.create_job(["c"], job_id=JOB)

    def delete() -> None:
        milepost("cancel", JOB, "--apply")
        milepost("delete", JOB, "--apply")

    told = beside(milepost, replace)("history", JOB, "--follow", exit_code=2)
    assert "another has its id" in told.stderr
    told = beside(milepost, delete)("history", JOB, "--follow", exit_code=2)
    assert f"no job '{JOB}'" in told.stderr


def test_a_reader_that_has_gone_ends_it(milepost: CommandLine) -> None:
    """It does not stay for a job that goes on: no message, and the exit code of the answer."""
    command = [sys.executable, "-m", "milepost", "history", "nightly", "--follow"]
    with subprocess.Popen(
        [*command, "--db", str(milepost.store), "--interval", "0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["seq"] == 1
        process.stdout.close()
        with StateManager.open(milepost.store) as manager:
            manager.fire("nightly", "set_variables", {"variables": {"x": 1}}, operator=True)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
