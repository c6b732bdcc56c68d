"""The commands that change a job when they are told to: checkpoint and recover."""

from __future__ import annotations

import json
from pathlib import Path

from milepost import StateManager
from tests.integration.cli.conftest import CommandLine


def test_checkpoint_takes_one_and_lists_all(milepost: CommandLine) -> None:
    """The new one comes first, with its reason."""
    taken = milepost("checkpoint", "nightly", "--reason", "before the upgrade")
    assert "before the upgrade" in taken.stdout.splitlines()[1]
    assert taken.stderr == "milepost: checkpoint of nightly taken at seq 9\n"
    listed = milepost.json("checkpoint", "nightly", "--list")
    assert (listed["taken"], [one["seq"] for one in listed["checkpoints"]]) == (None, [9, 5])
    assert milepost.json("checkpoint", "nightly")["taken"] == 10
    assert "has no checkpoints" in milepost("checkpoint", "weekly-1", "--list").stderr


def test_recover_shows_and_changes_nothing(milepost: CommandLine, store: Path) -> None:
    """Without --apply it is a plan."""
    before = store.read_bytes()
    answer = milepost.json("recover", "nightly")
    assert (answer["applied"], answer["seq"], answer["plan"]["job"]) == (False, 9, "nightly")
    assert "nothing was changed: --apply does it" in milepost("recover", "nightly").stdout
    assert store.read_bytes() == before


def test_recover_applies_under_a_lease(milepost: CommandLine, store: Path) -> None:
    """With --apply the plan is carried out, and who held the job before is fenced off."""
    answer = milepost.json("recover", "nightly", "--apply")
    assert (answer["applied"], answer["phase"]) == (True, "map")
    with StateManager.open(store, read_only=True) as manager:
        state = manager.get_state("nightly")
    assert (state.fence, state.owner, state.orphaned) == (2, None, False)
    assert (state.progress.running, state.progress.failed, state.progress.pending) == (0, 0, 5)
    again = milepost("recover", "nightly", "--apply")
    assert again.stdout.endswith("nothing to change: a run does what is left\n")
    assert milepost.json("show", "nightly")["fence"] == 2


def test_recover_asks_for_a_reason_to_take_over(held: CommandLine) -> None:
    """A holder that seems alive keeps the job, unless somebody says why it should not."""
    refused = held("recover", "nightly", "--apply", exit_code=2)
    assert "nightly is held by worker-1 until" in refused.stderr
    held("recover", "nightly", "--apply", "--take-over", " ", exit_code=2)
    held("recover", "nightly", "--apply", "--take-over", "it hangs")
    assert "reason=it hangs" in held("history", "nightly").stdout


def test_recover_rewinds_to_a_checkpoint(milepost: CommandLine) -> None:
    """What was recorded after the checkpoint is undone, and stays in the history."""
    planned = milepost.json("recover", "nightly", "--rewind", "5")
    assert (planned["plan"]["rewinds_to"], planned["applied"]) == (5, False)
    milepost("recover", "nightly", "--rewind", "5", "--apply")
    shown = milepost.json("show", "nightly")
    assert shown["progress"]["dead"] == 0
    assert [to for _, to in shown["rewinds"]] == [5]
    assert (
        "no checkpoint at seq 6"
        in milepost("recover", "nightly", "--rewind", "6", exit_code=2).stderr
    )


def test_rewind_goes_back_to_any_commit(milepost: CommandLine, store: Path) -> None:
    """Not to checkpoints alone; without --apply nothing changes."""
    before = store.read_bytes()
    planned = milepost.json("rewind", "nightly", "-5")
    assert (planned["plan"]["rewinds_to"], planned["applied"], planned["seq"]) == (4, False, 9)
    assert store.read_bytes() == before
    answer = milepost.json("rewind", "nightly", "4", "--apply", "--reason", "the wrong model")
    assert (answer["applied"], answer["phase"]) == (True, "map")
    shown = milepost.json("show", "nightly")
    assert (shown["progress"]["done"], [to for _, to in shown["rewinds"]]) == (0, [4])
    assert (shown["fence"], shown["lease"]) == (2, None)
    assert "reason=the wrong model" in milepost("history", "nightly").stdout
    assert milepost("verify", "nightly").stdout.endswith(": sound\n")


