"""Every parameter of the public surface, with values of any type: refused by name, or readable."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import milepost
from milepost import (
    AsyncStateManager,
    AsyncUpkeep,
    CheckpointPolicy,
    Item,
    ItemEvent,
    JobEvent,
    Lease,
    Limits,
    RetentionPolicy,
    Scope,
    StateManager,
    Upkeep,
    Write,
    arguments,
    executors,
    testing,
)
from milepost.bridges import to_scxml, to_transitions
from milepost.executors import (
    Backoff,
    Beside,
    CoroutineExecutor,
    Later,
    Limit,
    Permanent,
    RetryPolicy,
    Stop,
    process_pool,
    run,
    run_async,
)
from milepost.legacy.prodigy import read_home
from milepost.lifecycles import mapreduce
from milepost.log import codec
from milepost.metrics import Metrics
from milepost.state.keeping.salvage import salvage
from milepost.state.persistence import open_store
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from tests.integration.door import (
    WRONG,
    Target,
    Trial,
    awaited,
    methods_of,
    parameters_of,
    used,
)

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))

RIGHT: dict[str, Callable[[StateManager], Any]] = {
    "after": lambda m: 2,
    "ahead": lambda m: 1,
    "allow_network": lambda m: False,
    "apply": lambda m: False,
    "at": lambda m: datetime(2030, 1, 1, tzinfo=UTC),
    "batch_rows": lambda m: 10,
    "before": lambda m: 1,
    "beside": lambda m: Beside(Path("beside")),
    "busy_timeout_s": lambda m: 1.0,
    "check": lambda m: False,
    "checkpoint": lambda m: "j",
    "clock": lambda m: FakeClock(),
    "collection": lambda m: "items",
    "collections": lambda m: None,
    "config": lambda m: {"max_attempts": 2},
    "copy": lambda m: "copy.db",
    "create": lambda m: True,
    "deaths": lambda m: True,
    "dry_run": lambda m: True,
    "durability": lambda m: "process",
    "earlier": lambda m: (),
    "encode": lambda m: str,
    "errors": lambda m: {KeyError: "permanent"},
    "event": lambda m: "pause",
    "executor": lambda m: lambda: ThreadPoolExecutor(1),
    "existing": lambda m: "skip",
    "fetch": lambda m: True,
    "for_": lambda m: None,
    "grace_s": lambda m: 1.0,
    "file": lambda m: "job.log",
    "home": lambda m: ".",
    "item": lambda m: "a",
    "item_events": lambda m: [ItemEvent("d", "start")],
    "items": lambda m: ["a", "b", "c", "d"],
    "job_id": lambda m: "j",
    "keep": lambda m: 3,
    "keys": lambda m: ["a"],
    "largest": lambda m: 2,
    "lease": lambda m: None,
    "legacy": lambda m: None,
    "lifecycle": lambda m: mapreduce.LIFECYCLE,
    "lifecycles": lambda m: (),
    "limit": lambda m: 5,
    "newest": lambda m: 5,
    "limits": lambda m: Limits(),
    "look_every_s": lambda m: 0.05,
    "manager": lambda m: m,
    "map_fn": lambda m: lambda item: item.key,
    "more": lambda m: 1,
    "new": lambda m: Path("new.db"),
    "new_job_id": lambda m: "n",
    "old": lambda m: Path("old.db"),
    "on_changed": lambda m: "keep",
    "on_error": lambda m: lambda error: None,
    "on_job": lambda m: lambda job, count: None,
    "on_move": lambda m: lambda job, commits, of: None,
    "on_progress": lambda m: lambda state: None,
    "on_unknown": lambda m: lambda error: None,
    "on_wait": lambda m: lambda held: None,
    "operator": lambda m: False,
    "order": lambda m: "recorded",
    "ordinals": lambda m: [0],
    "owner": lambda m: "me",
    "payload": lambda m: None,
    "payload_codec": lambda m: None,
    "phase": lambda m: "map",
    "phases": lambda m: None,
    "policy": lambda m: None,
    "prefix": lambda m: "",
    "read_only": lambda m: False,
    "probe_s": lambda m: None,
    "progress": lambda m: False,
    "reason": lambda m: "because",
    "recovery": lambda m: m.recover_from_checkpoint("j"),
    "reduce_fn": lambda m: lambda results: len(list(results)),
    "renewed": lambda m: False,
    "repo": lambda m: None,
    "rest": lambda m: lambda: None,
    "retention": lambda m: m.plan_retention(),
    "retry": lambda m: RetryPolicy(default="give up"),
    "rewind": lambda m: False,
    "scope": lambda m: Scope.all(),
    "seq": lambda m: 2,
    "setup_fn": lambda m: None,
    "stop": lambda m: None,
    "takeover": lambda m: "",
    "threads": lambda m: 2,
    "timeout_s": lambda m: 5.0,
    "tries": lambda m: 2,
    "ttl_s": lambda m: 30.0,
    "undecoded": lambda m: False,
    "updater": lambda m: lambda state: JobEvent("pause"),
    "upto": lambda m: 3,
    "url": lambda m: "other.db",
    "variables": lambda m: {"v": 2},
    "wait": lambda m: "no",
    "workers": lambda m: 1,
    "writes": lambda m: [Write("j", [JobEvent("pause")])],
}
"""What is passed for a parameter where another is the one that is wrong, by its name."""

SPECIAL: dict[tuple[str, str], Callable[[StateManager], Any]] = {
    ("create_job", "job_id"): lambda m: "new",
    ("create_job", "lifecycle"): lambda m: "mapreduce",
    ("list_jobs", "lifecycle"): lambda m: "mapreduce",
    ("import_jobs", "job_id"): lambda m: None,
    ("import_jobs", "tool"): lambda m: "prodigy",
    ("move", "to"): lambda m: "other.db",
    ("redo", "items"): lambda m: Scope.all(),
    ("skip", "items"): lambda m: Scope.all(),
    ("plan_retention", "job_ids"): lambda m: ["j"],
    ("allow_dead", "more"): lambda m: 1,
    ("get_checkpoint", "seq"): lambda m: None,
    ("run_async", "clock"): lambda m: __import__("time").monotonic,
    ("run_async", "limit"): lambda m: Limit(per_s=1000),
    ("run", "limit"): lambda m: Limit(per_s=1000),
    ("run", "clock"): lambda m: __import__("time").monotonic,
    ("RetentionPolicy", "completed"): lambda m: None,
    ("RetentionPolicy", "ended"): lambda m: None,
    ("RetentionPolicy", "lifecycles"): lambda m: {},
}
"""Where that would not do."""


def _method(name: str, method: Callable[..., Any]) -> Target:
    def call(manager: StateManager, given: dict[str, Any]) -> object:
        return used(getattr(manager, name)(**given))

    return Target(name, parameters_of(method), call)


def _kept_up(name: str) -> Callable[[StateManager, dict[str, Any]], object]:
    return lambda manager, given: used(getattr(manager.upkeep, name)(**given))


def _opened(manager: StateManager, given: dict[str, Any]) -> object:
    del manager
    with StateManager.open(**given) as opened:
        return opened.create_job(["a"], job_id="new")


def _opened_soon(manager: StateManager, given: dict[str, Any]) -> object:
    import asyncio

    async def go() -> None:
        async with await AsyncStateManager.open(**given) as opened:
            await opened.create_job(["a"])

    del manager
    return asyncio.run(go())


def _run_soon(manager: StateManager, given: dict[str, Any]) -> object:
    import asyncio

    async def go() -> object:
        return await run_async(**given)

    del manager
    return asyncio.run(go())


def _store(manager: StateManager, given: dict[str, Any]) -> object:
    del manager
    store = open_store(**given)
    try:
        return StateManager(store).create_job(["a"])
    finally:
        store.close()


def _planned(make: Callable[..., Scope]) -> Callable[[StateManager, dict[str, Any]], object]:
    """A scope is made, combined, told and used."""

    def call(manager: StateManager, given: dict[str, Any]) -> object:
        many = next((given.pop(name) for name in given if name in _MANY), None)
        scope = (
            make(*many)
            if isinstance(many, list | tuple | set)
            else (make(many) if many is not None else make(**given))
        )
        str(scope & Scope.all())
        plan = manager.recover_from_checkpoint("j", scope=scope, reason="by scope")
        return manager.apply(plan, operator=True)

    return call


_MANY = ("states", "keys", "globs", "causes", "kinds")


def _ended(make: Callable[..., Any]) -> Callable[[StateManager, dict[str, Any]], object]:
    """An executor is made and ended."""

    def call(manager: StateManager, given: dict[str, Any]) -> object:
        del manager
        return make(**given).shutdown(wait=True)

    return call


def _retried(manager: StateManager, given: dict[str, Any]) -> object:
    policy = RetryPolicy(**given)
    return [policy.rule(cause) for cause in ("error", "timeout", "executor_lost")], manager.url


def _waited(manager: StateManager, given: dict[str, Any]) -> object:
    backoff = Backoff(**given)
    return [backoff.wait_us("j", "a", attempts) for attempts in (1, 2, 50, 5_000)], manager.url


def _raising(error: Exception, item: object) -> object:
    raise error


def _run_once(manager: StateManager, map_fn: Callable[..., Any], **given: Any) -> object:
    """The job is run to its end, however it ends."""
    pool = partial(ThreadPoolExecutor, 1)
    return run(manager, "j", map_fn, executor=pool, workers=1, probe_s=None, **given)


def _run_limited(manager: StateManager, given: dict[str, Any]) -> object:
    """As above; time goes on with each call, since a rate waits for it."""
    clock = manager._clock
    assert isinstance(clock, FakeClock)
    return _run_once(
        manager,
        lambda item: item.key,
        limit=Limit(**given),
        on_progress=lambda state: clock.advance(5),
    )


def _limited(manager: StateManager, given: dict[str, Any]) -> object:
    with StateManager(MemoryStore(), limits=Limits(**given)) as limited:
        return limited.create_job(["a"], variables={"v": 1}), manager.url


def _managed(manager: StateManager, given: dict[str, Any]) -> object:
    given.setdefault("store", MemoryStore())
    with StateManager(**given) as made:
        return made.create_job(["a"]), manager.url


def _advanced(manager: StateManager, given: dict[str, Any]) -> object:
    clock = FakeClock(**{name: given[name] for name in ("at_us", "timeline") if name in given})
    clock.advance(given.get("advance", 1))
    clock.step(given.get("step", 1))
    clock.sleep(given.get("sleep", 1))
    with StateManager(MemoryStore(), clock=clock) as made:
        return made.create_job(["a"]), made.get_state_history, manager.url


def _leased(manager: StateManager, given: dict[str, Any]) -> object:
    lease = Lease(**given)
    return manager.fire("j", "pause", lease=lease), repr(lease)


TARGETS: dict[str, Target] = {
    **{
        name: _method(name, method)
        for name, method in methods_of(StateManager).items()
        if name not in ("open", "close")
    },
    **{
        f"async {name}": Target(f"async {name}", parameters_of(method), awaited(name))
        for name, method in methods_of(AsyncStateManager).items()
        if name not in ("open", "close")
    },
    **{
        f"upkeep {name}": Target(f"upkeep {name}", parameters_of(method), _kept_up(name))
        for name, method in methods_of(Upkeep).items()
    },
    **{
        f"async upkeep {name}": Target(
            f"async upkeep {name}", parameters_of(method), awaited(name, "upkeep")
        )
        for name, method in methods_of(AsyncUpkeep).items()
    },
    "run": Target("run", parameters_of(run), lambda m, given: run(**given)),
    "run_async": Target("run_async", parameters_of(run_async), _run_soon),
    "Stop": Target("Stop", ("reason",), lambda m, given: Stop().request(**given)),
    "StateManager.open": Target("StateManager.open", parameters_of(StateManager.open), _opened),
    "AsyncStateManager.open": Target(
        "AsyncStateManager.open", parameters_of(AsyncStateManager.open), _opened_soon
    ),
    "open_store": Target("open_store", parameters_of(open_store), _store),
    "StateManager": Target(
        "StateManager",
        parameters_of(StateManager),
        _managed,
        {"new_job_id": lambda m: lambda: "made", "metrics": lambda m: Metrics(),
         "store": lambda m: MemoryStore(), "processes": lambda m: None},
    ),
    **{
        f"Scope.{name}": Target(
            f"Scope.{name}",
            parameters_of(method),
            _planned(method),
            {
                "states": lambda m: ["dead"],
                "globs": lambda m: ["*"],
                "causes": lambda m: ["error"],
                "kinds": lambda m: ["ValueError"],
                "phase": lambda m: "map",
                "first": lambda m: 0,
                "last": lambda m: 2,
                "attempts": lambda m: 1,
                "exactly": lambda m: False,
            },
        )
        for name, method in methods_of(Scope).items()
    },
    "Scope": Target(
        "Scope",
        parameters_of(Scope),
        _planned(Scope),
        {"filters": lambda m: (), "phase": lambda m: None, "seq": lambda m: None,
         "exact": lambda m: False},
    ),
    "CheckpointPolicy": Target(
        "CheckpointPolicy",
        parameters_of(CheckpointPolicy),
        lambda m, given: CheckpointPolicy(**given).due(settled_items=1, commits=1, elapsed_s=1.0),
        {"items": lambda m: 1, "commits": lambda m: 1, "seconds": lambda m: 1.0},
    ),
    "RetentionPolicy": Target(
        "RetentionPolicy",
        parameters_of(RetentionPolicy),
        lambda m, given: m.collect(m.plan_retention(RetentionPolicy(**given))),
        dict.fromkeys(("completed", "failed", "cancelled", "tombstones"), lambda m: None)
        | {"checkpoints": lambda m: 1},
    ),
    "Limits": Target(
        "Limits",
        parameters_of(Limits),
        _limited,
        dict.fromkeys(parameters_of(Limits), lambda m: 1_000_000),
    ),
    "RetryPolicy": Target(
        "RetryPolicy",
        parameters_of(RetryPolicy),
        _retried,
        {"default": lambda m: Backoff(), "causes": lambda m: {"error": "give up"},
         "kinds": lambda m: {"KeyError": "give up"}},
    ),
    "Backoff": Target(
        "Backoff",
        parameters_of(Backoff),
        _waited,
        {"base_s": lambda m: 1.0, "factor": lambda m: 2, "max_s": lambda m: 9.0,
         "jitter": lambda m: 0.5},
    ),
    "Limit": Target(
        "Limit",
        parameters_of(Limit),
        _run_limited,
        {"per_s": lambda m: 1000, "concurrency": lambda m: 2, "adapt": lambda m: True},
    ),
    "Beside": Target(
        "Beside",
        parameters_of(Beside),
        lambda m, given: _run_once(m, lambda item: item.key * 2000, beside=Beside(**given)),
        {"url": lambda m: "beside", "above_bytes": lambda m: 1024,
         "durability": lambda m: "process"},
    ),
    "Later": Target(
        "Later",
        ("message", "after_s", "note", "everyone"),
        lambda m, given: (Later(given.pop("message"), **given), m.url),
        {"message": lambda m: "not now", "after_s": lambda m: 1.0, "note": lambda m: {"batch": 1},
         "everyone": lambda m: True},
    ),
    "Permanent": Target(
        "Permanent",
        ("message",),
        lambda m, given: _run_once(m, partial(_raising, Permanent(given["message"]))),
        {"message": lambda m: "never again"},
    ),
    "ItemEvent": Target(
        "ItemEvent",
        parameters_of(ItemEvent),
        lambda m, given: m.record("j", [ItemEvent(**given)]),
        {"item": lambda m: "d", "event": lambda m: "start"},
    ),
    "JobEvent": Target(
        "JobEvent", parameters_of(JobEvent), lambda m, given: m.record("j", [JobEvent(**given)])
    ),
    "Write": Target(
        "Write",
        parameters_of(Write),
        lambda m, given: _first(m.write_each([Write(**given)])),
        {"requests": lambda m: [JobEvent("pause")]},
    ),
    "Item": Target(
        "Item",
        parameters_of(Item),
        lambda m, given: m.create_job([Item(**given)], job_id="new"),
        {"key": lambda m: "x", "value": lambda m: 1},
    ),
    "a result": Target(
        "a result", ("result",), lambda m, given: m.record(
            "j", [ItemEvent("c", "succeed", given)]
        ), {"result": lambda m: 1},
    ),
    "variables of an event": Target(
        "variables of an event", ("variables",),
        lambda m, given: m.fire("j", "set_variables", given),
    ),
    "Lease": Target(
        "Lease",
        parameters_of(Lease),
        _leased,
        {"number": lambda m: 1, "fence": lambda m: 1, "ttl_s": lambda m: 1.0},
    ),
    "FakeClock": Target(
        "FakeClock",
        ("at_us", "timeline", "advance", "step", "sleep"),
        _advanced,
        {"at_us": lambda m: 10**12, "timeline": lambda m: "one", "advance": lambda m: 1.5,
         "step": lambda m: 2, "sleep": lambda m: 0},
    ),
    "CoroutineExecutor": Target(
        "CoroutineExecutor", parameters_of(CoroutineExecutor), _ended(CoroutineExecutor),
        {"concurrency": lambda m: 2},
    ),
    "process_pool": Target("process_pool", parameters_of(process_pool), _ended(process_pool)),
    "to_scxml": Target(
        "to_scxml", parameters_of(to_scxml), lambda m, given: to_scxml(**given),
        {"machine": lambda m: mapreduce.ITEM},
    ),
    "to_transitions": Target(
        "to_transitions", ("machine", "prefix", "raises"),
        lambda m, given: to_transitions(**given),
        {"machine": lambda m: mapreduce.ITEM, "prefix": lambda m: "do_", "raises": lambda m: True},
    ),
    "read_home": Target(
        "read_home", parameters_of(read_home), lambda m, given: read_home(**given).jobs,
        {"job_id": lambda m: None, "projects": lambda m: [], "limits": lambda m: None},
    ),
    "salvage": Target(
        "salvage", parameters_of(salvage), lambda m, given: list(salvage(**given)),
    ),
}  # fmt: skip
"""All that callers can pass something to."""

MADE_BY_US = {
    "AsyncUpkeep", "Catalogue", "Checkpoint", "CheckpointRef", "Clock", "Collected",
    "Compaction", "DeadLetter", "Deferred", "end_with_parent", "FailedAttempt", "Failure",
    "FailureDetails", "FailureGroup", "FailureSummary", "Holding", "HomeImport",
    "InputComparison", "Inputs", "JobImport", "JobMove",
    "JobSizes", "JobState", "JobSummary", "Keeping",
    "Kept", "KeptBeside", "KeySet", "Large", "Ledger", "Ledgers", "Lost", "Move", "NoteWay",
    "Nothing", "NOTHING", "Order", "PassedOver", "PayloadCodec", "PhaseEntered", "Problem",
    "Progress", "QuarantinedResult", "QuarantinedRow", "Raised", "RecordedResult",
    "RecoveryPlan", "Repair", "RepairStep", "ReportLine", "RetentionPlan", "RunOutcome",
    "SomeKeys", "Soundness", "Standing", "StateDiff", "StateEvent", "StateStore", "SteadyClock",
    "Steps", "Stored", "StoredSizes", "StoreFormat", "StoreMove",
    "Stray", "StuckJob", "Tally", "Tombstone",
    "Upkeep", "Users", "Vacuumed", "Verdict", "Verification", "WayBack", "Why", "WorkItem",
}  # fmt: skip
"""Names that are public so that they can be read: nobody passes them anything."""

REFUSED = {"Lease", "Scope.checkpoint", "salvage", "import_jobs", "import_log", "result"}
"""What is refused here with right values too: there is no such lease, file, home or result."""

SUBJECTS = {
    "AsyncStateManager",
    *(name.split(".")[0] for name in TARGETS),
    "lifecycle_machine",
    "wait_until_expired",
}


def _first(answers: list[Any]) -> object:
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Relative paths are in the test's own directory, and logs say nothing."""
    logging.disable(logging.CRITICAL)
    monkeypatch.chdir(tmp_path)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(tmp_path)
    yield trial
    trial.end()


