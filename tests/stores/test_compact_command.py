"""`milepost compact`: shows what it would merge, merges when told to, says what it left."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from milepost import StateManager
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine
from tests.stores.make import holds, tell


@pytest.fixture
def milepost(tmp_path: Path) -> CommandLine:
    path, clock = tmp_path / "jobs.db", FakeClock()
    with StateManager.open(path, clock=clock) as manager:
        tell(manager, clock)
    return CommandLine(store=path, clock=clock)


@pytest.fixture
def loose(milepost: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The same, with none of it merged yet."""
    milepost.store.unlink()
    with monkeypatch.context() as patch, StateManager.open(milepost.store) as manager:
        compact = manager.compact
        patch.setattr(StateManager, "compact", lambda self, job: compact(job, dry_run=True))
        tell(manager, FakeClock())
    return milepost


def test_without_apply_it_shows_and_changes_nothing(loose: CommandLine) -> None:
    """The figures are those of the merge that --apply does."""
    before = loose.store.read_bytes()
    planned = loose.json("compact", "--all")
    assert "nothing was changed: --apply does it" in loose("compact", "whole").stdout
    assert loose.store.read_bytes() == before
    done = loose.json("compact", "--all", "--apply")
    assert (planned["applied"], done["applied"]) == (False, True)
    assert planned["jobs"] == done["jobs"]
    (job,) = done["jobs"]
    assert (job["job"], job["blocks"], job["problem"]) == ("whole", 1, None)
    assert job["merged"] == job["commits"] - 1
    assert job["bytes_after"] < job["bytes_before"] * 0.6
    assert "nothing to merge" in loose("compact", "--all", "--apply").stdout


def test_what_is_read_stays_the_same(loose: CommandLine) -> None:
    """Every job in every condition, and the verdict on each."""
    with StateManager.open(loose.store, read_only=True) as manager:
        before = holds(manager)
    loose("compact", "whole", "left", "waiting", "--apply")
    with StateManager.open(loose.store, read_only=True) as manager:
        assert holds(manager) == before
    assert loose.json("verify")["sound"] is True


def test_it_asks_which_jobs(milepost: CommandLine) -> None:
    """Neither none nor both."""
    assert "which jobs?" in milepost("compact", exit_code=2).stderr
    assert "which jobs?" in milepost("compact", "whole", "--all", exit_code=2).stderr


def test_a_job_that_does_not_verify_is_named_and_left(loose: CommandLine) -> None:
    """The others are merged; the answer is no."""
    connection = apsw.Connection(str(loose.store))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute("UPDATE commits SET body = x'5b5d' WHERE job = 1 AND seq = 6")
    connection.close()
    answer = loose.json("compact", "whole", "left", "--apply", exit_code=1)
    whole, left = answer["jobs"]
    assert "commit 6" in whole["problem"]
    assert left["problem"] is None
    assert "commit 6" in loose("compact", "--all", exit_code=1).stdout
