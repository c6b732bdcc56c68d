"""What the tests look at after every step, and how a crash is made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from milepost import JobState, StateManager
from milepost.job.versions import Catalogue
from milepost.lifecycles import mapreduce
from milepost.state.persistence import open_store
from milepost.state.reading.loading import Loader

from .reference import seen


def observed(state: JobState, results: dict[str, Any] | None = None) -> dict[str, Any]:
    """The real state in the words of the reference."""
    items = [state.items.member(ordinal) for ordinal in range(state.items.count)]
    return {
        "state": state.phase,
        "context": {k: v for k, v in state.context.items() if not k.startswith("history.")},
        "items": [(name, *seen(dict(context))) for name, context in items],
        "results": {state.inputs.ordinal(key): result for key, result in (results or {}).items()},
        "variables": dict(state.variables),
        "fence": state.fence,
        "owner": state.owner,
        "rejected": state.rejected_count,
    }


def folded_from_nothing(url: str, job_id: str) -> JobState:
    """The fold of the log from its first commit: no checkpoint, no cache."""
    store = open_store(url, read_only=True, create=False)
    try:
        loader = Loader(store, Catalogue.of([mapreduce.LIFECYCLE]))
        with store.reading() as reader:
            log = loader.log(reader, job_id)
            state = log.origin()
            for _, after in log.replay(state):
                state = after
            return state
    finally:
        store.close()


def check_partition(manager: StateManager, job_id: str) -> None:
    """INV-PLAN: every item in exactly one part of the plan, and the plan changes nothing."""
    before = manager.get_state(job_id)
    plan = manager.recover_from_checkpoint(job_id)
    ordinals = sorted(o for part in plan.parts.values() for o in part.ordinals)
    assert ordinals == list(range(before.items.count))
    assert not plan.fallbacks
    assert manager.get_state(job_id) == before


def crash_image(database: Path, folder: Path) -> Path:
    """The files as they are now, without what the process that has them open still holds."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copy(source, folder / source.name)
    return folder / database.name
