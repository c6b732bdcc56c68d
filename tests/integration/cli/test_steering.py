"""Steering one job by hand: pause, resume, retry, cancel, skip; results and watching it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine

JOB = "nightly"


def state_of(store: Path, job: str = JOB) -> tuple[str, int]:
    with StateManager.open(store, read_only=True) as manager:
        state = manager.get_state(job)
    return state.phase, state.seq


@pytest.fixture
def failed(milepost: CommandLine) -> CommandLine:
    """The story's store, in which `weekly-1` has failed in setup."""
    with StateManager.open(milepost.store, clock=milepost.clock) as manager:
        manager.fire("weekly-1", "fail", {"cause": "error", "message": "no disk"})
    return milepost


@pytest.mark.parametrize("act", ["pause", "cancel"])
def test_nothing_changes_without_apply(milepost: CommandLine, store: Path, act: str) -> None:
    before = store.read_bytes()
    view = milepost.json(act, JOB)
    assert (view["applied"], view["accepted"], view["event"]) == (False, True, act)
    assert (view["before"], view["phase"], view["seq"]) == ("map", "map", 9)
    assert "nothing was changed: --apply does it" in milepost(act, JOB).stdout
    assert store.read_bytes() == before


def test_a_job_is_paused_and_goes_on(milepost: CommandLine, store: Path) -> None:
    """By the words of its lifecycle, although somebody's lease is on it."""
    paused = milepost.json("pause", JOB, "--apply")
    assert (paused["applied"], paused["before"], paused["phase"]) == (True, "map", "paused")
    again = milepost("pause", JOB, exit_code=1)
    assert "a job in paused takes no pause" in again.stdout
    milepost("pause", JOB, "--apply", exit_code=2)
    assert state_of(store) == ("paused", 10)
    resumed = milepost.json("resume", JOB, "--apply")
    assert (resumed["event"], resumed["before"], resumed["phase"]) == ("resume", "paused", "map")
    assert milepost("verify", JOB).stdout.endswith(": sound\n")


def test_a_job_that_failed_is_retried_and_not_resumed(failed: CommandLine, store: Path) -> None:
    """Each of the two names the other where that is what helps, and changes nothing."""
    refused = failed("resume", "weekly-1", "--apply", exit_code=1)
    assert "`milepost retry weekly-1` does it" in refused.stdout
    assert state_of(store, "weekly-1") == ("failed", 2)
    view = failed.json("retry", "weekly-1", "--apply")
    assert (view["event"], view["before"], view["phase"]) == ("retry", "failed", "setup")
    failed("pause", "weekly-1", "--apply")
    refused = failed("retry", "weekly-1", exit_code=1)
    assert "`milepost resume weekly-1` does it" in refused.stdout


def test_a_job_is_cancelled_for_a_reason(milepost: CommandLine, store: Path) -> None:
    """Its reason is in the history, its items are left out, and nothing comes after."""
    view = milepost.json("cancel", JOB, "--apply", "--reason", "the inputs were wrong")
    assert (view["phase"], state_of(store)) == ("cancelled", ("cancelled", 10))
    assert "reason=the inputs were wrong" in milepost("history", JOB).stdout
    progress = milepost.json("show", JOB)["progress"]
    assert (progress["pending"], progress["running"], progress["skipped"]) == (0, 0, 5)
    assert "a job in cancelled takes no cancel" in milepost("cancel", JOB, exit_code=1).stdout


def test_items_are_left_out(milepost: CommandLine, store: Path) -> None:
    """Those that are done stay; what is named is left out once."""
    view = milepost.json("skip", JOB, "--glob", "eu/[0-3]")
    assert (view["skipped"]["keys"], view["stay"], view["applied"]) == (["eu/2", "eu/3"], 2, False)
    assert "applied: they are left out" in milepost("skip", JOB, "--item", "eu/2", "--apply").stdout
    assert milepost.json("show", JOB)["progress"]["skipped"] == 1
    again = milepost("skip", JOB, "--item", "eu/2", "--apply")
    assert "nothing to change" in again.stdout
    assert state_of(store) == ("map", 10)
    assert "which items?" in milepost("skip", JOB, "--apply", exit_code=2).stderr
    assert "no item" in milepost("skip", JOB, "--item", "eu/99", exit_code=2).stderr


