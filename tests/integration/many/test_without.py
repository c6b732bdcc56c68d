"""What can be had of a job whose lifecycle is not at hand: all that needs no table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from milepost import ItemEvent, Scope, StateManager, StateStore
from milepost.cli import main
from milepost.errors import LifecycleChanged, LifecycleUnknown, RoleAbsent
from milepost.state.keeping.salvage import salvage
from milepost.state.persistence import open_store
from milepost.state.reading.verification import Soundness
from milepost.testing import FakeClock
from tests.integration.many.orders import ORDERS_1, ORDERS_2, compiled, write
from tests.integration.shapes import lifecycles as shapes
from tests.integration.upgrades.versions import edited

ITEMS = ["a", "b", "c", "d"]


def manager_of(store: StateStore, *texts: str) -> StateManager:
    """A manager that has these versions of orders, each with the ones after it as earlier."""
    given = [compiled(text, *texts[at + 1 :]) for at, text in enumerate(texts)]
    return StateManager(store, lifecycles=given[:1], earlier=given[1:], clock=FakeClock())


def told(manager: StateManager, job_id: str = "o") -> dict[str, object]:
    """What can be asked about a job by those who have no tables."""
    summary = manager.summary(job_id)
    events = manager.get_state_history(job_id)
    return {
        "summary": [summary.lifecycle, summary.version, summary.phase, summary.progress],
        "results": dict(manager.results(job_id)),
        "some": list(manager.results(job_id, ordinals=[2, 0], order="recorded")),
        "sizes": manager.sizes(job_id),
        "events": [(one.seq, one.kind, one.event, one.fence, one.owner) for one in events],
        "phases": [(one.seq, one.source, one.target) for one in events if one.kind != "items"],
        "payloads": [one.payload for one in events],
        "items": [list(one.items) for one in events if one.kind in ("items", "added", "rejected")],
    }


def work(manager: StateManager, job_id: str = "o") -> None:
    """A job that was held, grown, recorded in two orders, taken back, and left in reduce."""
    manager.create_job(ITEMS[:3], job_id=job_id, variables={"day": "mon"})
    with manager.lease(job_id, "worker", renewed=False):
        manager.fire(job_id, "start_map", {"variables": {"shop": 7}})
        manager.add_items(job_id, ITEMS[3:])
        manager.record(job_id, [ItemEvent(item, "start") for item in ITEMS])
        manager.record(job_id, [ItemEvent("c", "succeed", {"result": {"c": 1}})])
        kept = manager.create_checkpoint(job_id)
        manager.record(job_id, [ItemEvent("b", "succeed", {"result": "undone"})])
        plan = manager.recover_from_checkpoint(kept, rewind=True)
        manager.apply(plan)
        again = [one for one in ITEMS if one != "c"]
        manager.record(job_id, [ItemEvent(item, "start") for item in again])
        results = [ItemEvent(item, "succeed", {"result": item * 2}) for item in again]
        manager.record(job_id, results[::-1])
        manager.fire(job_id, "finish_map")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of this project, whose [tool.milepost] names lifecycles that commands would find."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    return open_store("memory:" if request.param == "memory" else tmp_path / "jobs.db")


def test_the_same_is_told_without_the_tables(store: StateStore) -> None:
    """Progress and results by what the store tells of the lifecycle; the rest by the log."""
    own = manager_of(store, ORDERS_1)
    work(own)
    expected = told(own)
    assert expected["results"] == {"a": "aa", "b": "bb", "c": {"c": 1}, "d": "dd"}
    assert told(manager_of(store)) == expected
    assert not manager_of(store).summary("o").at_hand


def test_members_of_several_collections_are_told_apart(store: StateStore) -> None:
    """Each by the roles of its own machine; a result may be a number that guards could read."""
    own = StateManager(store, lifecycles=[shapes.compiled(shapes.SHIPPING)], clock=FakeClock())
    own.create_job(collections={"lines": ["pen", "ink"], "parcels": ["box"]}, job_id="o")
    own.fire("o", "pick", {"notes": {"gift": True}})
    own.add_items("o", ["pad"], collection="lines")
    own.record("o", [ItemEvent(key, "pack") for key in ("lines/pen", "lines/pad", "parcels/box")])
    own.record("o", [ItemEvent("lines/pad", "pack_done", {"box": [1]})])
    expected = told(own)
    alone = told(manager_of(store))
    assert {**alone, "some": 0} == {**expected, "some": 0}
    assert alone["results"] == {"lines/pad": [1]}
    (verdict,) = manager_of(store).verify()
    assert (verdict.verdict, verdict.items) == (Soundness.CANNOT_TELL, 4)


def test_a_job_without_items_is_told(store: StateStore) -> None:
    """Its history and variables; it has no results of items, and says so."""
    own = StateManager(store, lifecycles=[shapes.compiled(shapes.APPROVAL)], clock=FakeClock())
    own.create_job(job_id="o")
    own.fire("o", "submit", {"form": {"days": 3}})
    own.fire("o", "grant", {"by": "me"})
    alone = manager_of(store)
    assert alone.summary("o") == replace(own.summary("o"), at_hand=False)
    assert steps(alone) == steps(own)
    assert alone.sizes("o") == own.sizes("o")
    with pytest.raises(RoleAbsent, match="its jobs have no items"):
        list(alone.results("o"))


def steps(manager: StateManager) -> list[tuple[object, ...]]:
    """The history of the job `o`, without transitions."""
    events = manager.get_state_history("o")
    return [(one.seq, one.event, one.source, one.target, one.payload) for one in events]


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.get_state("o"),
        lambda m: m.fire("o", "pause"),
        lambda m: m.record("o", [ItemEvent("a", "start")]),
        lambda m: m.failures("o"),
        lambda m: m.result("o"),
        lambda m: m.recover_from_checkpoint("o"),
        lambda m: m.requeue("o", Scope.all()),
        lambda m: m.diff("o", 1, 2),
        lambda m: m.state_at("o", 1),
        lambda m: m.upkeep.repair("o"),
        lambda m: m.upkeep.compact("o"),
    ],
)
def test_what_needs_tables_says_which(ask: Callable[[StateManager], object]) -> None:
    """Lifecycle, version and digest, and how to name its module; nothing is guessed."""
    store = open_store("memory:")
    work(manager_of(store, ORDERS_1))
    with pytest.raises(LifecycleUnknown) as refused:
        ask(manager_of(store))
    error = refused.value
    assert (error.lifecycle, error.version) == ("orders", 1)
    assert error.digest == compiled(ORDERS_1).digest
    assert "name its module" in str(error)


def test_a_job_that_was_taken_further_is_told_by_each_version(store: StateStore) -> None:
    """The store tells of both versions; who has only the first sees that the second is later."""
    work(manager_of(store, ORDERS_1))
    second = manager_of(store, ORDERS_2, ORDERS_1)
    second.fire("o", "pause")
    expected = told(second)
    assert told(manager_of(store)) == expected
    assert told(manager_of(store, ORDERS_1))["results"] == expected["results"]
    only_second = StateManager(store, lifecycles=[compiled(ORDERS_2, ORDERS_1)], clock=FakeClock())
    assert told(only_second) == expected
    with pytest.raises(LifecycleChanged, match="earlier="):
        only_second.state_at("o", 2)
    with pytest.raises(LifecycleChanged, match=r"later version \(2\) than this code's 1"):
        manager_of(store, ORDERS_1).get_state("o")
    assert [one.verdict for one in only_second.verify()] == [Soundness.SOUND]


def test_the_verdict_is_that_it_cannot_be_told(store: StateStore) -> None:
    """The chain is checked, and so is all but the steps: neither sound nor not sound."""
    work(manager_of(store, ORDERS_1))
    (found,) = manager_of(store).verify()
    assert (found.verdict, found.sound, found.problems) == (Soundness.CANNOT_TELL, False, ())
    assert found.unchecked == f"no table for orders 1 ({compiled(ORDERS_1).digest:.12})"
    (own,) = manager_of(store, ORDERS_1).verify()
    assert (own.verdict, own.unchecked) == (Soundness.SOUND, "")
    assert (found.commits, found.checkpoints, found.items) == (
        own.commits,
        own.checkpoints,
        own.items,
    )


DAMAGE = {
    "a fact": "UPDATE commits SET at_us = at_us + 1 WHERE id & 1023 = 4",
    "a body": "UPDATE commits SET body = x'6e756c6c' WHERE length(body) > 4",
    "the end": "DELETE FROM commits WHERE id = (SELECT max(id) FROM commits)",
    "a checkpoint": "UPDATE checkpoints SET snapshot = x'00'",
    "an item": "UPDATE inputs SET keys = x'00'",
    "the entry": "UPDATE jobs SET created_at_us = 1",
    "the lease": "UPDATE leases SET fence = 9",
    "what is told": "UPDATE lifecycles SET description = x'00'",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_without_the_tables(damage: str, tmp_path: Path) -> None:
    """The control of the verdict: what is wrong is NOT SOUND, whoever asks."""
    path = tmp_path / "jobs.db"
    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
    change(path, damage)
    for texts in ((), (ORDERS_1,)):
        with manager_of(open_store(path), *texts) as manager:
            assert [one.verdict for one in manager.verify()] == [Soundness.NOT_SOUND], texts


def change(path: Path, statement: str) -> None:
    connection = apsw.Connection(str(path))
    triggers = list(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    )
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for each in (statement, *(sql for _, sql in triggers)):
        connection.execute(each)
    assert connection.total_changes() > 0
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE lifecycles SET description = x'00' WHERE name = 'orders'",
        "UPDATE lifecycles SET digest = 'x' WHERE name = 'orders'",
        "UPDATE lifecycles SET version = 9 WHERE name = 'orders'",
    ],
)
def test_what_is_told_is_made_anew_by_a_repair(damage: str, tmp_path: Path) -> None:
    """It is derived from the tables; until then nobody believes it."""
    path = tmp_path / "jobs.db"
    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
        expected = told(manager)
    change(path, damage)
    with manager_of(open_store(path)) as alone:
        assert alone.summary("o").lifecycle == "orders", "the log says it"
        assert alone.upkeep.check_store()
        with pytest.raises(LifecycleUnknown):
            list(alone.results("o"))
    with manager_of(open_store(path), ORDERS_1) as manager:
        manager.upkeep.repair("o", apply=True)
        manager.upkeep.strays(apply=True)
        assert manager.upkeep.check_store() == []
        assert manager.create_job(["z"], job_id="z").lifecycle.name == "orders"
    with manager_of(open_store(path)) as alone:
        assert dict(alone.results("o")) == expected["results"]


def test_a_store_of_an_older_format_tells_names_by_its_log(tmp_path: Path) -> None:
    """It has no place for what is told: what only that says cannot be had, the rest can."""
    path = tmp_path / "jobs.db"
    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE spans; DROP TABLE lifecycles; PRAGMA user_version = 3")
    connection.close()
    with StateManager.open(path, read_only=True) as alone:
        summary = alone.summary("o")
        assert (summary.lifecycle, summary.version, summary.phase) == ("orders", 1, "reduce")
        assert summary.progress is None
        assert len(alone.get_state_history("o")) > 5
        assert alone.sizes("o").largest
        with pytest.raises(LifecycleUnknown):
            list(alone.results("o"))
    with manager_of(open_store(path), ORDERS_1) as manager:
        manager.create_job(["z"], job_id="z")
    with StateManager.open(path) as alone:
        assert len(dict(alone.results("o"))) == len(ITEMS), "the next job of it told of it"


def test_copies_and_forks_carry_what_is_told(tmp_path: Path) -> None:
    """A backup, a salvage, and a fork of a job by those who have the tables."""
    path = tmp_path / "jobs.db"
    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
        manager.fork("o", 7, "forked")
        expected = told(manager)
    with StateManager.open(path) as alone:
        alone.upkeep.back_up(tmp_path / "backup.db")
    jobs = list(salvage(path, tmp_path / "salvaged.db"))
    assert [(job.whole, job.problem) for job in jobs] == [(True, "")] * 2
    for copy in ("backup.db", "salvaged.db"):
        with manager_of(open_store(tmp_path / copy)) as alone:
            found = told(alone)
            assert {**found, "sizes": 0} == {**expected, "sizes": 0}, "where keys are is derived"
            assert dict(alone.results("forked")) == {"c": {"c": 1}}


def test_a_lifecycle_without_results_says_so(store: StateStore) -> None:
    """A role that it does not name is no empty answer."""
    mute = edited(ORDERS_1, ("      result: succeed.result\n", ""))
    manager_of(store, mute).create_job(ITEMS, job_id="o")
    with pytest.raises(RoleAbsent, match="'result'"):
        list(manager_of(store).results("o"))


def milepost(path: Path, *args: str) -> Result:
    result = CliRunner().invoke(main, [*args, "--db", str(path)])
    assert "Traceback" not in result.output
    return result


def test_the_command_line_answers_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jobs, history, sizes, backup and gc answer; verify exits 2; the rest says what is missing."""
    monkeypatch.chdir(tmp_path)  # where no project has another lifecycle of that name
    path = tmp_path / "jobs.db"
    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
        manager.create_job(["x"], job_id="m", lifecycle="mapreduce")
    orders = compiled(ORDERS_1)
    listed = milepost(path, "jobs").output
    (line,) = [line.split() for line in listed.splitlines() if line.startswith("o ")]
    assert line[:9] == ["o", "orders", "1", "reduce", "4", "0", "0", "0", "4"]
    for args in (("history", "o"), ("sizes", "o"), ("keep", "o"), ("checkpoint", "o", "--list")):
        assert milepost(path, *args).exit_code == 0, args
    shown = milepost(path, "gc")
    assert f"runs by orders version 1 ({orders.digest:.12})" in shown.output

    told = milepost(path, "verify")
    assert told.exit_code == 2
    assert (
        "o: the chain is sound; its steps were not checked:"
        f" no table for orders 1 ({orders.digest:.12})"
    ) in told.output
    assert "NOT SOUND" not in told.output
    answer = json.loads(milepost(path, "verify", "--json").stdout)
    assert (answer["verdict"], answer["sound"]) == ("cannot tell", None)
    assert [(job["job"], job["verdict"], job["sound"]) for job in answer["jobs"]] == [
        ("m", "sound", True),
        ("o", "cannot tell", None),
    ]
    repaired = milepost(path, "verify", "--repair", "--apply")
    assert repaired.exit_code == 2
    assert "job o runs by orders version 1" in repaired.stderr
    for args in (("show", "o"), ("recover", "o"), ("items", "o"), ("plan", "o")):
        refused = milepost(path, *args)
        assert refused.exit_code == 2, args
        assert "--lifecycle MODULE" in refused.stderr

    module = write(tmp_path / "lib", ORDERS_1)
    known = milepost(path, "verify", "--lifecycle", str(module))
    assert (known.exit_code, known.output.count("sound")) == (0, 3)