def right_value(target: Target, name: str, manager: StateManager) -> Any:
    method = target.name.removeprefix("async ").removeprefix("upkeep ")
    make = target.right.get(name) or SPECIAL.get((method, name)) or RIGHT.get(name)
    assert make is not None, f"what is right for the parameter {name!r} of {target.name}? Say so"
    return make(manager)


def _values(target: Target, manager: StateManager, wrong: dict[str, str]) -> dict[str, Any]:
    return {
        name: WRONG[wrong[name]]() if name in wrong else right_value(target, name, manager)
        for name in target.parameters
    }


def test_everything_public_is_called() -> None:
    """A new name, method or parameter is called too: say here what would be right for it."""
    errors = {
        name
        for home in (milepost, testing)
        for name in home.__all__
        if isinstance(getattr(home, name), type) and issubclass(getattr(home, name), Exception)
    }
    public = {*milepost.__all__, *executors.__all__, *testing.__all__} - errors
    assert public - MADE_BY_US - SUBJECTS == set()
    known = RIGHT.keys() | {name for _, name in SPECIAL}
    missing = {
        (target.name, name)
        for target in TARGETS.values()
        for name in target.parameters
        if name not in known and name not in target.right
    }
    assert missing == set()


@pytest.mark.parametrize("name", TARGETS)
def test_with_what_is_right_it_is_done(trial: Trial, name: str) -> None:
    """Otherwise all else would be refused for something that is not looked at."""
    target = TARGETS[name]
    found = trial.problem(target, _values(target, trial.fresh(), {}))
    assert found is None
    assert (
        trial.refused_count == 0 or name.removeprefix("async ").removeprefix("upkeep ") in REFUSED
    )


