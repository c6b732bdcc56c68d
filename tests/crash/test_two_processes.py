"""Two processes and one job: one holds it, and one that has lost it cannot write any more."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from milepost import Item, StateManager
from milepost.executors import run
from milepost.testing.deaths import Nursery
from tests.crash.conftest import Trials
from tests.crash.work import JOB, Spec, keys_of
from tests.postgres import needs_postgres, new_url

ALONE = Spec(takeover="")


def test_a_job_that_another_process_holds_is_refused_by_name(trials: Trials) -> None:
    trial = trials(ALONE)
    with StateManager.open(trial.url) as manager:
        manager.create_job(keys_of(ALONE), job_id=JOB)
        with manager.lease(JOB, "the test"):
            fate = trial.raise_child()
    assert fate.doing.startswith(f"LeaseHeld: job {JOB} is held by the test until")


def test_of_two_processes_that_race_one_works_and_the_other_learns_who(
    trials: Trials, tmp_path: Path
) -> None:
    refused = 0
    with Nursery(tmp_path / "errors.txt") as other, ThreadPoolExecutor(2) as threads:
        for _ in range(4):
            trial = trials(ALONE, alone=False)
            with StateManager.open(trial.url) as manager:
                items = [Item(key=key, value=ALONE.spin) for key in keys_of(ALONE)]
                manager.create_job(items, job_id=JOB)
            both = [trial, trials(ALONE, trial.url, other, alone=False)]
            fates = [threads.submit(one.raise_child).result for one in both]
            ends = sorted(fate().doing for fate in fates)
            assert "end" in ends
            refused += any(
                end.startswith(f"LeaseHeld: job {JOB} is held by process") for end in ends
            )
            trial.finish()
    assert refused, "they never met"


@pytest.mark.parametrize("kind", ["file", pytest.param("server", marks=needs_postgres)])
def test_a_stalled_holder_is_taken_over_and_its_next_write_is_refused(
    kind: str, trials: Trials, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In the midst of calls, which go on once it wakes up."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    spec = Spec(items=40, gate="map", pipe=str(pipe))
    url = new_url(request.getfixturevalue("postgres")) if kind == "server" else ""
    trial = trials(spec, url)
    child = trial.begin(at="gate", nth=2, delay_s=0, signals=[signal.SIGSTOP])
    with StateManager.open(trial.url) as manager, ThreadPoolExecutor(2) as pool:
        outcome = run(
            manager,
            JOB,
            lambda item: item.key,
            lambda results: {"count": len(list(results))},
            executor=pool,
            takeover="it does not answer",
        )
        assert (outcome.phase, outcome.done_count) == ("completed", spec.items)
        assert outcome.redone_count > 0
        before = manager.get_state(JOB).seq

        os.kill(child.pid, signal.SIGCONT)
        pipe.write_bytes(b"")
        fate = trial.end(child)
        assert fate.doing.startswith("LeaseLost: ")
        assert "stop working on the job" in fate.doing

        (event,) = manager.get_state_history(JOB, after=before)
        assert (event.kind, event.payload["owner"]) == ("rejected", "process 1")
        assert manager.get_state(JOB).progress.done == spec.items
    trial.finish()
