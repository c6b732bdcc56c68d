"""`milepost gc`, `keep` and `sizes`: what is shown, and what is done when they are told to."""

from __future__ import annotations

import re
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine

DAY_S = 86_400


@pytest.fixture
def ended(store: Path, clock: FakeClock) -> list[str]:
    """Beside the story's jobs, three that ended ten days ago."""
    ids = ["done", "broken", "stopped"]
    with StateManager.open(store, clock=clock) as manager:
        for job_id in ids:
            manager.create_job(["a"], job_id=job_id, config={"has_reduce": False})
            manager.fire(job_id, "start_map")
            manager.record(job_id, [ItemEvent("a", "start")])
            manager.record(job_id, [ItemEvent("a", "succeed", {"result": "r" * 300})])
        manager.fire("done", "finish_map")
        manager.fire("broken", "fail", {"cause": "error", "message": "no route"})
        manager.fire("stopped", "cancel")
    clock.advance(10 * DAY_S)
    return ids


def test_gc_shows_and_changes_nothing(milepost: CommandLine, store: Path, ended: list[str]) -> None:
    """Without --apply it is a table: who goes, who stays, why, and how much it takes."""
    before = store.read_bytes()
    answer = milepost.json("gc")
    assert {job["job"]: job["goes"] for job in answer["jobs"]} == {
        "nightly": False,
        "weekly-1": False,
        "weekly-2": False,
        "done": True,
        "broken": False,
        "stopped": True,
    }
    going = [job for job in answer["jobs"] if job["goes"]]
    assert answer["goes_bytes"] == sum(job["size_bytes"] for job in going) > 0
    assert (answer["done"], answer["vacuum"], answer["left"]) == (None, None, [])
    shown = milepost("gc").stdout
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert lines["done"].split()[1:8] == ["completed", "10", "d", "00", "h", "goes", "kept"]
    assert "stays    kept for 30 d 00 h" in lines["broken"]
    assert "stays    in map" in lines["nightly"]
    assert "2 jobs and 0 checkpoints would go" in shown
    assert shown.endswith("nothing was changed: --apply does it\n")
    assert store.read_bytes() == before


def test_gc_applies_and_tells_what_it_freed(milepost: CommandLine, ended: list[str]) -> None:
    """What the plan showed is gone, and a second time there is nothing to do."""
    planned = milepost.json("gc")
    answer = milepost.json("gc", "--apply")
    assert answer["done"]["deleted"] == ["done", "stopped"]
    assert answer["done"]["freed_bytes"] == planned["goes_bytes"]
    assert {job["id"] for job in milepost.json("jobs")["jobs"]} == {
        "nightly",
        "weekly-1",
        "weekly-2",
        "broken",
    }
    assert milepost.json("verify")["sound"]
    assert milepost("gc").stdout.endswith("nothing to delete\n")
    assert "0 jobs and 0 checkpoints deleted: 0 rows" in milepost("gc", "--apply").stdout


def test_ages_are_given_by_outcome(milepost: CommandLine, ended: list[str]) -> None:
    """Each outcome has its option, and `never` keeps all of them."""
    args = ("--completed", "never", "--failed", "2w", "--cancelled", "11d")
    assert not any(job["goes"] for job in milepost.json("gc", *args)["jobs"])
    args = ("--completed", "9d", "--failed", "239h", "--cancelled", "0s")
    assert sum(job["goes"] for job in milepost.json("gc", *args)["jobs"]) == 3
    for bad in ("7", "7y", "-1d", "d", "1.5d"):
        assert "is no age" in milepost("gc", "--failed", bad, exit_code=2).stderr


def test_keep_says_how_long_one_job_is_kept(
    milepost: CommandLine, store: Path, ended: list[str]
) -> None:
    """For ever, for so long, or as others; gc tells the reason."""
    assert milepost("keep", "done").stdout == "done is kept as the policy says\n"
    told = milepost("keep", "done", "--for", "never", "--reason", "the audit").stdout
    assert told.startswith("done is kept for ever (since ")
    assert told.endswith("): the audit\n")
    assert "kept for ever: the audit" in milepost("gc").stdout
    answer = milepost.json("keep", "stopped", "--for", "12d")
    assert (answer["kept_for_s"], answer["by_policy"]) == (12 * DAY_S, False)
    assert milepost.json("gc", "--apply")["done"]["deleted"] == []
    assert milepost.json("keep", "done", "--by-policy")["by_policy"] is True
    assert milepost.json("gc", "--apply")["done"]["deleted"] == ["done"]
    before = store.read_bytes()
    milepost("keep", "stopped")
    assert store.read_bytes() == before
    milepost("keep", "stopped", "--by-policy", "--for", "1d", exit_code=2)


