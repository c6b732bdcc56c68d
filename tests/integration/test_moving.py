"""Jobs that are moved to another store: the same there, to the byte, and gone here."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost import Item, ItemEvent, RetentionPolicy, StateManager, TransitionRefused
from milepost.cli import main
from milepost.errors import (
    ArgumentInvalid,
    JobAbsent,
    JobExists,
    JobMoved,
    LeaseHeld,
    MoveFailed,
    RecordConflict,
    StoreError,
    StoreReadOnly,
)
from milepost.executors import run
from milepost.log.rows import InputBlock, Staged
from milepost.state.keeping import moving
from milepost.testing import FakeClock
from milepost.worker.beside import Beside
from tests.integration.many.orders import ORDERS_1, compiled
from tests.integration.moved import JOBS, content, known, tell
from tests.postgres import needs_postgres, new_url
from tests.stores.make import store_of

SOAK: Final = int(os.environ.get("MILEPOST_SOAK", "1"))
NOW: Final = RetentionPolicy(completed=timedelta(), failed=timedelta(), cancelled=timedelta())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["file", pytest.param("server", marks=needs_postgres)])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where jobs are moved to."""
    if request.param == "file":
        return str(tmp_path / "other.db")
    return new_url(request.getfixturevalue("postgres"))


@contextmanager
def opened(where: str | Path, clock: FakeClock, **how: Any) -> Iterator[StateManager]:
    with StateManager.open(where, clock=clock, durability="process", **how) as manager:
        yield manager


def sound(manager: StateManager) -> bool:
    """True if the store is as it promises, all its jobs are, and nothing is on its way."""
    with manager._store.reading() as reader:
        assert reader.staged() == []
    return not manager.upkeep.check_store() and all(one.sound for one in manager.verify())


def moved(manager: StateManager, to: str | Path, job_id: str | None = None) -> list[str]:
    """The outcomes, job by job."""
    return [job.outcome for job in manager.upkeep.move(to, job_id=job_id, apply=True).jobs]


def refused(manager: StateManager, to: str | Path, job_id: str) -> Exception:
    """Why the job stays, which it does."""
    [job] = manager.upkeep.move(to, job_id=job_id, apply=True).jobs
    assert job.outcome == "refused"
    assert job.error is not None
    return job.error


def _into(told: list[tuple[Any, ...]]) -> Callable[..., None]:
    return lambda *each: told.append(each)


def test_a_store_goes_to_another_and_comes_back_as_it_was(
    other: str, tmp_path: Path, clock: FakeClock
) -> None:
    """All that is stored of each job but its number, and the files of their logs to the byte."""
    first, last, log = tmp_path / "first.db", tmp_path / "last.db", tmp_path / "job.log"
    with opened(first, clock) as manager:
        tell(manager, clock)
        before = {job: content(manager._store, job) for job in JOBS}
        logs: dict[str, bytes] = {}
        for job in JOBS:
            manager.upkeep.export_log(job, log)
            logs[job] = log.read_bytes()
    for source, target in ((first, other), (other, last)):
        with opened(source, clock) as manager:
            told: list[tuple[Any, ...]] = []
            done = manager.upkeep.move(target, apply=True, on_move=_into(told))
            assert [(job.job_id, job.outcome) for job in done.jobs] == [(j, "moved") for j in JOBS]
            assert {job for job, _, _ in told} == set(JOBS)
            assert all(there == of for _, there, of in told)
            assert manager.job_ids() == []
            assert sound(manager)
        with opened(target, clock) as manager:
            assert {job: content(manager._store, job) for job in JOBS} == before
            assert sound(manager)
            for job in JOBS:
                manager.upkeep.export_log(job, log)
                assert log.read_bytes() == logs[job]
    with opened(last, clock) as manager:
        assert manager.record("grown", [ItemEvent("a", "start")]).progress.running == 1
        assert manager.kept("whole") is not None
        assert dict(manager.results("whole"))["k3"] == "üüü"


def test_without_apply_nothing_is_made_or_changed(tmp_path: Path, clock: FakeClock) -> None:
    with opened(tmp_path / "jobs.db", clock) as manager:
        tell(manager, clock)
        before = {job: content(manager._store, job) for job in JOBS}
        done = manager.upkeep.move(tmp_path / "other.db")
        assert [job.outcome for job in done.jobs] == ["would-move"] * 3
        assert {job: content(manager._store, job) for job in JOBS} == before
        assert not (tmp_path / "other.db").exists()
        with pytest.raises(JobAbsent):
            manager.upkeep.move(tmp_path / "other.db", job_id="none", apply=True)
        assert not (tmp_path / "other.db").exists()


