"""Stores of a case's job: opened, driven, copied at any commit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milepost import StateManager
from milepost.testing import FakeClock

from .cases import Case
from .compiling import lifecycle_of
from .model import Model, act, agree
from .walks import created

__all__ = ["JOB", "Kept", "copy_of", "driven", "opened"]

JOB = "job"


@dataclass
class Kept:
    """A store with a job of a case, and what that job must be like."""

    case: Case
    path: Path
    manager: StateManager
    clock: FakeClock
    model: Model

    def drive(self, *acts: Any) -> None:
        """Let the job do `acts`, each in one commit, and see that it is as the model says."""
        for asked in acts:
            self.clock.advance(1)
            self.model = self.model.take(asked)
            agree(act(self.manager, JOB, asked), self.model)


def opened(path: Path, case: Case, **given: Any) -> StateManager:
    """A manager of the case's lifecycle."""
    return StateManager.open(path, lifecycle=lifecycle_of(case.text, *case.earlier), **given)


@contextmanager
def driven(folder: Path, case: Case, *, to_the_end: bool = False) -> Iterator[Kept]:
    """A store with one job after the case's script, or at its end."""
    clock, path = FakeClock(), folder / "jobs.db"
    with opened(path, case, clock=clock) as manager:
        kept = Kept(case, path, manager, clock, case.begun())
        agree(manager.create_job(job_id=JOB, **created(kept.model)), kept.model)
        kept.drive(*case.script, *(case.rest if to_the_end else ()))
        yield kept


def copy_of(store: Path, to: Path) -> Path:
    """The files of a store as they are now, as a crash would leave them."""
    for suffix in ("", "-wal"):
        to.with_name(f"{to.name}{suffix}").unlink(missing_ok=True)
        if store.with_name(f"{store.name}{suffix}").exists():
            shutil.copy(f"{store}{suffix}", f"{to}{suffix}")
    return to