def test_lifecycles_says_whether_the_very_tables_are_at_hand(tmp_path: Path) -> None:
    """A lifecycle of that name is not enough: its version may be another."""
    path = tmp_path / "jobs.db"
    first = str(write(tmp_path / "first", ORDERS_1))
    alone = str(write(tmp_path / "alone", ORDERS_2))
    second = str(write(tmp_path / "second", ORDERS_2, ORDERS_1))

    def found(*args: str) -> dict[int, tuple[bool, str]]:
        answer = json.loads(milepost(path, "lifecycles", "--json", *args).stdout)
        stored = answer["stored"]
        return {one["version"]: (one["at_hand"], one["problem"]) for one in stored}

    with manager_of(open_store(path), ORDERS_1) as manager:
        work(manager)
    assert found("--lifecycle", first) == {1: (True, "")}
    assert found("--lifecycle", second) == {1: (True, "")}, "its earlier version is there too"
    assert found("--lifecycle", alone) == {1: (False, "earlier than 2, name its table too")}
    assert found() == {1: (False, "")}
    with manager_of(open_store(path), ORDERS_2) as manager:
        manager.create_job(["x"], job_id="later")
    assert found("--lifecycle", first) == {1: (True, ""), 2: (False, "later than 1")}
    told = milepost(path, "lifecycles", "--lifecycle", first).output
    assert "no: later than 1" in told


