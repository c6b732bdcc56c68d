"""What is measured and logged: by name, by number, and at no cost where nobody asked."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, get_args

import apsw
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import milepost
from milepost import ItemEvent, RecordConflict, StateManager, TransitionRefused, errors
from milepost.errors import CommitUnknown, StoreError
from milepost.metrics import INSTRUMENTS, METER, LeaseEvent, Metrics
from milepost.state.persistence import open_store
from milepost.state.writing.lease import Lease, renew
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import SHIPPING, compiled
from tests.integration.test_unknown_commit import Faulty

ROOT = Path(milepost.__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "metrics.md"


class Told:
    """What a reader of the SDK was told, by instrument and attribute values."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self.reader])

    def points(self) -> dict[str, dict[tuple[Any, ...], Any]]:
        data = self.reader.get_metrics_data()
        scopes = data.resource_metrics[0].scope_metrics if data else []
        return {
            metric.name: {tuple((p.attributes or {}).values()): p for p in metric.data.data_points}
            for scope in scopes
            for metric in scope.metrics
            if scope.scope.name == METER
        }

    def counted(self, name: str) -> dict[tuple[Any, ...], int]:
        return {values: point.value for values, point in self.points().get(name, {}).items()}


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.provider.shutdown()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(told: Told, clock: FakeClock, tmp_path: Path) -> Iterator[StateManager]:
    """Each look at its clock of measurements is a second later than the one before."""
    seconds = count()
    store = open_store(tmp_path / "jobs.db")
    metrics = Metrics(told.provider, seconds=lambda: float(next(seconds)))
    with StateManager(store, clock=clock, metrics=metrics) as manager:
        yield manager


def begin(manager: StateManager) -> None:
    manager.create_job(["a", "b", "c"], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(item, "start") for item in "abc"])


def test_what_is_appended_is_counted_by_kind(manager: StateManager, told: Told) -> None:
    """Rows, facts, events and how many shared a transaction; the first row is the job's."""
    begin(manager)
    assert told.counted("milepost.jobs") == {("created", "mapreduce"): 1}
    assert told.counted("milepost.commits") == {(): 2}
    assert told.counted("milepost.facts") == {("job",): 1, ("items",): 1}
    assert told.counted("milepost.events") == {
        ("job", "start_map", "mapreduce"): 1,
        ("item", "start", "mapreduce"): 3,
    }
    (requests,) = told.points()["milepost.append.requests"].values()
    assert (requests.count, requests.sum) == (2, 2)


def test_events_are_counted_by_lifecycle_and_machine(told: Told, tmp_path: Path) -> None:
    """Under the names that the definition gives, also where one event is of two collections."""
    store = open_store(tmp_path / "shop.db")
    shipping = compiled(SHIPPING)
    with StateManager(store, lifecycle=shipping, metrics=Metrics(told.provider)) as manager:
        manager.create_job(collections={"lines": ["pen"], "parcels": ["box"]}, job_id="o")
        manager.create_job(["a"], job_id="m", lifecycle="mapreduce")
        manager.fire("o", "pick", {"notes": {}})
        manager.record("o", [ItemEvent(key, "pack") for key in ("lines/pen", "parcels/box")])
        manager.fire("m", "start_map")
    assert told.counted("milepost.jobs") == {
        ("created", "shipping"): 1,
        ("created", "mapreduce"): 1,
    }
    assert told.counted("milepost.events") == {
        ("order", "pick", "shipping"): 1,
        ("line", "pack", "shipping"): 1,
        ("parcel", "pack", "shipping"): 1,
        ("job", "start_map", "mapreduce"): 1,
    }


def test_durations_are_by_the_clock_that_was_given(manager: StateManager, told: Told) -> None:
    """A second for each append; the first look at the job folds its log."""
    begin(manager)
    (appends,) = told.points()["milepost.append.duration"].values()
    assert (appends.count, appends.sum) == (2, 2.0)
    (folds,) = told.points()["milepost.fold.duration"].values()
    assert (folds.count, folds.sum) == (1, 1.0)
    bounds = next(one.bounds for one in INSTRUMENTS if one.name == "milepost.append.duration")
    assert tuple(appends.explicit_bounds) == bounds