def test_rewind_asks_for_a_reason_to_take_over(held: CommandLine) -> None:
    """As recover does."""
    refused = held("rewind", "nightly", "4", "--apply", exit_code=2)
    assert "nightly is held by worker-1 until" in refused.stderr
    held("rewind", "nightly", "4", "--apply", "--take-over", " ", exit_code=2)
    held("rewind", "nightly", "4", "--apply", "--take-over", "it hangs")
    assert "reason=it hangs" in held("history", "nightly").stdout


def test_fork_makes_a_job_only_if_it_is_told_to(milepost: CommandLine, store: Path) -> None:
    """The new job has what the other had at the commit; the other is as it was."""
    before = store.read_bytes()
    planned = milepost.json("fork", "nightly", "5", "again")
    assert (planned["applied"], planned["job"], planned["source"]) == (False, "again", "nightly")
    assert (planned["moment"]["seq"], planned["moment"]["progress"]["done"]) == (5, 2)
    assert "nothing was changed: --apply does it" in milepost("fork", "nightly", "5", "x").stdout
    assert store.read_bytes() == before
    shown = milepost.json("show", "nightly")
    done = milepost("fork", "nightly", "5", "again", "--apply", "--reason", "another model")
    assert done.stdout.endswith("again is there, held by nobody\n")
    assert milepost.json("show", "nightly") == shown
    forked = milepost.json("show", "again")
    assert (forked["seq"], forked["lease"], forked["checkpoint"]) == (6, None, None)
    assert forked["progress"] == planned["moment"]["progress"]
    last = milepost.json("history", "again")["events"][-1]
    assert last["payload"] == {"from_job": "nightly", "from_seq": 5, "reason": "another model"}
    assert milepost("verify").exit_code == 0


def test_fork_says_what_is_in_the_way(milepost: CommandLine) -> None:
    """An id that is taken, one that is none, a commit that is not there: with --apply or not."""
    for apply in ((), ("--apply",)):
        taken = milepost("fork", "nightly", "5", "weekly-1", *apply, exit_code=2)
        assert "job 'weekly-1' exists" in taken.stderr
        assert "job id 'a b'" in milepost("fork", "nightly", "5", "a b", *apply, exit_code=2).stderr
        absent = milepost("fork", "nightly", "10", "again", *apply, exit_code=2)
        told = (
            "job nightly: there is no commit 10, only 1 to 9: `milepost history nightly` shows them"
        )
        assert absent.stderr == f"milepost: {told}\n"


def test_expired_leases_are_listed_and_freed(milepost: CommandLine) -> None:
    """All jobs at once; without --apply nothing is changed."""
    stuck = json.loads(milepost("jobs", "--stuck", "--json").stdout)
    assert stuck["schema"] == "milepost.jobs.stuck/1"
    assert [(job["id"], job["owner"]) for job in stuck["jobs"]] == [("nightly", "worker-1")]
    assert json.loads(milepost("recover", "--expired", "--json").stdout)["applied"] is False
    assert milepost.json("show", "nightly")["lease"]["expired"]
    freed = milepost("recover", "--expired", "--apply").stdout
    assert "applied: 1 freed" in freed
    shown = milepost.json("show", "nightly")
    assert (shown["lease"], shown["fence"], shown["progress"]["failed"]) == (None, 2, 1)
    assert "the lease of worker-1 had expired" in milepost("history", "nightly").stdout
    assert "no lease has expired" in milepost("jobs", "--stuck").stderr
    assert "no lease has expired" in milepost("recover", "--expired", "--apply").stdout
    for wrong in (
        ["recover"],
        ["recover", "nightly", "--expired"],
        ["jobs", "--stuck", "--prefix", "n"],
    ):
        assert milepost(*wrong, exit_code=2).stderr