def test_results_are_shown(milepost: CommandLine) -> None:
    """All of them, the first of them, or one alone, as JSON."""
    view = milepost.json("results", JOB)
    assert [(one["key"], one["result"], one["seq"]) for one in view["results"]] == [
        ("eu/0", 0, 5),
        ("eu/1", 1, 5),
    ]
    assert (view["count"], view["more"]) == (2, False)
    cut = milepost("results", JOB, "--limit", "1")
    head, line = map(str.split, cut.stdout.splitlines())
    assert head == ["ITEM", "ATTEMPTS", "SEQ", "RECORDED", "RESULT"]
    assert line == ["eu/0", "1", "5", "2023-11-14T22:13:27Z", "0"]
    assert cut.stderr == "milepost: the first 1 of 2 results; --limit 0 lists all\n"
    assert milepost("results", JOB, "eu/1").stdout == "1\n"
    assert milepost.json("results", JOB, "eu/1")["results"][0]["attempts"] == 1
    assert milepost("results", "weekly-1").stderr == "milepost: no results\n"


def test_results_that_are_not_there_are_told(milepost: CommandLine) -> None:
    assert "has given no result" in milepost("results", JOB, "eu/5", exit_code=2).stderr
    assert "has given no result" in milepost("results", JOB, "--of-job", exit_code=2).stderr
    milepost("results", JOB, "eu/1", "--of-job", exit_code=2)
    milepost("results", JOB, "--infer", exit_code=2)


def test_results_go_into_tables(milepost: CommandLine, tmp_path: Path) -> None:
    """As `export` writes them."""
    lines = milepost("results", JOB, "--format", "jsonl").stdout
    assert lines == milepost("export", JOB).stdout
    assert [json.loads(line)["result"] for line in lines.splitlines()] == [0, 1]
    milepost("results", JOB, "--format", "csv", exit_code=2)
    out = tmp_path / "results.csv"
    milepost("results", JOB, "--format", "csv", "--out", str(out))
    assert out.read_text().splitlines()[1].startswith("eu/0,0,done,1,0,")


class Working(FakeClock):
    """Whenever somebody sleeps, the job goes a step further."""

    def __init__(self, now_us: int, steps: Iterator[Callable[[], object]]) -> None:
        super().__init__(now_us)
        self.steps = steps
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        next(self.steps)()


def watched(milepost: CommandLine, *, ends_by: str) -> CommandLine:
    """The command line, while `weekly-1` goes from setup to its end."""
    manager = StateManager.open(milepost.store)
    payload = {"fail": {"cause": "error", "message": "no"}}

    def steps() -> Iterator[Callable[[], object]]:
        yield lambda: manager.fire("weekly-1", "start_map")
        yield lambda: manager.record("weekly-1", [ItemEvent(k, "start") for k in "ab"])
        yield lambda: manager.record(
            "weekly-1", [ItemEvent(k, "succeed", {"result": 1}) for k in "ab"]
        )
        yield lambda: manager.fire("weekly-1", ends_by, payload.get(ends_by))
        raise AssertionError("the watch goes on after the end")

    return CommandLine(milepost.store, Working(milepost.clock.now_us(), steps()))


@pytest.mark.parametrize(
    ("ends_by", "outcome", "exit_code"), [("fail", "failed", 1), ("cancel", "cancelled", 1)]
)
def test_a_job_is_watched_until_it_ends(
    milepost: CommandLine, ends_by: str, outcome: str, exit_code: int
) -> None:
    """Lines on stderr with rate and what is held, the end on stdout, and its exit code."""
    line = watched(milepost, ends_by=ends_by)
    told = line("watch", "weekly-1", "--exit-status", "--interval", "10", exit_code=exit_code)
    assert isinstance(line.clock, Working)
    assert line.clock.slept == [10.0] * 4
    first, *_, last = told.stderr.splitlines()[1:]
    assert "nobody holds the job" in told.stderr.splitlines()[0]
    assert first.startswith("job weekly-1: setup (1 of 3)")
    assert "2 held" in told.stderr
    assert "left" in told.stderr
    assert last.startswith(f"job weekly-1: {outcome}, 2 of 2 (100%)")
    assert f"phase    {outcome}" in told.stdout