def test_a_job_that_has_gone_says_where(other: str, tmp_path: Path, clock: FakeClock) -> None:
    """Drivers, creators and forks here are told; the other store alone drives it."""
    with (
        opened(tmp_path / "jobs.db", clock) as manager,
        opened(tmp_path / "jobs.db", clock) as driver,
    ):
        tell(manager, clock)
        driver.record("grown", [ItemEvent("a", "start")])
        log = tmp_path / "grown.jsonl"
        manager.upkeep.export_log("grown", log)
        assert moved(manager, other, "grown") == ["moved"]
        for refuse in (
            lambda: driver.record("grown", [ItemEvent("b", "start")]),
            lambda: driver.get_state("grown"),
            lambda: driver.lease("grown", "me").__enter__(),
            lambda: manager.create_job(["a"], job_id="grown"),
            lambda: manager.fork("whole", 3, "grown"),
            lambda: manager.upkeep.import_log(log),
            lambda: manager.upkeep.import_log(log, apply=True),
            lambda: run(driver, "grown", _large, executor=ThreadPoolExecutor),
        ):
            with pytest.raises(JobMoved, match="was moved from") as told:
                refuse()
            assert "milepost show grown --db" in str(told.value)
        assert manager.collect(manager.plan_retention(NOW)).finished == ()
        assert moved(manager, other, "grown") == ["moved"]  # again is fine
        assert set(manager.job_ids()) == {"whole", "new"}
    with opened(other, clock) as there:
        assert there.get_state("grown").progress.running == 1
        assert moved(there, tmp_path / "jobs.db", "grown") == ["moved"]
    with opened(tmp_path / "jobs.db", clock) as manager:
        assert manager.record("grown", [ItemEvent("b", "start")]).progress.running == 2
        assert moved(manager, other, "grown") == ["moved"]  # there and back, and there


def test_who_drives_a_job_keeps_it(other: str, tmp_path: Path, clock: FakeClock) -> None:
    """Once the holder seems dead the job goes; the holder is told, nobody waits for it there."""
    with (
        opened(tmp_path / "jobs.db", clock) as driver,
        opened(tmp_path / "jobs.db", clock) as mover,
    ):
        driver.create_job(["a", "b"], job_id="held")
        driver.fire("held", "start_map")
        with (
            pytest.raises(JobMoved),
            driver.lease("held", "me", ttl_s=60, renewed=False),
        ):
            driver.record("held", [ItemEvent("a", "start")])
            before = content(mover._store, "held")
            assert isinstance(refused(mover, other, "held"), LeaseHeld)
            assert content(mover._store, "held") == before
            assert not Path(other).exists()
            clock.advance(61)
            assert moved(mover, other, "held") == ["moved"]
            driver.record("held", [ItemEvent("a", "succeed", {"result": 1})])
    with opened(other, clock) as manager:
        with manager.lease("held", "you", renewed=False):
            assert manager.get_state("held").owner == "you"
        assert sound(manager)


def test_another_job_of_that_id_stays_what_it_is(
    other: str, tmp_path: Path, clock: FakeClock
) -> None:
    """The very same log is no other: whoever has copied it by a file lets go of the first."""
    with opened(tmp_path / "jobs.db", clock) as manager, opened(other, clock) as there:
        tell(manager, clock)
        there.create_job(["z"], job_id="whole")
        before = content(there._store, "whole")
        assert isinstance(refused(manager, other, "whole"), JobExists)
        assert (content(there._store, "whole"), sound(there)) == (before, True)
        manager.upkeep.export_log("grown", tmp_path / "log")
        there.upkeep.import_log(tmp_path / "log", apply=True)
        assert moved(manager, other) == ["refused", "moved", "moved"]
        assert sound(manager)
        assert set(there.job_ids()) == set(JOBS)
        assert manager.job_ids() == ["whole"]


