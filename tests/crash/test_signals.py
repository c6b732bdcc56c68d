"""SIGTERM and SIGINT: a process ends by itself, in order, and another run completes the job."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from milepost import JobState, StateManager
from milepost.testing.deaths import Trial
from milepost.testing.journal import Pages
from tests.crash.conftest import Trials
from tests.crash.work import JOB, Spec


def state_of(trial: Trial) -> JobState:
    with StateManager.open(trial.url, read_only=True) as manager:
        return manager.get_state(JOB)


def recorded(trial: Trial) -> set[object]:
    with StateManager.open(trial.url, read_only=True) as manager:
        return set(dict(manager.results(JOB)))


def called(trial: Trial) -> set[object]:
    return {values[0] for word, *values in Pages(trial.journal).turn() if word == "call"}


@pytest.fixture
def gated(trials: Trials, tmp_path: Path) -> Spec:
    """A job whose processes wait until somebody opens a pipe."""
    os.mkfifo(tmp_path / "pipe")
    return Spec(pipe=str(tmp_path / "pipe"))


@pytest.mark.parametrize("pool", ["threads", "processes"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(trials: Trials, number: signal.Signals, pool: str) -> None:
    spec = Spec(pool=pool, items=60, spin=20_000)  # long enough for a signal to find it at work
    trial = trials(spec)
    fate = trial.raise_child(at="before items succeed", nth=5, delay_s=0, signals=[number])
    assert fate.doing == f"stopped by {number.name}"
    state = state_of(trial)
    assert (state.phase, state.owner, state.progress.running) == ("map", None, 0)
    assert 0 < state.progress.done < spec.items
    assert state.checkpoint is not None
    assert state.checkpoint.reason == "shutdown"
    assert called(trial) == recorded(trial), "what was under way was recorded"
    trial.finish()


def test_a_second_signal_ends_the_wait(trials: Trials, gated: Spec) -> None:
    trial = trials(gated._replace(gate="map"))
    fate = trial.raise_child(at="gate", nth=2, delay_s=0, signals=[signal.SIGINT, signal.SIGTERM])
    assert fate.doing.startswith("stopped by SIG")
    state = state_of(trial)
    assert (state.owner, state.progress.pending) == (None, gated.items)
    assert {state.items.member(n)[1]["attempts"] for n in range(gated.items)} == {0}


def test_a_signal_ends_reduce_at_its_next_result(trials: Trials, gated: Spec) -> None:
    trial = trials(gated._replace(gate="reduce"))
    child = trial.begin(at="gate", nth=1, delay_s=0, signals=[signal.SIGTERM])
    Path(gated.pipe).write_bytes(b"")
    assert trial.end(child).doing == "stopped by SIGTERM"
    state = state_of(trial)
    assert (state.phase, state.owner) == ("reduce", None)
    assert state.checkpoint is not None
    assert state.checkpoint.reason == "shutdown"


def test_a_second_signal_ends_reduce_where_it_is(trials: Trials, gated: Spec) -> None:
    trial = trials(gated._replace(gate="reduce"))
    fate = trial.raise_child(at="gate", nth=1, delay_s=0, signals=[signal.SIGINT, signal.SIGTERM])
    assert fate.doing.startswith("KeyboardInterrupt")
    assert (state_of(trial).phase, state_of(trial).owner) == ("reduce", None)
