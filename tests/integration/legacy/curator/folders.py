"""Folders in the form of curator's, made without it; the sample beside was made by it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from milepost import JobImport, JobState, StateManager
from milepost.testing import FakeClock

__all__ = [
    "JOB",
    "NOW_US",
    "SAMPLE",
    "SAMPLE_JOB",
    "answer",
    "brought",
    "codes",
    "opened",
    "request",
    "write",
]

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_JOB = "4278dd0552e53204"
JOB = "0123456789abcdef"
NOW_US = 1_800_000_000_000_000


def request(row: int, text: str = "", **more: Any) -> dict[str, Any]:
    """A line of requests, as curator 0.1.31 writes it."""
    return {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": text or f"about {row}"}],
        "response_format": None,
        "original_row": {"n": row},
        "original_row_idx": row,
        "generation_params": {},
        "is_multimodal_prompt": False,
        **more,
    }


def answer(row: int, message: Any, errors: Any = None, **more: Any) -> dict[str, Any]:
    """A line of responses, as curator 0.1.31 writes it."""
    return {
        "response_message": message,
        "parsed_response_message": None if message is None else [{"said": message}],
        "response_errors": errors,
        "raw_response": None,
        "raw_request": None,
        "generic_request": request(row),
        "created_at": f"2026-03-01 12:00:{row % 60:02}.000001",
        "finished_at": f"2026-03-01 12:01:{row % 60:02}.000001",
        "token_usage": None if message is None else {"input": 1, "output": 2, "total": 3},
        "response_cost": None if message is None else 0.5,
        "finish_reason": None if message is None else "stop",
        **more,
    }


def write(
    home: Path,
    requests: Iterable[Any],
    responses: Iterable[Any] = (),
    *,
    job: str = JOB,
    count: int | None = None,
    number: int = 0,
) -> Path:
    """The folder of a job with these lines; bytes are written as they are."""
    folder = home / job
    folder.mkdir(parents=True, exist_ok=True)
    asked = list(requests)
    (folder / f"requests_{number}.jsonl").write_bytes(_lines(asked))
    counted = {"num_jobs": len(asked) if count is None else count}
    (folder / f"metadata_{number}.json").write_text(json.dumps(counted, indent=4) + "\n")
    if lines := _lines(responses):
        (folder / f"responses_{number}.jsonl").write_bytes(lines)
    return folder


def _lines(each: Iterable[Any]) -> bytes:
    return b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in each
    )


def opened(**more: Any) -> StateManager:
    """A store in memory, later than all folders."""
    return StateManager.open("memory:", clock=FakeClock(NOW_US), **more)


def brought(manager: StateManager, home: Path) -> tuple[JobImport, JobState]:
    """The only job of the folder, imported."""
    done = manager.upkeep.import_jobs(home, apply=True)
    assert done.tool == "curator"
    [job] = done.jobs
    assert job.error is None, job.error
    assert manager.verify(job.job_id)[0].sound
    return job, manager.get_state(job.job_id)


def codes(job: JobImport) -> set[str]:
    """What the report is about, but for what it says of every job."""
    return {line.code for line in job.report} - {"zone-unknown", "reduce-unknown"}
