"""Who may be replaced: by processes and steady times alone, whatever the wall clocks say."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import LeaseHeld, StateManager
from milepost.clock import SystemClock, steady
from milepost.log.rows import StoredLease
from milepost.process.identity import Process
from milepost.state.writing.lease import renew
from milepost.state.writing.liveness import ASSUMED_TTL_US, Here, Standing, judge
from milepost.state.writing.observing import Observer
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

S = 1_000_000
TTL_US = 30 * S
HERE = Here(
    monotonic_us=100 * S,
    timeline="boot 1",
    scope="boot 1, pids 1",
    host="here",
    is_gone=lambda process: False,
)
STORED = StoredLease(
    "worker",
    1,
    0,
    ttl_us=TTL_US,
    renewed_us=90 * S,
    timeline="boot 1",
    pid_scope="boot 1, pids 1",
    pid=123,
    pid_started=4567,
)


class Table:
    """Processes that end when they are told to; `scope` is what pids are names in here."""

    host = "here"

    def __init__(self, scope: str | None, pid: int) -> None:
        self.me = None if scope is None else Process(scope=scope, pid=pid, started=pid)
        self.ended: set[Process | None] = set()

    def this(self) -> Process | None:
        return self.me

    def is_gone(self, process: Process) -> bool:
        assert self.me is not None
        assert process.scope == self.me.scope, "a pid of another place says nothing here"
        return process in self.ended


def test_a_process_that_is_gone_may_be_replaced_at_once() -> None:
    """However lately it renewed; the reason names it."""
    verdict = judge(STORED, replace(HERE, is_gone=lambda process: process.pid == 123), None)
    assert (verdict.standing, verdict.left_us) == (Standing.GONE, 0)
    assert verdict.reason == "the lease of worker: its process (pid 123 on here) is gone"


@pytest.mark.parametrize(
    "stored",
    [
        msgspec.structs.replace(STORED, pid_scope="boot 2, pids 1"),
        msgspec.structs.replace(STORED, pid_scope="boot 1, pids 2"),
        msgspec.structs.replace(STORED, pid_scope=None),
        msgspec.structs.replace(STORED, pid=None),
        msgspec.structs.replace(STORED, pid_started=None),
    ],
)
def test_a_pid_of_another_place_proves_nothing(stored: StoredLease) -> None:
    """Another boot, a container with pids of its own, a system that says none."""
    gone = replace(HERE, is_gone=lambda process: True)
    assert judge(stored, gone, None).standing == Standing.ALIVE
    assert judge(stored, replace(gone, scope=None), None).standing == Standing.ALIVE


@pytest.mark.parametrize(
    ("silent_s", "standing"),
    [(0, Standing.ALIVE), (29.999, Standing.ALIVE), (30, Standing.LAPSED), (9e5, Standing.LAPSED)],
)
def test_by_a_time_in_common_it_lapses_after_its_ttl(silent_s: float, standing: Standing) -> None:
    """Exactly; what was seen from here before makes no difference."""
    here = replace(HERE, monotonic_us=90 * S + int(silent_s * S))
    for seen_us in (None, 0, here.monotonic_us):
        verdict = judge(STORED, here, seen_us)
        assert verdict.standing == standing
        assert verdict.left_us == max(TTL_US - int(silent_s * S), 0)


@pytest.mark.parametrize(
    "stored",
    [
        msgspec.structs.replace(STORED, timeline="boot 2"),
        msgspec.structs.replace(STORED, timeline=None),
        msgspec.structs.replace(STORED, renewed_us=None),
        msgspec.structs.replace(STORED, renewed_us=HERE.monotonic_us + 1),
    ],
)
def test_without_one_it_is_watched_for_its_ttl(stored: StoredLease) -> None:
    """From when it was first seen; a time that cannot be is none in common."""
    assert judge(stored, HERE, None).standing == Standing.WATCHED
    assert judge(stored, HERE, None).left_us == TTL_US
    assert judge(stored, HERE, 80 * S).left_us == 10 * S
    assert judge(stored, HERE, 70 * S).standing == Standing.LAPSED
    unknown = replace(HERE, timeline=None)
    assert judge(stored, unknown, None).standing == Standing.WATCHED


def test_a_row_of_an_older_format_is_watched() -> None:
    """It says neither its ttl nor anything of its holder."""
    verdict = judge(StoredLease("worker", 1, 5), HERE, None)
    assert (verdict.standing, verdict.left_us) == (Standing.WATCHED, ASSUMED_TTL_US)


def test_a_clock_of_somebodys_own_has_what_it_lacks_from_the_machine() -> None:
    """A wall clock alone is enough; with a steady time and no timeline nobody can compare it."""

    class Wall:
        def now_us(self) -> int:
            return 5

    class Steady(Wall):
        def monotonic_us(self) -> int:
            return 7

    class Whole(Steady):
        def timeline(self) -> str:
            return "mine"

    assert (steady(Wall()).now_us(), steady(Wall()).timeline()) == (5, SystemClock().timeline())
    assert steady(Wall()).monotonic_us() <= SystemClock().monotonic_us()
    own = steady(Steady())
    assert (own.now_us(), own.monotonic_us(), own.timeline()) == (5, 7, None)
    whole = Whole()
    assert steady(whole) is whole


def test_what_is_watched_is_bounded() -> None:
    """The last that were looked at are remembered."""
    clock = FakeClock()
    observer = Observer(clock, Table(None, 1), watched=2)
    silent = StoredLease("worker", 1, 0, ttl_us=TTL_US)
    for number in (1, 2, 3):
        assert observer.judge(number, silent).standing == Standing.WATCHED
    clock.advance(30)
    found = {number: observer.judge(number, silent).standing for number in (3, 2, 1)}
    assert found == {3: Standing.LAPSED, 2: Standing.LAPSED, 1: Standing.WATCHED}


steps = st.lists(
    st.tuples(
        st.floats(0, 9.9),  # how much time passes
        st.floats(-90_000, 90_000),  # how the holder's wall clock is set
        st.floats(-90_000, 90_000),  # and that of the observer
    ),
    max_size=12,
)


@given(shared=st.booleans(), moves=steps, silence=steps)
def test_one_that_renews_stays_and_one_that_does_not_goes(
    shared: bool, moves: list[tuple[float, float, float]], silence: list[tuple[float, float, float]]
) -> None:
    """Any clocks, set at any time: in one boot, or where no time is in common.

    It renews every third of its ttl at the latest, and nobody gets the job without a reason. Then
    it is silent: whoever looks has the job within its ttl of looking, and not before it has been
    silent for as long.
    """
    holders = FakeClock()
    others = holders if shared else FakeClock()
    store = MemoryStore()
    one = StateManager(store, clock=holders, processes=Table("there", 1))
    two = StateManager(store, clock=others, processes=Table("here", 1))
    one.create_job(["a"], job_id="j")
    block = one.lease("j", "holder", 30.0, renewed=False)
    lease = block.__enter__()
    dates = [one.get_state("j").updated_at]

    def refused() -> bool:
        try:
            with two.lease("j", "other", 30.0, renewed=False):
                return False
        except LeaseHeld as held:
            assert 0 < held.left_s <= 30.0
            return True

    for passed_s, of_holder, of_other in moves:
        pass_time(holders, others, passed_s)
        holders.step(of_holder)
        others.step(of_other)
        assert refused()
        assert renew(one._loader, lease, one._observer)
    began_us = others.monotonic_us()
    assert refused()
    for passed_s, of_holder, of_other in [*silence, *[(5.0, -70_000.0, 70_000.0)] * 7]:
        pass_time(holders, others, passed_s)
        holders.step(of_holder)
        others.step(of_other)
        silent_us = others.monotonic_us() - began_us
        if not refused():
            assert silent_us >= TTL_US
            break
        assert silent_us < TTL_US
    else:
        raise AssertionError("nobody may take the job of one that is silent")
    dates += [event.at for event in two.get_state_history("j")]
    assert dates[1:] == sorted(dates[1:])


def pass_time(one: FakeClock, two: FakeClock, seconds: float) -> None:
    one.advance(seconds)
    if two is not one:
        two.advance(seconds)


def test_the_lease_of_a_process_that_ended_is_taken_at_once_and_says_so() -> None:
    """And one that lives, or of which nothing is known, is waited for."""
    clock, table = FakeClock(), Table("here", 7)
    store = MemoryStore()
    one = StateManager(store, clock=clock, processes=table)
    two = StateManager(store, clock=clock, processes=table)
    one.create_job(["a"], job_id="j")
    block = one.lease("j", "holder", 30.0, renewed=False)
    assert block.__enter__().fence == 1
    with pytest.raises(LeaseHeld), two.lease("j", "other"):
        pass
    assert two.stuck_jobs() == []
    table.ended.add(table.me)
    (left,) = two.stuck_jobs()
    assert (left.sure, left.why) == (True, "its process (pid 7 on here) is gone")
    holder = two.holder("j")
    assert holder is not None
    assert (holder.owner, holder.standing) == ("holder", Standing.GONE)
    with two.lease("j", "other", renewed=False):
        (_, taken) = [e for e in two.get_state_history("j") if e.kind == "lease"]
        assert taken.payload["reason"] == (
            "the lease of holder: its process (pid 7 on here) is gone"
        )
