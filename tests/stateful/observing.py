"""The fold of a log from nothing, and how a crash is made."""

from __future__ import annotations

import shutil
from pathlib import Path

from milepost import JobState
from milepost.job.versions import Catalogue
from milepost.lifecycles import mapreduce
from milepost.state.persistence import open_store
from milepost.state.reading.loading import Loader


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


def crash_image(database: Path, folder: Path) -> Path:
    """The files as they are now, without what the process that has them open still holds."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copy(source, folder / source.name)
    return folder / database.name
