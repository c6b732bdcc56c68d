"""Who drives a job, as commands that watch and steer it say: nobody, once its holder has died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.process.identity import Process, SystemProcesses
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine


class Elsewhere:
    """The process of a holder, which the machine's own table says has ended."""

    host = "here"

    def this(self) -> Process | None:
        here = SystemProcesses().this()
        return None if here is None else replace(here, started=here.started - 1)

    def is_gone(self, process: Process) -> bool:
        del process
        return False


class Turns(FakeClock):
    """Whenever somebody sleeps, the next thing happens; the watch must end with the last."""

    def __init__(self, turns: Callable[[FakeClock], Iterator[object]]) -> None:
        super().__init__()
        self.turns = turns(self)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        next(self.turns)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with StateManager.open(path, clock=FakeClock()) as manager:
        manager.create_job(["a", "b"], job_id="j")
        manager.fire("j", "start_map")
    return path


def watching(path: Path, turns: Callable[[FakeClock], Iterator[object]]) -> CommandLine:
    return CommandLine(path, Turns(turns))


def told_of(stderr: str) -> list[str]:
    """What the watch says beside how far the job is."""
    return [line for line in stderr.splitlines() if line.startswith("milepost: ")]


@pytest.mark.parametrize("command", [["watch", "j"], ["history", "j", "--follow"]])
def test_it_is_told_once_that_the_holder_died_and_who_came(path: Path, command: list[str]) -> None:
    """Its process is gone; then another takes the job up and ends it."""
    with ExitStack() as stack:

        def turns(clock: FakeClock) -> Iterator[object]:
            killed = StateManager(open_store(path), clock=clock, processes=Elsewhere())
            stack.callback(killed.close)
            stack.enter_context(killed.lease("j", "worker-1", renewed=False))
            yield "taken"
            yield "seen to be gone"
            yield "still so"
            other = stack.enter_context(StateManager.open(path, clock=clock))
            lease = stack.enter_context(other.lease("j", "worker-2", renewed=False))
            yield "taken up"
            yield "still held"
            yield other.fire("j", "cancel", lease=lease)
            raise AssertionError("the watch goes on after the end")

        told = watching(path, turns)(*command)
    nobody, gone, came = told_of(told.stderr)
    assert nobody == "milepost: nobody holds the job: a run takes it up"
    assert gone.startswith(
        "milepost: nobody drives the job: the process of worker-1 is gone, its last commit is of 20"
    )
    assert gone.endswith("; run it again; Ctrl-C ends the watch")
    assert came == "milepost: worker-2 drives the job now"
    last = told.stdout.splitlines()[-1]
    assert '"event":"cancel"' in last or "phase    cancelled\n" in told.stdout


def test_it_is_told_that_a_lease_ran_out_or_was_given_back(path: Path) -> None:
    """Each once; a holder that renews, or follows another without a break, is not told of."""
    with ExitStack() as stack:

        def turns(clock: FakeClock) -> Iterator[object]:
            manager = stack.enter_context(StateManager.open(path, clock=clock))
            with manager.lease("j", "worker-1", 30, renewed=False):
                yield "held"
                yield "still held"
            yield "given back"
            yield "still so"
            stack.enter_context(manager.lease("j", "worker-2", 30, renewed=False))
            yield "held"
            clock.advance(60)
            yield "lapsed"
            yield manager.fire("j", "cancel", operator=True)
            raise AssertionError("the watch goes on after the end")

        told = watching(path, turns)("watch", "j", "--json")
    _, came, back, again, lapsed = told_of(told.stderr)
    assert came == "milepost: worker-1 drives the job now"
    assert back.startswith("milepost: nobody drives the job: it was given back, 20")
    assert again == "milepost: worker-2 drives the job now"
    assert lapsed.startswith("milepost: nobody drives the job: the lease of worker-2 ran out, 20")


def test_a_watch_ends_with_whoever_drives_the_job(path: Path) -> None:
    """With --until-idle; the exit code tells it from a job that has succeeded."""

    def turns(clock: FakeClock) -> Iterator[object]:
        del clock
        raise AssertionError("nobody waits for it")
        yield

    ended = watching(path, turns)("watch", "j", "--until-idle")
    assert "job j: map, nobody drives it" in ended.stderr
    assert "phase    map" in ended.stdout
    watching(path, turns)("watch", "j", "--until-idle", "--exit-status", exit_code=1)
    with StateManager.open(path) as manager:
        manager.fire("j", "cancel")
    watching(path, turns)("watch", "j", "--until-idle")


def test_a_holder_that_is_not_known_to_be_dead_drives_the_job(path: Path) -> None:
    """One of another boot is watched for its ttl first; the watch does so by staying."""
    with ExitStack() as stack:
        far = stack.enter_context(StateManager.open(path, clock=FakeClock(timeline="another")))
        stack.enter_context(far.lease("j", "far away", 30, renewed=False))

        def turns(clock: FakeClock) -> Iterator[object]:
            del clock
            for _ in range(4):
                yield "silent"
            raise AssertionError("it was watched for its ttl")

        told = watching(path, turns)("watch", "j", "--until-idle", "--interval", "10")
    [lapsed] = told_of(told.stderr)
    assert "nobody drives the job: the lease of far away ran out" in lapsed


PAUSED = "its holder begins no other item; what is running may still end"
STOPPED = "its holder stops at its next write"
TAKEN_UP = "recover, or a run, takes the job up again"


@pytest.mark.parametrize(
    ("holder", "commands", "held_by", "outcomes"),
    [
        ("alive", ["pause", "cancel"], "worker-1\n", [PAUSED, STOPPED]),
        (
            "lapsed",
            ["pause", "resume", "cancel"],
            "worker-1, whose lease has run out: another may take over\n",
            ["nobody works on it", TAKEN_UP, "nobody works on it"],
        ),
        (
            "gone",
            ["pause", "resume", "cancel"],
            "worker-1, whose process is gone: another may take over\n",
            ["nobody works on it", TAKEN_UP, "nobody works on it"],
        ),
        (
            "watched",
            ["pause", "resume", "cancel"],
            "worker-1, whose clock cannot be compared: it may be gone\n",
            [
                f"if it is alive, {PAUSED}",
                f"unless its holder is alive, {TAKEN_UP}",
                f"if it is alive, {STOPPED}",
            ],
        ),
    ],
)
def test_what_comes_of_it_goes_by_how_the_holder_stands(
    path: Path, holder: str, commands: list[str], held_by: str, outcomes: list[str]
) -> None:
    """As `show` and `jobs --stuck` see it."""
    clock = FakeClock()
    theirs = FakeClock(timeline="another") if holder == "watched" else clock
    processes = Elsewhere() if holder == "gone" else SystemProcesses()
    with ExitStack() as stack:
        manager = StateManager(open_store(path), clock=theirs, processes=processes)
        stack.callback(manager.close)
        stack.enter_context(manager.lease("j", "worker-1", 30, renewed=False))
        if holder == "lapsed":
            clock.advance(60)
        line = CommandLine(path, clock)
        for command, outcome in zip(commands, outcomes, strict=True):
            told = line(command, "j", "--apply").stdout
            assert f"held by  {held_by}" in told
            assert told.endswith(f": {outcome}\n")
        assert line.json("cancel", "j", exit_code=1)["standing"] == holder
