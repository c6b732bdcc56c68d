"""Repair: what is derived is made anew, what cannot be read is set aside, and the log says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from milepost import ItemEvent, LeaseLost, StateManager
from milepost.cli import main
from milepost.errors import LogCorrupt, StoreUnreadable
from milepost.testing import FakeClock
from tests.integrity.sample import answers, make


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "jobs.db")


def damage(database: Path, *statements: str) -> None:
    """Change the file behind Milepost's back, its triggers put back as they were."""
    connection = apsw.Connection(str(database))
    wanted = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    triggers = list(connection.execute(wanted))
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in (*statements, *(sql for _, sql in triggers)):
        connection.execute(statement)
    connection.close()


@contextmanager
def opened(database: Path) -> Iterator[StateManager]:
    with StateManager.open(database, clock=FakeClock()) as manager:
        yield manager


def told(database: Path) -> dict[str, str]:
    """The answers as text, in which errors are compared by what they say."""
    return {name: str(answer) for name, answer in answers(database).items()}


def verify(database: Path, *args: str) -> Result:
    result = CliRunner().invoke(main, ["verify", "--db", str(database), *args])
    assert "Traceback" not in result.output
    return result


def test_a_sound_store_needs_no_repair(database: Path) -> None:
    """Asked to repair what is sound, it changes not a byte of any answer."""
    before = told(database)
    with opened(database) as manager:
        repair = manager.repair("first", apply=True)
        assert (repair.steps, repair.lost, repair.beyond) == ((), None, ())
        assert list(manager.quarantine()) == []
    assert told(database) == before


def test_a_dry_run_changes_nothing(database: Path) -> None:
    """Without --apply the answer is what would be done, and everything is as it was."""
    damage(database, "UPDATE commits SET head = x'5b5d' WHERE job = 1 AND seq = 9")
    before = told(database)
    first, again = (verify(database, "--repair", "--json") for _ in range(2))
    assert (first.exit_code, first.stdout) == (1, again.stdout)
    answer = json.loads(first.stdout)
    assert (answer["schema"], answer["applied"], answer["sound"]) == (
        "milepost.repair/1",
        False,
        False,
    )
    assert told(database) == before


def test_a_damaged_commit_and_all_behind_it_are_set_aside_whole(database: Path) -> None:
    """The job stands where its log verifies; what is set aside can be listed, read and used."""
    with opened(database) as manager:
        tip = manager.get_state("first")
        results = dict(manager.results("first"))
        expected = manager.state_at("first", 8)
    damage(database, "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq = 9")
    with opened(database) as manager:
        with pytest.raises(LogCorrupt, match="commit 9"):
            manager.get_state_history("first")
        planned = manager.repair("first")
        assert planned.lost is not None
        assert (planned.lost.first, planned.lost.last) == (9, tip.seq)
        assert planned.lost.rows == tip.seq - 8
        assert planned.lost.results == 3
        done = manager.repair("first", apply=True)
        assert (done.steps, done.lost, done.seq) == (planned.steps, planned.lost, 9)
        assert all(one.sound for one in manager.verify())
        assert manager.check_store() == []

        state = manager.get_state("first")
        assert (state.phase, state.items, state.variables) == (
            expected.phase,
            expected.items,
            expected.variables,
        )
        event, checkpoint = manager.get_state_history("first", after=8)
        assert checkpoint.kind == "checkpoint"
        assert (event.kind, event.payload["lost_from"], event.payload["lost_upto"]) == (
            "repaired",
            9,
            tip.seq,
        )
        aside = list(manager.quarantine("first"))
        assert [row.key for row in aside if row.source == "commits"] == [*range(9, tip.seq + 1)]
        assert not list(manager.quarantine("second"))
        had = {
            r.item: r.payload["result"]
            for row in aside
            for r in row.results
            if "result" in (r.payload or {})
        }
        recorded = dict(manager.results("first"))
        assert {**recorded, **had} == results
        assert not recorded.keys() & had.keys()

    lines = [
        json.loads(line)
        for line in verify(database, "--quarantine", "--results").stdout.splitlines()
    ]
    found = {
        line["item"]: line["payload"]["result"] for line in lines if line["event"] == "succeed"
    }
    assert found == had
    listed = json.loads(verify(database, "first", "--quarantine", "--json").stdout)
    assert (listed["schema"], len(listed["rows"])) == ("milepost.quarantine/1", len(aside))
    with opened(database) as manager:  # and the work can be recorded again
        with manager.lease("first", "worker 2", renewed=False):
            manager.apply(manager.recover_from_checkpoint("first"))
            waiting = [key for key in found if manager.get_state("first").item(key)[0] == "pending"]
            manager.record("first", [ItemEvent(key, "start") for key in waiting])
            succeeded = [ItemEvent(key, "succeed", {"result": found[key]}) for key in waiting]
            manager.record("first", succeeded)
        assert dict(manager.results("first")) == results


def test_those_who_held_the_job_before_a_repair_write_no_more(tmp_path: Path) -> None:
    """A fence that was lost with its commit is never given out again (INV-FENCE)."""
    path = tmp_path / "jobs.db"
    with opened(path) as old, opened(path) as new:
        old.create_job(["a", "b"], job_id="job")
        with old.lease("job", "worker 1", ttl_s=9, renewed=False) as held:
            damage(path, "DELETE FROM commits WHERE job = 1 AND seq = 2")  # it says who holds it
            new.repair("job", apply=True)
            with new.lease("job", "worker 2", renewed=False) as lease:
                assert lease.fence > held.fence
                with pytest.raises(LeaseLost):
                    old.fire("job", "start_map")
                assert new.fire("job", "start_map").phase == "map"
        assert all(one.sound for one in new.verify())


