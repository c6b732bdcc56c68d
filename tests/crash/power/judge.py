"""Opens what a cut left as its owner would, and says what is in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from milepost import StateManager
from milepost.errors import StateError
from milepost.testing import FakeClock
from tests.crash.power.holding import Held, look

DATABASE = "jobs.db"
COPY = "copy.db"
_AFTER = "after-the-cut"
_PATIENCE_S = 1.0
"""Nobody else has the file: who waits for it waits for himself."""


def new_clock() -> FakeClock:
    """The clock of every process of a story, and of who looks at it afterwards: one machine's."""
    return FakeClock(timeline="power")


class Judge:
    """Looks at images, at each different one once, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[bytes, Held] = {}

    @property
    def distinct(self) -> int:
        """How many different images there were."""
        return len(self._seen)

    def held(self, files: Mapping[str, bytes], database: str = DATABASE) -> Held:
        """What the store in an image holds, once it is opened for writing and written to."""
        digest = blake2b(database.encode(), digest_size=16)
        for name in sorted(files):
            digest.update(f"{name} {len(files[name])}\0".encode())
            digest.update(files[name])
        key = digest.digest()
        if key not in self._seen:
            self._seen[key] = self._look(files, database)
        return self._seen[key]

    def _look(self, files: Mapping[str, bytes], database: str) -> Held:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for name, data in files.items():
            (self._folder / name).write_bytes(data)
        try:
            with StateManager.open(
                self._folder / database, clock=new_clock(), busy_timeout_s=_PATIENCE_S
            ) as manager:
                found = look(manager)
                manager.create_job(["x"], job_id=_AFTER)
                manager.fire(_AFTER, "start_map")
        except StateError as error:
            return Held({}, frozenset({f"it cannot be opened: {error.code}: {error}"}))
        return found