@pytest.mark.parametrize("name", [name for name, each in TARGETS.items() if each.parameters])
@given(data=st.data())
@settings(
    max_examples=8 * SOAK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_passed_is_refused_or_can_be_read(
    trial: Trial, name: str, data: st.DataObject
) -> None:
    target = TARGETS[name]
    chosen = data.draw(st.sets(st.sampled_from(target.parameters), min_size=1, max_size=2))
    wrong = {each: data.draw(st.sampled_from(sorted(WRONG)), each) for each in sorted(chosen)}
    assert trial.problem(target, _values(target, trial.fresh(), wrong)) is None


@pytest.mark.parametrize("name", [name for name, each in TARGETS.items() if each.parameters])
def test_each_parameter_alone(trial: Trial, name: str) -> None:
    """Every value for every parameter in a soak; a part of them otherwise, all for some."""
    target = TARGETS[name]
    cases = [(parameter, value) for parameter in target.parameters for value in WRONG]
    stride = 1 if SOAK > 1 else 11
    found: dict[str, str] = {}
    for parameter, value in cases[crc32(name.encode()) % stride :: stride]:
        values = _values(target, trial.fresh(), {parameter: value})
        if (problem := trial.problem(target, values)) is not None:
            found[f"{parameter}={value}"] = problem
    assert found == {}


@pytest.mark.parametrize("what", ["a text", "an instance", "what is encoded"])
def test_a_check_that_is_missing_is_noticed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The negative control."""
    if what == "a text":
        monkeypatch.setattr(arguments, "text", lambda name, given, **_: given)
        name, wrong = "create_checkpoint", {"reason": "1"}
        found = "ValueInvalid"  # the gate behind the door
    elif what == "an instance":
        monkeypatch.setattr(arguments, "instance", lambda name, given, kind, wanted="": given)
        name, wrong, found = "requeue", {"scope": "1"}, "AttributeError"
    else:
        monkeypatch.setattr(arguments, "text", lambda name, given, **_: given)
        monkeypatch.setattr(codec, "_checked_head", codec._json_encoder.encode)
        name, wrong, found = "create_checkpoint", {"reason": "1"}, "INV-CHAIN"
    target = TARGETS[name]
    problem = trial.problem(target, _values(target, trial.fresh(), wrong))
    if found == "ValueInvalid":
        assert problem is None
        assert trial.refused_count == 1
    else:
        assert problem is not None
        assert found in problem