def test_a_job_that_has_ended_is_not_waited_for(failed: CommandLine) -> None:
    """And its exit code is asked for or not."""
    view = failed.json("watch", "weekly-1")
    assert (view["outcome"], view["phase"], view["seq"]) == ("failed", "failed", 2)
    failed("watch", "weekly-1", "--exit-status", exit_code=1)


def in_phase(path: Path, phase: str) -> None:
    """A store whose job `j` is in `phase`: with one item dead where it failed, else done."""
    with StateManager.open(path) as manager:
        config = {"max_attempts": 1, "max_dead": 0}
        manager.create_job(["a", "b"], job_id="j", config=config)
        if phase == "setup":
            return
        manager.fire("j", "start_map")
        if phase in ("failed", "reduce", "completed"):
            manager.record("j", [ItemEvent(key, "start") for key in "ab"])
            manager.record("j", [ItemEvent("a", "succeed", {"result": 1})])
            failed = ItemEvent("b", "fail", {"cause": "error", "message": "no"})
            done = ItemEvent("b", "succeed", {"result": 1})
            manager.record("j", [failed if phase == "failed" else done])
            if phase == "failed":
                manager.record("j", [ItemEvent("b", "give_up")])
            manager.fire("j", "finish_map")
        if phase == "completed":
            manager.fire("j", "finish_reduce", {"result": 2})
        if phase in ("paused", "cancelled"):
            manager.fire("j", phase.removesuffix("led").removesuffix("d"))


YES, NO = 0, 1
PHASES = ("setup", "map", "paused", "failed", "reduce", "completed", "cancelled")
TAKES = {
    "pause j": (YES, YES, NO, NO, YES, NO, NO),
    "resume j": (NO, NO, YES, NO, NO, NO, NO),
    "retry j": (NO, NO, NO, YES, NO, NO, NO),
    "cancel j": (YES, YES, YES, YES, YES, NO, NO),
    "skip j --item b": (NO, YES, YES, YES, NO, NO, NO),
    "redo j": (YES, YES, YES, YES, YES, NO, YES),  # nothing is done: nothing to refuse
    "requeue j": (YES, YES, YES, YES, YES, YES, YES),  # nothing is dead, but where it is taken
    "allow-dead j 1": (YES, YES, YES, YES, YES, NO, NO),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("command", TAKES)
def test_the_exit_code_says_whether_the_job_takes_it(
    tmp_path: Path, command: str, phase: str
) -> None:
    """1 without --apply where it does not, of every command; with it a refusal, and no change."""
    path = tmp_path / "jobs.db"
    in_phase(path, phase)
    line = CommandLine(path, FakeClock())
    takes = TAKES[command][PHASES.index(phase)]
    assert state_of(path, "j")[0] == phase
    line(*command.split(), exit_code=takes)
    line(*command.split(), "--json", exit_code=takes)
    if takes == NO:
        before = state_of(path, "j")
        names_another = command in ("resume j", "retry j") and phase in ("paused", "failed")
        answered = names_another or command.startswith("skip")
        line(*command.split(), "--apply", exit_code=1 if answered else 2)
        assert state_of(path, "j") == before


def test_what_leads_to_where_items_are_redone_is_said_before(tmp_path: Path) -> None:
    """The commands themselves, with the commit before the end."""
    path = tmp_path / "jobs.db"
    in_phase(path, "completed")
    line = CommandLine(path, FakeClock())
    told = line("redo", "j", exit_code=1).stdout
    assert "a job in completed takes no item back: `milepost rewind j 6 --apply`" in told
    assert "`milepost fork j 6 NEW_ID --apply` makes a new job" in told
    assert line.json("redo", "j", exit_code=1)["before"] == 6
    refused = line("redo", "j", "--apply", exit_code=2).stderr
    assert "`milepost rewind j 6 --apply` goes back to the commit before the end" in refused
    line("rewind", "j", "6", "--apply")
    line("redo", "j")


def test_a_run_takes_a_failed_job_up_whose_items_were_left_out(tmp_path: Path) -> None:
    """As it is said where they go back, or are allowed to be dead."""
    for arguments in ("skip j --item b", "requeue j", "allow-dead j 1"):
        path = tmp_path / f"{arguments}.db"
        in_phase(path, "failed")
        told = CommandLine(path, FakeClock())(*arguments.split(), "--apply").stdout
        assert "recover, or a run, takes the job up again" in told
