"""The folder that the released package left: what becomes of it, and that the job goes on.

`sample` was made by `make.py`; of what curator left it keeps the requests, their number and the
responses. tests/integration/legacy/curator/test_released.py makes such a folder anew.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from milepost import ImportConflict, Item, JobAbsent, StateManager
from milepost.executors import run
from tests.integration.legacy.curator.folders import SAMPLE, SAMPLE_JOB, brought, codes, opened

TERMS = ["milepost", "fence", "refused", "Zürich", "lease", "log"]


def assert_brought_over(home: Path, manager: StateManager) -> None:
    """Every request, answer and failure of the sample's folder is here, and can go on."""
    job, state = brought(manager, home)
    assert job.source == job.job_id
    assert codes(job) - {"file-not-read"} == {"value-not-json"}
    assert not job.whole
    assert state.phase == "map"
    assert [state.inputs.key(at) for at in range(6)] == list("012345")
    rows = [state.inputs.value(at)["original_row"] for at in range(6)]
    assert [row["term"] for row in rows] == TERMS
    assert [row["share"] for row in rows] == [0.5, None, 0.25, 1.0, 0.75, 0.125]
    results = dict(manager.results(job.job_id))
    assert {key: result["response_message"] for key, result in results.items()} == {
        "0": "about milepost",
        "1": "about fence",
        "3": "about Zürich",
    }
    assert results["3"]["token_usage"] == {"input": 7, "output": 2, "total": 9}
    [failure] = manager.failures(job.job_id)["2"]
    assert failure.message == (
        'API Error: 400 - {"error": {"message": "this is against the rules"}}'
    )
    plan = manager.recover_from_checkpoint(job.job_id)
    assert {part: [*getattr(plan, part)] for part in ("pending", "retriable", "in_flight")} == {
        "pending": ["4", "5"],
        "retriable": ["2"],
        "in_flight": [],
    }
    called: list[str] = []

    def ask(item: Item) -> dict[str, Any]:
        called.append(item.value["original_row"]["term"])
        return {"response_message": item.value["messages"][-1]["content"].upper()}

    with ThreadPoolExecutor(1) as pool:
        outcome = run(
            manager,
            job.job_id,
            ask,
            lambda each: [result["response_message"] for _, result in each],
            executor=pool,
            clock=lambda: 0.0,
        )
    assert (outcome.phase, outcome.done_before_count) == ("completed", 3)
    assert sorted(called) == ["lease", "log", "refused"]
    assert manager.result(job.job_id) == [
        "about milepost",
        "about fence",
        "SAY ONE SENTENCE ABOUT REFUSED",
        "about Zürich",
        "SAY ONE SENTENCE ABOUT LEASE",
        "SAY ONE SENTENCE ABOUT LOG",
    ]
    assert manager.verify(job.job_id)[0].sound


def test_what_curator_left_is_brought_over_and_completed(record_property: Any) -> None:
    with opened() as manager:
        assert_brought_over(SAMPLE, manager)
    files = sum(each.is_file() for each in SAMPLE.rglob("*"))
    counted = {"files read": files, "items brought over": len(TERMS)}
    record_property("counted", ("import of a real folder of curator", counted))


def test_the_job_has_its_old_times() -> None:
    with opened() as manager:
        brought(manager, SAMPLE)
        events = [
            (each.at.isoformat(), each.event) for each in manager.get_state_history(SAMPLE_JOB)
        ]
    told = (SAMPLE / SAMPLE_JOB / "responses_0.jsonl").read_text()
    ends = [line.split('"finished_at": "')[1][:26] for line in told.splitlines()]
    assert [at[:26].replace("T", " ") for at, event in events if event in ("succeed", "fail")] == (
        ends
    )


def test_the_folder_of_one_job_is_a_home_too(tmp_path: Path) -> None:
    """And nothing in it is changed."""
    folder = tmp_path / SAMPLE_JOB
    shutil.copytree(SAMPLE / SAMPLE_JOB, folder)
    before = {each: each.read_bytes() for each in folder.iterdir()}
    with opened() as manager:
        job, _ = brought(manager, folder)
        assert job.job_id == SAMPLE_JOB
    assert {each: each.read_bytes() for each in folder.iterdir()} == before


def test_a_dry_run_writes_nothing_and_again_changes_nothing() -> None:
    with opened() as manager:
        [would] = manager.upkeep.import_jobs(SAMPLE).jobs
        assert (would.outcome, manager.job_ids()) == ("would-import", [])
        first, state = brought(manager, SAMPLE)
        again, after = brought(manager, SAMPLE)
        assert (first.outcome, again.outcome) == ("imported", "already-imported")
        assert (first.progress, state) == (would.progress, after)


def test_a_job_that_curator_went_on_with_is_a_conflict(tmp_path: Path) -> None:
    """The next answer makes another fingerprint; other files beside do not."""
    shutil.copytree(SAMPLE, tmp_path / "home")
    answers = tmp_path / "home" / SAMPLE_JOB / "responses_0.jsonl"
    with opened() as manager:
        brought(manager, tmp_path / "home")
        answers.with_name("curator.log").write_text("a line")
        assert brought(manager, tmp_path / "home")[0].outcome == "already-imported"
        lines = answers.read_bytes().splitlines(keepends=True)
        more = lines[0].replace(b'"original_row_idx": 0', b'"original_row_idx": 4')
        answers.write_bytes(b"".join((*lines, more)))
        [job] = manager.upkeep.import_jobs(tmp_path / "home", apply=True).jobs
        assert isinstance(job.error, ImportConflict)


def test_it_is_imported_when_it_is_first_asked_for(tmp_path: Path) -> None:
    """By a manager that was given the folder, with no word of which tool left it."""
    with opened(legacy=SAMPLE) as manager:
        assert manager.job_ids() == []
        assert manager.get_state(SAMPLE_JOB).progress.done == 3
    with pytest.raises(JobAbsent, match=f"import curator .* --job {SAMPLE_JOB}"):
        read_only(tmp_path / "jobs.db").get_state(SAMPLE_JOB)


def read_only(store: Path) -> StateManager:
    """An empty store that is open for reading, with the sample as its old folder."""
    StateManager.open(store).close()
    return StateManager.open(store, read_only=True, legacy=SAMPLE)