def test_what_does_not_verify_stays(other: str, tmp_path: Path, clock: FakeClock) -> None:
    """And nothing of it is left in the other store."""
    with opened(tmp_path / "jobs.db", clock) as manager:
        tell(manager, clock)
    damage = apsw.Connection(str(tmp_path / "jobs.db"))
    damage.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    damage.execute("UPDATE commits SET body = x'00' WHERE job = 1 AND seq = 9")
    damage.close()
    with opened(tmp_path / "jobs.db", clock) as manager, opened(other, clock) as there:
        error = refused(manager, other, "whole")
        assert isinstance(error, MoveFailed)
        assert "commit 9" in str(error) or "body" in str(error)
        assert known(manager, "whole")
        assert there.job_ids() == []
        assert sound(there)
        with there._store.reading() as reader:
            assert reader.having("held") | reader.having("keep") == set()


def test_stores_that_nothing_can_be_moved_between(tmp_path: Path, clock: FakeClock) -> None:
    """One and the same by another name, one in memory, one that is open for reading alone."""
    path = tmp_path / "jobs.db"
    with opened(path, clock) as manager:
        tell(manager, clock)
        before = {job: content(manager._store, job) for job in JOBS}
        (tmp_path / "folder").symlink_to(tmp_path)
        os.link(path, tmp_path / "link.db")
        for to in (path, tmp_path / "folder" / "jobs.db", "memory:", tmp_path / "link.db"):
            with pytest.raises(StoreError):
                manager.upkeep.move(to, apply=True)
    with (
        opened(path, clock, read_only=True) as manager,
        pytest.raises(StoreReadOnly, match="for reading only"),
    ):
        manager.upkeep.move(tmp_path / "other.db", apply=True)
    with opened(path, clock) as manager:
        assert {job: content(manager._store, job) for job in JOBS} == before
        assert sound(manager)


@needs_postgres
def test_a_schema_by_another_name_is_the_same_store(postgres: str, clock: FakeClock) -> None:
    url = new_url(postgres)
    with opened(url, clock) as manager:
        tell(manager, clock)
        with pytest.raises(StoreError, match="is the store that jobs are to be moved out of"):
            manager.upkeep.move(f"{url}&application_name=other", apply=True)
        assert sound(manager)


@pytest.mark.parametrize("version", range(1, 6))
def test_stores_of_every_format_are_moved(version: int, tmp_path: Path, clock: FakeClock) -> None:
    old = tmp_path / "old.db"
    shutil.copy(store_of(version), old)
    with opened(old, clock) as manager:
        digests = {job: manager.get_state(job).digest for job in manager.job_ids()}
        clock.advance(1e9)  # whoever held one is dead
        assert set(moved(manager, tmp_path / "new.db")) == {"moved"}
        assert sound(manager)
    with opened(tmp_path / "new.db", clock) as manager:
        assert {job: manager.get_state(job).digest for job in manager.job_ids()} == digests
        assert sound(manager)


def test_items_that_are_still_coming_in_stay_behind(
    other: str, tmp_path: Path, clock: FakeClock
) -> None:
    """Their writer finds out that the job has gone, and nothing of them is left."""
    with opened(tmp_path / "jobs.db", clock) as manager:
        tell(manager, clock)
        store = manager._store
        with store.writing() as writer:
            job = writer.job("grown")
            assert job is not None
            (block, *_) = writer.inputs(job.number)
            place = writer.next_place(job.number)
            coming = InputBlock(place, block.count, *list(_columns(block))[2:])
            writer.add_inputs(job.number, [coming], [])
            writer.stage(Staged(job.number, place, block.count, "token", manager.now_us()))
        before = content(store, "grown")
        assert before is not None
        assert moved(manager, other, "grown") == ["moved"]
        assert sound(manager)
    with opened(other, clock) as there:
        after = content(there._store, "grown")
        assert after == before._replace(inputs=before.inputs[:-1])
        assert sound(there)


def _columns(block: InputBlock) -> Iterator[Any]:
    for name in block.__struct_fields__:
        yield getattr(block, name)


