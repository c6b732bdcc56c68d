"""Two managers that work, collect and use ids again, against a model of what must be there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost import (
    ItemEvent,
    JobAbsent,
    Lease,
    LeaseHeld,
    RetentionPolicy,
    StateError,
    StateManager,
)
from milepost.errors import JobReplaced
from milepost.state.keeping import collecting
from milepost.state.keeping.retention import RetentionPlan, Verdict, judge
from milepost.state.persistence import open_store
from milepost.state.reading.loading import JobLog, Loading
from milepost.stores.sqlite.writing import SqliteWriter
from milepost.testing import FakeClock

AGE_S = 100.0
TTL_S = 30.0
POLICY = RetentionPolicy(
    completed=timedelta(seconds=AGE_S),
    failed=timedelta(seconds=3 * AGE_S),
    cancelled=timedelta(seconds=AGE_S),
    checkpoints=1,
    tombstones=timedelta(seconds=5 * AGE_S),
)
KEPT_S = {"completed": AGE_S, "failed": 3 * AGE_S, "cancelled": AGE_S}

ids = st.sampled_from(["a", "b", "c"])
who = st.integers(0, 1)


class Died(Exception):
    """The process of a collector is gone."""


class Mortal:
    """A store that lets its user live for so many more commits."""

    def __init__(self, path: Path) -> None:
        self.inner = open_store(path, durability="process")
        self.commits_left: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        if self.commits_left is not None:
            if self.commits_left == 0:
                raise Died
            self.commits_left -= 1
        with self.inner.writing(*jobs) as writer:
            yield writer

    appending = writing


@dataclass
class Job:
    """What the model knows of a job that is there."""

    number: int
    phase: str
    at_us: int
    results: dict[str, Any]
    kept_s: float | str | None = "policy"
    holder: Lease | None = None
    expires_at_us: int = 0
    fence: int = 0
    commits: int = 1

    def held(self, now_us: int) -> bool:
        return self.holder is not None and self.expires_at_us > now_us

    def goes(self, now_us: int) -> bool:
        if self.phase not in KEPT_S or self.held(now_us):
            return False
        kept_s = KEPT_S[self.phase] if self.kept_s == "policy" else self.kept_s
        return isinstance(kept_s, float) and now_us - self.at_us >= kept_s * 1e6


class Collectors(RuleBasedStateMachine):
    """Ids are few, so that they are used again; plans are kept, so that they grow stale."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="milepost-retention-"))
        self.path = self.root / "jobs.db"
        self.clock = FakeClock()
        self.stores = [Mortal(self.path), Mortal(self.path)]
        self.managers = [StateManager(store, clock=self.clock) for store in self.stores]
        self.jobs: dict[str, Job] = {}
        self.plans: list[RetentionPlan] = []
        self.stale: list[Lease] = []
        self.blocks: list[AbstractContextManager[Lease]] = []
        self.made = 0
        self.died = 0

    # Executors

    @rule(who=who, job_id=ids)
    def create(self, who: int, job_id: str) -> None:
        if job_id in self.jobs:
            return
        self.made += 1
        state = self.managers[who].create_job(
            [f"{self.made}/{n}" for n in range(2)], job_id=job_id, config={"has_reduce": False}
        )
        assert state.number == self.made
        assert (state.seq, state.phase) == (1, "setup")
        self.jobs[job_id] = Job(self.made, "setup", self.clock.now_us(), {})

    @rule(who=who, job_id=ids, how=st.sampled_from(["completed", "failed", "cancelled", "map"]))
    def work(self, who: int, job_id: str, how: str) -> None:
        """Take a new job to an end, or half of the way."""
        job = self.jobs.get(job_id)
        if job is None or job.phase != "setup" or job.held(self.clock.now_us()):
            return
        manager = self.managers[who]
        manager.fire(job_id, "start_map", operator=True)
        keys = [f"{job.number}/{n}" for n in range(2)]
        manager.record(job_id, [ItemEvent(key, "start") for key in keys], operator=True)
        events = [ItemEvent(key, "succeed", {"result": key}) for key in keys]
        manager.record(job_id, events, operator=True)
        job.commits += 3
        if how == "completed":
            manager.fire(job_id, "finish_map", operator=True)
        elif how == "failed":
            manager.fire(job_id, "fail", {"cause": "error", "message": "m"}, operator=True)
        elif how == "cancelled":
            manager.fire(job_id, "cancel", operator=True)
        job.commits += how != "map"
        job.phase, job.results = how, {key: key for key in keys}
        job.at_us = self.clock.now_us()

    @rule(who=who, job_id=ids)
    def checkpoint(self, who: int, job_id: str) -> None:
        job = self.jobs.get(job_id)
        if job is None or job.held(self.clock.now_us()):
            return
        self.managers[who]._leases.pop(job_id, None)
        self.managers[who].create_checkpoint(job_id, keep=2)
        job.at_us, job.commits = self.clock.now_us(), job.commits + 1

    @rule(who=who, job_id=ids)
    def take_lease(self, who: int, job_id: str) -> None:
        """Hold the job and never give it back: the executor will be gone, or sleep past it."""
        block = self.managers[who].lease(job_id, f"executor-{who}", TTL_S, renewed=False)
        job = self.jobs.get(job_id)
        if job is None:
            with pytest.raises(JobAbsent):
                block.__enter__()
            return
        if job.held(self.clock.now_us()):
            with pytest.raises(LeaseHeld):
                block.__enter__()
            return
        if job.holder is not None:
            self.stale.append(job.holder)
        job.holder = block.__enter__()
        self.managers[who]._leases.pop(job_id)  # so that writes say which lease they carry
        self.blocks.append(block)
        job.fence, job.commits = job.fence + 1, job.commits + 1
        assert job.holder.fence == job.fence
        job.at_us = self.clock.now_us()
        job.expires_at_us = job.at_us + int(TTL_S * 1e6)

    @precondition(lambda self: self.stale)
    @rule(who=who, data=st.data())
    def write_late(self, who: int, data: st.DataObject) -> None:
        """A lease of a job that is gone is refused, whoever has its id and fence now."""
        lease = data.draw(st.sampled_from(self.stale))
        job = self.jobs.get(lease.job_id)
        if job is not None and job.number == lease.number:
            return  # still there, and taken over: tests of leases are elsewhere
        seq = None if job is None else self.managers[who].get_state(lease.job_id).seq
        with pytest.raises(JobAbsent) as refused:
            self.managers[who].fire(lease.job_id, "retry", lease=lease)
        assert isinstance(refused.value, JobReplaced) == (job is not None)
        if job is not None:
            assert self.managers[who].get_state(lease.job_id).seq == seq

    # Time, and how long things are kept

    @rule(seconds=st.sampled_from([TTL_S, AGE_S / 2, AGE_S, 3 * AGE_S]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(who=who, job_id=ids, kept_s=st.sampled_from([None, 0.0, 2 * AGE_S, "policy"]))
    def keep(self, who: int, job_id: str, kept_s: float | str | None) -> None:
        job = self.jobs.get(job_id)
        if job is None:
            with pytest.raises(JobAbsent):
                self.managers[who].keep(job_id, for_=None)
            return
        if isinstance(kept_s, str):
            self.managers[who].keep_by_policy(job_id)
        else:
            for_ = None if kept_s is None else timedelta(seconds=kept_s)
            self.managers[who].keep(job_id, for_=for_)
        job.kept_s = kept_s

    # Collectors

    @rule(who=who)
    def look(self, who: int) -> None:
        plan = self.managers[who].plan_retention(POLICY)
        now_us = self.clock.now_us()
        assert {v.job_id: v.goes for v in plan.verdicts} == {
            job_id: job.goes(now_us) for job_id, job in self.jobs.items()
        }
        self.plans.append(plan)

    @precondition(lambda self: self.plans)
    @rule(who=who, data=st.data(), commits=st.sampled_from([None, None, 0, 1, 2, 3, 5, 8]))
    def collect(self, who: int, data: st.DataObject, commits: int | None) -> None:
        """Of a plan of any age, in the smallest steps, perhaps only for so many commits."""
        self.carry_out(who, data.draw(st.sampled_from(self.plans)), commits)

    @rule(
        who=who,
        job_id=ids,
        how=st.sampled_from(["completed", "failed", "cancelled"]),
        change=st.sampled_from(["keep", "lease", "checkpoint", "replace"]),
    )
    def change_after_looking(self, who: int, job_id: str, how: str, change: str) -> None:
        """What goes when it is looked at, and is changed before it is collected."""
        self.create(who, job_id)
        self.work(who, job_id, how)
        self.wait(3 * AGE_S)
        self.look(who)
        plan = self.plans[-1]
        if change == "keep":
            self.keep(1 - who, job_id, None)
        elif change == "lease":
            self.take_lease(1 - who, job_id)
        elif change == "checkpoint":
            self.checkpoint(1 - who, job_id)
        else:
            self.carry_out(1 - who, plan, None)
            self.create(1 - who, job_id)
            self.work(1 - who, job_id, how)
        self.carry_out(who, plan, None)

    def carry_out(self, who: int, plan: RetentionPlan, commits: int | None) -> None:
        now_us = self.clock.now_us()
        may_go = {
            v.job_id
            for v in plan.verdicts
            if v.goes
            and v.job_id in self.jobs
            and self.jobs[v.job_id].number == v.number
            and self.jobs[v.job_id].commits == v.seq
            and self.jobs[v.job_id].goes(now_us)
        }
        self.stores[who].commits_left = commits
        try:
            collected = self.managers[who].collect(plan, batch_rows=1, rest=lambda: None)
        except Died:
            self.died += 1
            there = set(self.managers[1 - who].job_ids())
            gone = set(self.jobs) - there
            assert gone <= may_go
            assert there <= set(self.jobs)
        else:
            gone = set(collected.deleted)
            assert gone == may_go
        finally:
            self.stores[who].commits_left = None
        for job_id in gone:
            job = self.jobs.pop(job_id)
            if job.holder is not None:
                self.stale.append(job.holder)

    @rule(who=who)
    def collect_all(self, who: int) -> None:
        """Whatever died before, one collector that lives leaves nothing behind."""
        self.look(who)
        plan, manager = self.plans[-1], self.managers[who]
        for job_id in manager.collect(plan, batch_rows=2, rest=lambda: None).deleted:
            job = self.jobs.pop(job_id)
            if job.holder is not None:
                self.stale.append(job.holder)
        raw = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        numbers = {job.number for job in self.jobs.values()}
        for table in ("commits", "inputs", "checkpoints"):
            assert {n for (n,) in raw.execute(f"SELECT id >> 40 FROM {table}")} == (
                numbers & {n for (n,) in raw.execute(f"SELECT id >> 40 FROM {table}")}
            )
        for table in ("leases", "retention"):
            assert {n for (n,) in raw.execute(f"SELECT job FROM {table}")} <= numbers
        raw.close()

    # What must hold after every rule

    @invariant()
    def agree(self) -> None:
        """Each manager sees the jobs that there are, as they are, and no trace of earlier ones."""
        for manager in self.managers:
            assert manager.job_ids() == sorted(self.jobs)
            for job_id, job in self.jobs.items():
                state = manager.get_state(job_id)
                assert (state.number, state.phase) == (job.number, job.phase)
                assert state.seq == job.commits
                keys = [state.inputs.key(n) for n in range(2)]
                assert keys == [f"{job.number}/{n}" for n in range(2)]
                assert dict(manager.results(job_id)) == job.results
        for verification in self.managers[0].verify():
            assert verification.sound, verification.problems

    def teardown(self) -> None:
        for block in self.blocks:
            with suppress(StateError):  # a control left the store with a defect
                block.__exit__(None, None, None)
        for manager in self.managers:
            manager.close()
        shutil.rmtree(self.root)


RULES = settings(
    max_examples=70 * int(os.environ.get("MILEPOST_SOAK", "1")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

CONTROL = settings(
    RULES,
    max_examples=150,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    derandomize=True,
    database=None,
)


def test_collectors_executors_and_ids_used_again_agree_with_the_model() -> None:
    """Whatever two of them do, whoever dies: what is to stay is there, and nothing else."""
    run_state_machine_as_test(Collectors, settings=RULES)


def any_state(self: JobLog, known: Any = None, *, _load: Any = JobLog.load) -> Loading:
    """The defect that numbers are for: a cached state is taken for the job's by its id alone."""
    if known is not None and known.number != self.number:
        object.__setattr__(known, "number", self.number)
    found: Loading = _load(self, known)
    return found


def hasty(*args: Any) -> Verdict | str:
    """The defect that looking again is for: what was planned is done."""
    verdict: Verdict = args[-1]
    return verdict if args[2].job(verdict.job_id) else "gone"


def reckless(log: Any, tip: Any, policy: Any, now_us: int) -> Verdict:
    """The defect of a second look that sees neither leases nor how long a job is to be kept."""
    return replace(judge(log, tip, policy, now_us), goes=True)


def used_again(self: SqliteWriter) -> int:
    """The numbers as they were given before there were tombstones."""
    ((number,),) = self._execute("SELECT 1 + ifnull(max(number), 0) FROM jobs").fetchall()
    self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    return int(number)


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (JobLog, "load", any_state),
        (collecting, "_again", hasty),
        (collecting, "judge", reckless),
        (SqliteWriter, "reserve", used_again),
    ],
    ids=["states by id", "not looked at again", "looked at in vain", "numbers used again"],
)
def test_the_rules_find_a_defect(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, fault: Any
) -> None:
    """The control: with a defect put in, the same rules fail."""
    monkeypatch.setattr(where, name, fault)
    with pytest.raises((AssertionError, StateError, pytest.fail.Exception)):
        run_state_machine_as_test(Collectors, settings=CONTROL)