def test_vacuum_makes_the_file_smaller(
    milepost: CommandLine, store: Path, clock: FakeClock
) -> None:
    """It goes with --apply, warns on stderr, and tells the size before and after."""
    with StateManager.open(store, clock=clock) as manager:
        items = [sha256(b"%d" % n).hexdigest() for n in range(4_000)]
        manager.create_job(items, job_id="big")
        manager.fire("big", "cancel")
    milepost("gc", "--vacuum", exit_code=2)
    told = milepost("gc", "--apply", "--vacuum", "--cancelled", "0s")
    assert "takes room for it twice" in told.stderr
    found = re.search(r"vacuum \(full\): ([\d,]+) bytes before, ([\d,]+) after", told.stdout)
    assert found is not None
    before, after = (int(number.replace(",", "")) for number in found.groups())
    assert store.stat().st_size == after < before / 2
    assert milepost.json("verify")["sound"]


def test_sizes_name_the_largest_values(milepost: CommandLine, ended: list[str]) -> None:
    """Bytes by what they are for, then values, largest first."""
    answer = milepost.json("sizes", "broken", "--largest", "2")
    assert [large["place"] for large in answer["largest"]] == [
        "result of 'a' at seq 4",
        "message of fail at seq 5",
    ]
    assert answer["total_bytes"] == sum(
        answer["stored"][f"{name}_bytes"]
        for name in ("inputs", "keys", "heads", "bodies", "checkpoints")
    )
    assert "302  result of 'a' at seq 4" in milepost("sizes", "broken").stdout
    assert "no values" in milepost("sizes", "broken", "--largest", "0").stdout


def test_a_job_that_has_ended_is_deleted(
    milepost: CommandLine, store: Path, ended: list[str]
) -> None:
    """At once, alone, for a reason that its tombstone keeps; without --apply nothing changes."""
    before = store.read_bytes()
    view = milepost.json("delete", "broken")
    assert (view["applied"], view["accepted"], view["outcome"]) == (False, True, "failed")
    assert "nothing was changed: --apply" in milepost("delete", "broken").stdout
    assert store.read_bytes() == before
    done = milepost.json("delete", "broken", "--apply", "--reason", "by mistake")
    assert (done["applied"], done["freed_bytes"]) == (True, view["size_bytes"])
    assert "no job 'broken'" in milepost("delete", "broken", exit_code=2).stderr
    left = {job["id"] for job in milepost.json("jobs")["jobs"]}
    assert left == {"nightly", "weekly-1", "weekly-2", "done", "stopped"}
    with closing(open_store(store)) as opened, opened.reading() as reader:
        tombstone = reader.tombstone("broken")
    assert tombstone is not None
    assert (tombstone.reason, tombstone.erased) == ("failed: by mistake", True)
    assert milepost.json("verify")["sound"]


def test_a_job_that_is_to_stay_is_not_deleted(
    milepost: CommandLine, ended: list[str], clock: FakeClock
) -> None:
    """It is active, kept, or held: why, and which command helps. A beginning deletes nothing."""
    refused = milepost("delete", "nightly", "--apply", exit_code=1)
    assert "not ended" in refused.stdout
    assert "`milepost cancel nightly --apply`" in refused.stdout
    milepost("keep", "done", "--for", "never", "--reason", "the audit")
    view = milepost.json("delete", "done", "--apply", exit_code=1)
    assert view["refused"] == "it is kept for ever: the audit"
    assert view["instead"] == "milepost keep done --by-policy"
    milepost("keep", "done", "--for", "12d")
    view = milepost.json("delete", "done", "--apply", exit_code=1)
    assert view["refused"] == "it is kept for 12 d 00 h after its newest commit"
    milepost("keep", "done", "--by-policy")
    assert "name all of it: done" in milepost("delete", "don", "--apply", exit_code=2).stderr
    with (
        StateManager.open(milepost.store, clock=clock) as manager,
        manager.lease("stopped", "worker-9", renewed=False),
    ):
        view = milepost.json("delete", "stopped", "--apply", exit_code=1)
        assert view["refused"] == "worker-9 holds it under a lease"
    assert {"nightly", "done", "stopped"} <= {job["id"] for job in milepost.json("jobs")["jobs"]}
    assert milepost.json("delete", "done", "--apply")["applied"] is True