def test_two_movers_share_the_work(
    other: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job is moved once, whoever of them does it."""
    monkeypatch.setattr(moving, "BATCH_ROWS", 5)
    monkeypatch.setattr(moving, "_TIMES", 1_000)
    path = tmp_path / "jobs.db"
    with opened(path, clock) as manager, opened(other, clock) as there:
        tell(manager, clock)
        before = {job: content(manager._store, job) for job in JOBS}
        outcomes: list[list[str]] = []

        def move() -> None:
            with opened(path, clock) as mover:
                outcomes.append(moved(mover, other))

        movers = [threading.Thread(target=move) for _ in range(2)]
        for mover in movers:
            mover.start()
        for mover in movers:
            mover.join()
        assert len(outcomes) == 2
        assert {each for found in outcomes for each in found} <= {"moved"}
        assert {job: content(there._store, job) for job in JOBS} == before
        assert sound(manager)
        assert sound(there)
        assert manager.job_ids() == []


class _Stopped(Exception):
    """The mover is gone."""


def begun(manager: StateManager, to: str | Path, job_id: str) -> None:
    """A move of the job that stops after its first rows."""

    def stop(*_: object) -> None:
        raise _Stopped

    with pytest.raises(_Stopped):
        manager.upkeep.move(to, job_id=job_id, apply=True, on_move=stop)


def test_a_move_that_was_begun_goes_on_with_a_job_that_went_on(
    other: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one whose log was cut since begins anew; what nobody goes on with is swept."""
    monkeypatch.setattr(moving, "BATCH_ROWS", 4)
    with opened(tmp_path / "jobs.db", clock) as manager, opened(other, clock) as there:
        tell(manager, clock)
        begun(manager, other, "grown")
        manager.add_items("grown", ["more"])
        manager.record("grown", [ItemEvent("more", "start")])
        before = content(manager._store, "grown")
        assert moved(manager, other, "grown") == ["moved"]
        assert content(there._store, "grown") == before
        begun(manager, other, "whole")
        clock.advance(8 * 86_400)
        there.create_job(["a", "b"], job_id="next")
        assert sound(there)
        assert moved(manager, other, "whole") == ["moved"]
        assert sound(there)


def _large(_: object) -> str:
    return "x" * 2_000


def test_a_fork_and_its_source_go_together(tmp_path: Path, clock: FakeClock) -> None:
    """They may have results in one folder, which stays as long as one of them is anywhere."""
    base = tmp_path / "base"
    base.mkdir()
    with opened(tmp_path / "jobs.db", clock) as manager:
        manager.create_job(["a"], job_id="source", config={"has_reduce": False})
        run(manager, "source", _large, beside=Beside(base, 1_024), executor=ThreadPoolExecutor)
        manager.fork("source", 4, "fork")
        error = refused(manager, tmp_path / "other.db", "source")
        assert isinstance(error, MoveFailed)
        assert "fork" in str(error)
        with manager.lease("fork", "me"):
            assert moved(manager, tmp_path / "other.db") == ["refused", "refused"]
        manager.fire("fork", "cancel", operator=True)
        files = sorted(base.rglob("*"))
        assert moved(manager, tmp_path / "other.db") == ["moved", "moved"]
        assert sorted(base.rglob("*")) == files
        assert manager.job_ids() == []
    with opened(tmp_path / "other.db", clock) as manager:
        assert dict(manager.results("source")) == {"a": "x" * 2_000}
        assert manager.verify_beside("source").problems == ()


HISTORY = st.lists(st.sampled_from(["start", "succeed", "fail", "add", "point", "back", "move"]))


@given(acts=HISTORY)
@settings(
    max_examples=12 * SOAK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_job_is_moved_at_any_moment_of_any_history(tmp_path: Path, acts: list[str]) -> None:
    """It is what a job is that took the same steps and stayed."""
    clock = FakeClock()
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    places = [folder / "a.db", folder / "b.db"]
    with opened(folder / "stays.db", clock) as stays:
        managers = [StateManager.open(place, clock=clock, durability="process") for place in places]
        for manager in (stays, managers[0]):
            manager.create_job(["a", "b"], job_id="j", config={"max_attempts": 9})
            manager.fire("j", "start_map")
        for n, act in enumerate([*acts, "move"]):
            clock.advance(1)
            if act == "move":
                assert moved(managers[0], places[1]) == ["moved"]
                managers.reverse()
                places.reverse()
                continue
            for manager in (stays, managers[0]):
                _act(manager, act, n)
        assert content(managers[0]._store, "j") == content(stays._store, "j")
        assert all(map(sound, managers))
        for manager in managers:
            manager.close()


def _act(manager: StateManager, act: str, n: int) -> None:
    match act:
        case "start":
            _try(manager, act, {})
        case "succeed":
            _try(manager, act, {"result": n})
        case "fail":
            _try(manager, act, {"cause": "error", "message": str(n)})
        case "add":
            manager.add_items("j", [f"n{n}"])
        case "point":
            manager.create_checkpoint("j")
        case "back":
            manager.apply(manager.plan_rewind("j", max(2, manager.get_state("j").seq - 2)))


def _try(manager: StateManager, event: str, payload: dict[str, Any]) -> None:
    """Give the event to the first of two items that takes it."""
    for key in ("a", "b"):
        try:
            manager.record("j", [ItemEvent(key, event, payload)])
        except (TransitionRefused, RecordConflict):
            continue
        return


def test_without_its_tables_a_job_is_verified_as_far_as_its_log_says(
    other: str, tmp_path: Path, clock: FakeClock
) -> None:
    """The answer names what was not checked; those who have the tables find it as it was."""
    orders = compiled(ORDERS_1)
    with opened(tmp_path / "jobs.db", clock, lifecycle=orders) as manager:
        manager.create_job(["a"], job_id="o")
        before = content(manager._store, "o")
    with opened(tmp_path / "jobs.db", clock) as manager:
        [job] = manager.upkeep.move(other, apply=True).jobs
        assert (job.outcome, job.unchecked) == (
            "moved",
            f"no table for orders 1 ({orders.digest:.12})",
        )
    with opened(other, clock, lifecycle=orders) as manager:
        assert content(manager._store, "o") == before
        assert sound(manager)


@needs_postgres
def test_what_a_file_takes_a_server_takes(postgres: str, tmp_path: Path, clock: FakeClock) -> None:
    """Every text that a job can hold: NUL in values and messages, and whatever else in all."""
    odd = "\U0010ffff\ufffe\x01\x7f\r\n'\"\\ %s $x"
    with opened(tmp_path / "jobs.db", clock) as manager:
        manager.create_job([Item(value=f"\0{odd}", key=odd)], job_id="j", variables={odd: odd})
        manager.fire("j", "start_map")
        with manager.lease("j", odd, renewed=False):
            manager.record("j", [ItemEvent(0, "start")])
            manager.record("j", [ItemEvent(0, "fail", {"cause": "error", "message": f"\0{odd}"})])
            manager.create_checkpoint("j", reason=odd)
        manager.keep("j", for_=None, reason=odd)
        before = content(manager._store, "j")
        url = new_url(postgres)
        assert moved(manager, url) == ["moved"]
    with opened(url, clock) as manager:
        assert content(manager._store, "j") == before
        assert sound(manager)


def test_the_command_moves_and_says_where(tmp_path: Path, clock: FakeClock) -> None:
    """A beginning will do until it would name another; exit 1 if a job stays."""
    first, other = str(tmp_path / "jobs.db"), str(tmp_path / "other.db")
    with opened(first, clock) as manager, opened(other, clock) as there:
        tell(manager, clock)
        there.create_job(["z"], job_id="whole")

    def call(*args: str) -> Result:
        result = CliRunner().invoke(main, list(args), obj=clock)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    assert call("move", first, other, "gro").exit_code == 0
    assert (
        "With --apply name all of it: grown" in call("move", first, other, "gro", "--apply").output
    )
    assert call("move", first, other, "grown", "--apply").exit_code == 0
    assert call("move", first, other, "grown", "--apply").exit_code == 0  # it is there
    shown = call("show", "grown", "--db", first)
    assert (shown.exit_code, "was moved from" in shown.output) == (2, True)
    assert call("show", "grown", "--db", other).exit_code == 0
    stays = call("move", first, other, "--apply")
    assert (stays.exit_code, "job 'whole' exists in" in stays.output) == (1, True)
    assert call("move", first, other, "none", "--apply").exit_code == 2
    assert call("move", first, first).exit_code == 2


@pytest.mark.parametrize("to", ["", b"jobs.db", None])
def test_what_names_no_store_is_refused_by_its_argument(to: Any, tmp_path: Path) -> None:
    with (
        StateManager.open(tmp_path / "from.db") as manager,
        pytest.raises(ArgumentInvalid, match="argument 'to': a path"),
    ):
        manager.upkeep.move(to)
