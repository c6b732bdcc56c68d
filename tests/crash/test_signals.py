"""SIGTERM and SIGINT: a child ends by itself, in order, and another run completes the job."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from milepost import JobState, StateManager
from tests.crash.nursery import Nursery
from tests.crash.trial import Trial
from tests.crash.work import gate_beside, lines_of


def state_of(trial: Trial) -> JobState:
    with StateManager.open(trial.url, read_only=True) as manager:
        return manager.get_state(trial.job_id)


def words(trial: Trial, word: str) -> set[str]:
    return {words[1] for words in lines_of(trial.journal) if words[0] == word}


@pytest.mark.parametrize("pool", ["threads", "processes"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(
    trials: Callable[..., Trial], nursery: Nursery, number: signal.Signals, pool: str
) -> None:
    trial = trials(pool=pool, items=60, spin=20_000)  # long enough for a signal to find it at work
    fate = nursery.raise_child(trial.spec(), at="record", nth=5, delay_s=0, signals=[number])
    assert fate.doing == f"stopped by {number.name}"
    state = state_of(trial)
    assert (state.phase, state.owner, state.progress.running) == ("map", None, 0)
    assert 0 < state.progress.done < trial.items
    assert state.checkpoint is not None
    assert state.checkpoint.reason == "shutdown"
    assert words(trial, "call") == words(trial, "ack"), "what was under way was recorded"
    trial.finish()


def test_a_second_signal_ends_the_wait(trials: Callable[..., Trial], nursery: Nursery) -> None:
    trial = trials()
    os.mkfifo(gate_beside(str(trial.journal)))
    fate = nursery.raise_child(
        trial.spec(gate="map"),
        at="gate",
        nth=2,
        delay_s=0,
        signals=[signal.SIGINT, signal.SIGTERM],
    )
    assert fate.doing.startswith("stopped by SIG")
    state = state_of(trial)
    assert (state.owner, state.progress.pending) == (None, trial.items)
    assert {state.items.member(n)[1]["attempts"] for n in range(trial.items)} == {0}
    trial.finish()


def test_a_signal_ends_reduce_at_its_next_result(
    trials: Callable[..., Trial], nursery: Nursery
) -> None:
    trial = trials()
    gate = gate_beside(str(trial.journal))
    os.mkfifo(gate)
    nursery.begin_child(
        trial.spec(gate="reduce"), at="gate", nth=1, delay_s=0, signals=[signal.SIGTERM]
    )
    gate.write_bytes(b"")
    assert nursery.end_child().doing == "stopped by SIGTERM"
    state = state_of(trial)
    assert (state.phase, state.owner) == ("reduce", None)
    assert state.checkpoint is not None
    assert state.checkpoint.reason == "shutdown"
    trial.finish()


def test_a_second_signal_ends_reduce_where_it_is(
    trials: Callable[..., Trial], nursery: Nursery
) -> None:
    trial = trials()
    os.mkfifo(gate_beside(str(trial.journal)))
    fate = nursery.raise_child(
        trial.spec(gate="reduce"),
        at="gate",
        nth=1,
        delay_s=0,
        signals=[signal.SIGINT, signal.SIGTERM],
    )
    assert fate.doing.startswith("KeyboardInterrupt")
    assert (state_of(trial).phase, state_of(trial).owner) == ("reduce", None)
    trial.finish()
