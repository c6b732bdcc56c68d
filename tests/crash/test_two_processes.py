"""Two processes and one job: one holds it, and one that has lost it cannot write any more."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.executors import run
from tests.crash.nursery import Nursery
from tests.crash.trial import Trial
from tests.crash.work import gate_beside
from tests.postgres import needs_postgres, new_url


def test_a_job_that_another_process_holds_is_refused_by_name(
    trials: Callable[..., Trial], nursery: Nursery
) -> None:
    trial = trials()
    with StateManager.open(trial.url) as manager, manager.lease(trial.job_id, "the test"):
        fate = nursery.raise_child(trial.spec(takeover=""))
    assert fate.doing.startswith(f"LeaseHeld: job {trial.job_id} is held by the test until")
    trial.finish()


def test_of_two_processes_that_race_one_works_and_the_other_learns_who(
    trials: Callable[..., Trial], nursery: Nursery, tmp_path: Path
) -> None:
    refused = 0
    with Nursery(tmp_path / "errors.txt") as other, ThreadPoolExecutor(2) as threads:
        for _ in range(4):
            trial = trials()
            spec = trial.spec(takeover="")
            fates = [threads.submit(n.raise_child, spec).result for n in (nursery, other)]
            ends = sorted(fate().doing for fate in fates)
            assert "end" in ends
            refused += any(
                end.startswith(f"LeaseHeld: job {trial.job_id} is held by child") for end in ends
            )
            trial.finish()
    assert refused, "they never met"


@pytest.mark.parametrize("kind", ["file", pytest.param("server", marks=needs_postgres)])
def test_a_stalled_holder_is_taken_over_and_its_next_write_is_refused(
    kind: str, trials: Callable[..., Trial], nursery: Nursery, request: pytest.FixtureRequest
) -> None:
    if kind == "server":
        trial = trials(url=new_url(request.getfixturevalue("postgres")), items=40)
    else:
        trial = trials()
    gate = gate_beside(str(trial.journal))
    os.mkfifo(gate)
    child = nursery.begin_child(
        trial.spec(gate="map"), at="gate", nth=2, delay_s=0, signals=[signal.SIGSTOP]
    )
    with StateManager.open(trial.url) as manager, ThreadPoolExecutor(2) as pool:
        outcome = run(
            manager,
            trial.job_id,
            lambda item: item.key,
            lambda results: {"count": len(list(results))},
            executor=pool,
            takeover="it does not answer",
        )
        assert (outcome.phase, outcome.done_count) == ("completed", trial.items)
        assert outcome.redone_count > 0
        before = manager.get_state(trial.job_id).seq

        os.kill(child, signal.SIGCONT)
        gate.write_bytes(b"")
        fate = nursery.end_child()
        assert fate.doing.startswith("LeaseLost: ")
        assert "stop working on the job" in fate.doing

        (event,) = manager.get_state_history(trial.job_id, after=before)
        assert (event.kind, event.payload["owner"]) == ("rejected", f"child {child}")
        assert manager.get_state(trial.job_id).progress.done == trial.items
    trial.finish()