@pytest.mark.parametrize(
    ("statement", "invariant", "says"),
    [
        ("UPDATE checkpoints SET snapshot = x'00' WHERE id = 1 << 40 | 7", "INV-FOLD", "takes one"),
        ("UPDATE jobs SET lifecycle = 'other' WHERE number = 1", "entry", "writes the entry"),
        ("UPDATE jobs SET created_at_us = 5 WHERE number = 1", "entry", "writes the entry"),
        ("UPDATE leases SET expires_at_us = 5 WHERE job = 1", "lease", "writes the lease"),
        ("DELETE FROM leases WHERE job = 1", "lease", "writes the lease"),
        ("DELETE FROM tips WHERE job = 1", "readable", "notes the newest"),
    ],
)
def test_what_is_derived_is_made_anew_and_nothing_is_lost(
    database: Path, statement: str, invariant: str, says: str
) -> None:
    """State, results and plan are as before; the repair is in the history."""
    with opened(database) as manager:
        before = manager.get_state("first")
        results = list(manager.results("first"))
    damage(database, statement)
    with opened(database) as manager:
        (problem,) = manager.verify("first")[0].problems
        assert problem.invariant == invariant
        assert problem.repairable
        (step,) = manager.repair("first").steps
        assert says in step.does
        assert manager.repair("first", apply=True).lost is None
        assert manager.verify("first")[0].problems == ()
        after = manager.get_state("first")
        assert (after.items, after.phase, after.seq) == (before.items, before.phase, before.seq + 1)
        assert list(manager.results("first")) == results
        assert manager.list_jobs()
        assert manager.get_state_history("first")[-1].kind in ("repaired", "checkpoint")


def test_every_problem_of_a_job_is_told_with_what_is_lost(database: Path) -> None:
    """Checkpoints, bodies and items are all looked at, whatever was found before them."""
    damage(
        database,
        "UPDATE checkpoints SET snapshot = x'00' WHERE id >> 40 = 1",
        "UPDATE commits SET body = x'5b5d' WHERE job = 1 AND seq IN (5, 7)",
        "UPDATE inputs SET keys = x'5b5d' WHERE id >> 40 = 1",
        "UPDATE leases SET fence = 9 WHERE job = 1",
    )
    with opened(database) as manager:
        problems = manager.verify("first")[0].problems
        assert [(p.invariant, p.seq, p.repairable) for p in problems] == [
            ("INV-FOLD", 7, True),
            ("INV-FOLD", 10, True),
            ("INV-CHAIN", 5, False),
            ("INV-CHAIN", 7, False),
            ("inputs", None, False),
            ("lease", None, True),
        ]
        assert all(problem.lost for problem in problems)
        assert "the results of" in problems[2].lost
        repaired = manager.repair("first", apply=True)
        assert [p.invariant for p in repaired.beyond] == ["INV-CHAIN", "INV-CHAIN", "inputs"]
        assert manager.get_state("first").progress.done == 17  # done stays done
        with pytest.raises(LogCorrupt, match="commit 5"):  # and what is lost is said to be
            list(manager.results("first"))
    assert verify(database, "--repair", "--apply").exit_code == 1


def test_a_log_without_its_beginning_is_left_as_it_is(database: Path) -> None:
    """There is nothing for the rest to stand on."""
    damage(database, "UPDATE commits SET head = x'00' WHERE job = 1 AND seq = 1")
    with opened(database) as manager:
        before = manager.verify("first")
        repair = manager.repair("first", apply=True)
        assert (repair.steps, repair.seq, repair.applied) == ((), 0, False)
        assert repair.beyond
        assert manager.verify("first") == before
        assert list(manager.quarantine()) == []


def test_rows_of_no_job_are_reported_and_set_aside(database: Path) -> None:
    """What belongs to nobody is neither believed nor dropped."""
    damage(
        database,
        "INSERT INTO leases (job, owner, fence, expires_at_us, seal)"
        " VALUES (7, 'nobody', 1, 1, x'')",
        "UPDATE checkpoints SET id = 5 << 40 | 7 WHERE id = 1 << 40 | 7",
    )
    result = verify(database)
    assert result.exit_code == 1
    assert "1 rows of checkpoints are of the job numbered 5" in result.stdout
    assert verify(database, "--repair", "--apply").exit_code == 0
    assert verify(database).exit_code == 0
    with opened(database) as manager:
        assert {row.source for row in manager.quarantine()} == {"leases", "checkpoints"}


def test_a_damaged_medium_is_not_repaired_in_place(database: Path) -> None:
    """Writing to a file in which SQLite finds damage could harm what is whole."""
    content = bytearray(database.read_bytes())
    content[512 * 25 : 512 * 26] = b"\xff" * 512
    database.write_bytes(content)
    with opened(database) as manager:
        assert manager.check_store()
        with pytest.raises(StoreUnreadable, match="copies what can be read into a new file"):
            manager.repair("first", apply=True)
    assert verify(database, "--repair", "--apply").exit_code == 2
    assert bytes(content) == database.read_bytes()


def test_a_manager_that_knew_the_job_before_learns_of_its_repair(database: Path) -> None:
    """What is remembered of a log that was cut is not gone on from."""
    with opened(database) as knows, opened(database) as repairs:
        assert knows.get_state("first").progress.done == 17
        damage(database, "UPDATE commits SET head = x'00' WHERE job = 1 AND seq = 9")
        repairs.repair("first", apply=True)
        assert knows.get_state("first") == repairs.get_state("first")
        assert knows.fire("first", "pause").phase == "paused"


def test_options_that_do_not_go_together(database: Path) -> None:
    """Wrong usage is said to be."""
    for args in (["--apply"], ["--results"], ["--repair", "--quarantine"]):
        assert verify(database, *args).exit_code == 2
