"""An HTTP service that shows the jobs of a store, while others run them.

    MILEPOST_DB=jobs.db uvicorn service:app

It only reads. `/jobs` and `/jobs/ID` are JSON, `/jobs/ID/page` is a page for people.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse

from milepost import AsyncStateManager, JobAbsent, JobIdInvalid, JobState


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the store open as long as the service runs."""
    async with await AsyncStateManager.open(os.environ.get("MILEPOST_DB", "jobs.db")) as manager:
        app.state.manager = manager
        yield


app = FastAPI(title="Jobs", lifespan=lifespan)


@app.get("/jobs")
async def jobs(request: Request, most: int = 100) -> list[str]:
    """The ids of the jobs, the first `most` of them."""
    found: list[str] = await request.app.state.manager.job_ids(limit=most)
    return found


@app.get("/jobs/{job_id}")
async def job(request: Request, job_id: str) -> dict[str, Any]:
    """Where a job is, how far, who holds it, and what it would take now."""
    state = await _state(request, job_id)
    return {
        "job": state.id,
        "phase": state.phase,
        "finished": state.finished,
        "seq": state.seq,
        "owner": state.owner,
        "progress": {**asdict(state.progress), "left": state.progress.left},
        "allowed": state.allowed(),
        "updated_at": state.updated_at,
    }


@app.get("/jobs/{job_id}/page", response_class=HTMLResponse)
async def page(request: Request, job_id: str) -> str:
    """The job as a notebook shows it, renewed every two seconds until it has ended."""
    state = await _state(request, job_id)
    renew = "" if state.finished else '<meta http-equiv="refresh" content="2">'
    head = f'<meta charset="utf-8"><title>{state.id}</title>{renew}'
    scheme = '<meta name="color-scheme" content="light dark">'
    body = state._repr_html_()
    return f'<!doctype html><html lang="en"><head>{head}{scheme}</head><body>{body}</body></html>'


async def _state(request: Request, job_id: str) -> JobState:
    try:
        state: JobState = await request.app.state.manager.get_state(job_id)
    except (JobAbsent, JobIdInvalid) as error:
        raise HTTPException(404, str(error)) from error
    return state