def test_refusals_and_conflicts_are_told_apart(manager: StateManager, told: Told) -> None:
    """By the code of the error; a conflict leaves a fact, a refusal leaves nothing."""
    begin(manager)
    manager.record("j", [ItemEvent("a", "succeed", {"result": 1})])
    manager.record("j", [ItemEvent("a", "succeed", {"result": 1})])  # passed over: no row
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent("a", "succeed", {"result": 2})])
    with pytest.raises(TransitionRefused):
        manager.fire("j", "resume")
    assert told.counted("milepost.conflicts") == {("record-conflict",): 1}
    assert told.counted("milepost.refusals") == {(TransitionRefused.code,): 1}
    assert told.counted("milepost.facts")["rejected",] == 1
    assert told.counted("milepost.commits") == {(): 4}


def test_what_failed_as_a_whole_counts_as_refused(
    manager: StateManager, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row, no facts: nothing of it is there."""
    begin(manager)
    before = told.counted("milepost.facts")

    def broken(*_: object) -> NoReturn:
        raise StoreError(url="there", problem="it broke")

    with monkeypatch.context() as patch:
        patch.setattr("milepost.stores.sqlite.store.SqliteWriter.add_row", broken)
        with pytest.raises(StoreError):
            manager.fire("j", "pause")
    assert told.counted("milepost.refusals") == {("store",): 1}
    assert told.counted("milepost.facts") == before


def test_leases_checkpoints_and_recoveries(
    manager: StateManager, told: Told, clock: FakeClock
) -> None:
    """Each event of a lease by name; size and time of a checkpoint; plans, if they did anything."""
    begin(manager)
    with manager.lease("j", "one", 10.0, renewed=False) as first:
        assert renew(manager._loader, first, manager._observer)
        clock.advance(11)
        with manager.lease("j", "two", 10.0, renewed=False):
            assert not renew(manager._loader, first, manager._observer)
            manager.apply(manager.recover_from_checkpoint("j"))
            manager.apply(manager.recover_from_checkpoint("j"))  # changes nothing
            taken = manager.create_checkpoint("j")
            plan = manager.recover_from_checkpoint(taken, rewind=True)
            manager.apply(plan)
    assert told.counted("milepost.lease.events") == {
        ("taken",): 1,
        ("renewed",): 1,
        ("taken_over",): 1,
        ("lost",): 1,
        ("released",): 1,
    }
    assert told.counted("milepost.recoveries") == {(False,): 1, (True,): 1}
    (size,) = told.points()["milepost.checkpoint.size"].values()
    assert (size.count, size.sum) == (1, taken.size_bytes)
    (duration,) = told.points()["milepost.checkpoint.duration"].values()
    assert duration.count == 1


def test_a_checkpoint_that_is_passed_over_is_counted_and_logged(
    manager: StateManager, told: Told, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Never silent: a warning that names it."""
    begin(manager)
    seq = manager.create_checkpoint("j").seq
    connection = apsw.Connection(str(tmp_path / "jobs.db"))
    connection.execute("UPDATE checkpoints SET snapshot = x'00'")
    connection.close()
    with caplog.at_level(logging.WARNING, "milepost.recovery"):
        StateManager(manager._store, metrics=manager._metrics).get_state("j")
    assert told.counted("milepost.checkpoints.passed_over") == {(): 1}
    (record,) = caplog.records
    assert record.name == "milepost.recovery"
    assert f"the checkpoint at seq {seq} of job j does not match" in record.getMessage()


def test_the_life_of_a_job_is_logged(
    manager: StateManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Created, its events with the phase, who took it, how it was recovered; not each item."""
    with caplog.at_level(logging.INFO, "milepost"):
        begin(manager)
        with manager.lease("j", "one", renewed=False):
            manager.apply(manager.recover_from_checkpoint("j"))
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("milepost.state", "INFO", "job j created with 3 items"),
        ("milepost.state", "INFO", "job j took start_map: in map at seq 2"),
        ("milepost.lease", "INFO", "<lease of j by one, fence 1, held>"),
        ("milepost.recovery", "INFO", "job j recovered: recover; in map"),
    ]


@pytest.mark.parametrize(("fault", "kept"), [("kept", 1), ("lost", 0)])
def test_a_hidden_commit_is_logged_and_counted_for_what_became_of_it(
    told: Told, caplog: pytest.LogCaptureFixture, fault: str, kept: int
) -> None:
    """What the log said when it was looked at again is what counts."""
    store = Faulty()
    manager = StateManager(store, clock=FakeClock(), metrics=Metrics(told.provider))
    begin(manager)
    store.fault = fault
    with caplog.at_level(logging.WARNING, "milepost.store"):
        if kept:
            manager.fire("j", "pause")
        else:
            with pytest.raises(CommitUnknown):
                manager.fire("j", "pause")
    (record,) = caplog.records
    became = "it took place" if kept else "nothing of it was written"
    assert (record.name, became in record.getMessage()) == ("milepost.store", True)
    assert told.counted("milepost.commits") == {(): 2 + kept}
    assert told.counted("milepost.events").get(("job", "pause", "mapreduce"), 0) == kept


def test_nothing_is_counted_by_job_or_item(manager: StateManager, told: Told) -> None:
    """As many series after ten jobs as after one."""

    def series() -> int:
        return sum(map(len, told.points().values()))

    begin(manager)
    after_one = series()
    for number in range(9):
        manager.create_job([f"{number}"], job_id=f"j{number}")
        manager.fire(f"j{number}", "start_map")
        manager.record(f"j{number}", [ItemEvent(0, "start")])
    assert series() == after_one


def test_the_page_lists_the_instruments() -> None:
    """The same names, kinds, units, attributes and meanings as in the code."""
    listed = re.findall(
        r"(?m)^\| `(milepost\.[^`]+)` \| (\w+) \| `(\S+)` \|(.*?)\| (.*) \|$", _page()
    )
    assert [
        (name, kind, unit, tuple(re.findall(r"`(.+?)`", attributes)), meaning)
        for name, kind, unit, attributes, meaning in listed
    ] == [(one.name, one.kind, one.unit, one.attributes, one.meaning) for one in INSTRUMENTS]


def test_the_page_lists_attributes_and_their_values() -> None:
    """Every attribute has a row; the values that are fixed are named."""
    rows = dict(re.findall(r"(?m)^\| `([a-z._]+)` \| (.*) \|$", _page()))
    used = {attribute for one in INSTRUMENTS for attribute in one.attributes}
    assert used <= rows.keys()
    named = re.findall(r"`(\w+)`", rows["milepost.lease.event"])
    assert tuple(named) == get_args(LeaseEvent)
    for code in ("record-conflict", "update-conflict", "plan-stale"):
        assert f"`{code}`" in rows["error.type"]
        assert code in {getattr(errors, name).code for name in errors.__all__}


def test_the_page_lists_the_loggers() -> None:
    """Each name that the source asks for, and no other."""
    asked = {
        name
        for path in Path(milepost.__file__).parent.rglob("*.py")
        for name in re.findall(r'getLogger\("([^"]+)"\)', path.read_text(encoding="utf-8"))
    }
    listed = set(re.findall(r"(?m)^\| `(milepost\.\w+)` \| (?:INFO|WARNING) \|", _page()))
    assert listed == asked


def _page() -> str:
    """The page without the tables of spans, which are held to what is exported elsewhere."""
    metrics, _, rest = PAGE.read_text(encoding="utf-8").partition("## Spans")
    return metrics + rest.partition("## Logging")[2]


def run(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


WORK = """
import sys
from milepost import StateManager
manager = StateManager.open("memory:")
manager.create_job(["a"], job_id="j")
manager.fire("j", "start_map")
"""


def test_opentelemetry_is_not_imported_for_us() -> None:
    """Not even by writing; the application decides."""
    assert run(f"{WORK}print([n for n in sys.modules if n.startswith('opentelemetry')])") == "[]"


def test_a_provider_that_comes_late_is_found() -> None:
    """The API alone measures nothing; once there is a provider, the next commit is counted."""
    code = f"""{WORK}
from opentelemetry import metrics
manager.fire("j", "pause")
print(manager._metrics.began())
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
manager.fire("j", "resume")
found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
print([p.value for m in found if m.name == "milepost.commits" for p in m.data.data_points])
"""
    assert run(code).splitlines() == ["None", "[1]"]


def test_a_provider_that_breaks_never_breaks_a_write() -> None:
    """It is a warning, once, and the write is done."""
    code = f"""{WORK}
from opentelemetry import metrics
class Broken(metrics.MeterProvider):
    def get_meter(self, *args, **kwargs):
        raise RuntimeError("no meter today")
metrics.set_meter_provider(Broken())
manager.fire("j", "pause")
print(manager.fire("j", "resume").phase)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "map\n"
    assert done.stderr.count("no meter today") == 1


def test_a_lease_that_is_not_renewed_is_counted(
    manager: StateManager, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewing thread goes on; each turn that failed counts."""
    begin(manager)
    asked: list[Lease] = []

    def broken(_: object, lease: Lease, __: object) -> bool:
        asked.append(lease)
        if len(asked) == 1:
            raise StoreError(url="there", problem="busy")
        return False

    monkeypatch.setattr("milepost.state.writing.lease.renew", broken)
    with manager.lease("j", "one", 0.003):
        while len(asked) < 2:
            manager.get_state("j")
    assert told.counted("milepost.lease.events")["not_renewed",] == 1