def test_verify_counts_all_checkpoints_whatever_tables_are_at_hand(store: StateStore) -> None:
    """The right tables, none, and those of the version before: the checkpoints are as many."""
    work(manager_of(store, ORDERS_1))
    both = manager_of(store, ORDERS_2, ORDERS_1)
    both.create_checkpoint("o")
    with both.lease("o", "worker", renewed=False):
        both.fire("o", "pause")
    both.create_checkpoint("o")
    assert both.summary("o").version == 2
    counted = {
        name: (verdict.checkpoints, verdict.verdict)
        for name, verdict in (
            ("right", both.verify("o")[0]),
            ("none", manager_of(store).verify("o")[0]),
            ("earlier", manager_of(store, ORDERS_1).verify("o")[0]),
        )
    }
    count = counted["right"][0]
    assert count >= 3
    assert counted == {
        "right": (count, Soundness.SOUND),
        "none": (count, Soundness.CANNOT_TELL),
        "earlier": (count, Soundness.CANNOT_TELL),
    }


def test_gc_of_a_lifecycle_looks_at_its_jobs_alone(tmp_path: Path) -> None:
    """Others are neither listed nor touched, even where their owner's word has run out."""
    path = tmp_path / "jobs.db"
    module = str(write(tmp_path / "orders", ORDERS_1))
    with manager_of(open_store(path), ORDERS_1) as manager:
        for job_id, lifecycle in (("o", "orders"), ("m", "mapreduce")):
            manager.create_job(["x"], job_id=job_id, lifecycle=lifecycle)
            manager.fire(job_id, "cancel")
    given = ("--lifecycle", module)
    assert milepost(path, "keep", "m", "--for", "1s", *given).exit_code == 0
    everything = json.loads(milepost(path, "gc", "--json", *given).stdout)["jobs"]
    assert {one["job"]: one["goes"] for one in everything} == {"o": True, "m": True}, "control"
    planned = json.loads(milepost(path, "gc", "--of", "orders", "--json", *given).stdout)
    assert [one["job"] for one in planned["jobs"]] == ["o"]
    assert "mapreduce" not in milepost(path, "gc", "--of", "orders", *given).output
    done = milepost(path, "gc", "--of", "orders", "--apply", "--json", *given)
    assert json.loads(done.stdout)["done"]["deleted"] == ["o"]
    assert [one["id"] for one in json.loads(milepost(path, "jobs", "--json").stdout)["jobs"]] == [
        "m"
    ]
