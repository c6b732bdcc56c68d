"""Jobs of every lifecycle at hand on random legal walks: killed, recovered, verified, read."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost import JobState, RecordConflict, StateManager, TransitionRefused
from milepost.errors import LifecycleUnfit
from milepost.machine import Lifecycle
from milepost.testing import FakeClock
from milepost.testing.lifecycle.reading import Reader, found_in
from milepost_codegen.findings import DefinitionError
from tests.conformance.logs import definitions, of_store
from tests.unit.compiler.diff.test_properties import versions
from tests.unit.compiler.diff.versions import Data

from .compiling import ROOT, at_once, lifecycle_of, module_of
from .model import Model, act, agree, following
from .texts import TEXTS
from .walks import begin, created, illegal, walk

LONGER = int(os.environ.get("MILEPOST_SOAK", "1"))
JOB = "job"


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


def test_no_example_is_left_out() -> None:
    """The lifecycles of other projects are among them, and those of tests."""
    examples = {path.stem for path in (ROOT / "examples" / "lifecycles").glob("*.yaml")}
    assert len(examples) >= 12
    assert examples <= set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_a_job_is_killed_on_its_way_recovered_and_read(
    name: str, reader: Reader, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After each step it is what a plain model is; so are its copy from the crash and its end."""
    acts, held = 0, {"logs": 0, "commits": 0, "facts": 0}
    for seed in range(2 * LONGER):
        chance = random.Random(f"{name} {seed}")  # noqa: S311 no secret
        acts += _trial(TEXTS[name], chance, reader, tmp_path / str(seed), held)
    record_property("counted", ("random walks of lifecycles", {"acts": acts}))
    record_property("counted", ("healthy logs held against definitions", held))


def _read(reader: Reader, text: str, store: Path) -> dict[str, Any]:
    """What the other process finds of the job; its results are compared by this one."""
    found = reader.read(module_of(text), str(store), JOB)
    found.pop("results", None)
    return found


def _trial(
    text: str, chance: random.Random, reader: Reader, folder: Path, held: dict[str, int]
) -> int:
    folder.mkdir()
    alive, killed = folder / "alive.db", folder / "killed.db"
    lifecycle, clock = lifecycle_of(text), FakeClock()
    model = begin(lifecycle, chance)
    dies_at = chance.randrange(12)
    acts, then = 0, model
    with StateManager.open(alive, lifecycle=lifecycle, clock=clock) as manager:
        state = manager.create_job(job_id=JOB, **created(model))
        agree(state, model)
        _copy(alive, killed)
        for asked, model in walk(model, chance, 25):  # noqa: B020 the job goes on
            state = act(manager, JOB, asked)
            agree(state, model)
            if acts == dies_at // 2:
                manager.create_checkpoint(JOB)
            if acts == dies_at:
                _copy(alive, killed)
            if acts <= dies_at:
                then = model
            acts += 1
            _is_refused(manager, model, chance)
        assert [one.sound for one in manager.verify()] == [True]
        _conform(manager, text, held)
        if _has_results(model):
            assert dict(manager.results(JOB)) == model.results
        state = manager.get_state(JOB)
    if acts <= dies_at:
        _copy(alive, killed)
        then = model
    assert _read(reader, text, alive) == {**found_in(state), "sound": [True]}
    with StateManager.open(killed, lifecycle=lifecycle, clock=clock) as manager:
        agree(manager.get_state(JOB), then)
        for asked, model in walk(following(then, _taken_up(manager, then)), chance, 5):
            agree(act(manager, JOB, asked), model)
        assert [one.sound for one in manager.verify()] == [True]
        _conform(manager, text, held)
        state = manager.get_state(JOB)
    assert _read(reader, text, killed) == {**found_in(state), "sound": [True]}
    return acts


def _conform(manager: StateManager, text: str, held: dict[str, int]) -> None:
    """The log is as the definition says, asked as text, and as the tables fold it."""
    for found in of_store(manager._store, definitions(text), tables=manager.lifecycles).values():
        assert found.conforms, found.departure
        assert found.by_tables
        held["logs"] += 1
        held["commits"] += found.commits
        held["facts"] += found.facts


@given(versions(), st.integers(0, 10**6))
@settings(max_examples=12 * LONGER, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_lifecycles_are_kept(data: Data, seed: int) -> None:
    """With random states, events, rows and members on top of a job and its items."""
    _walked(at_once(json.dumps(data)), random.Random(seed))  # noqa: S311 no secret


@pytest.mark.parametrize("name", ["built_in", "shop", "transfer", "rich_example", "yarn_rm_app"])
def test_mutated_lifecycles_are_kept(name: str) -> None:
    """Lines dropped and words swapped: whatever still compiles is kept, or refused at `open`."""
    chance = random.Random(name)  # noqa: S311 no secret
    kept = 0
    for _ in range(36 * LONGER):
        try:
            lifecycle = at_once(_mutated(TEXTS[name], chance))
        except DefinitionError:
            continue
        try:
            kept += _walked(lifecycle, chance) > 0
        except LifecycleUnfit:
            assert lifecycle.root == "" or len(lifecycle.machines) > 2
    assert kept > 3


def _mutated(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    if chance.random() < 0.5:
        lines[at] = ""
    else:
        words = lines[at].split(" ")
        words[chance.randrange(len(words))] = chance.choice(chance.choice(lines).split(" "))
        lines[at] = " ".join(words)
    return "\n".join(lines)


def _walked(lifecycle: Lifecycle, chance: random.Random) -> int:
    """A job of it in memory, as the plain model after each act, recovered and sound; the acts."""
    acts, model = 0, begin(lifecycle, chance)
    with StateManager.open("memory:", lifecycle=lifecycle, clock=FakeClock()) as manager:
        agree(manager.create_job(job_id=JOB, **created(model)), model)
        for asked, model in walk(model, chance, 15):  # noqa: B020 the job goes on
            agree(act(manager, JOB, asked), model)
            acts += 1
        _is_refused(manager, model, chance)
        _taken_up(manager, model)
        assert [one.sound for one in manager.verify()] == [True]
    return acts


def _taken_up(manager: StateManager, then: Model) -> JobState:
    """The job after its recovery; or as it was, where a guard lets nobody take it up."""
    try:
        return _recovered(manager, then)
    except TransitionRefused as refused:
        assert refused.guards
        state = manager.get_state(JOB)
        agree(state, then)
        return state


def _recovered(manager: StateManager, then: Model) -> JobState:
    """The job after its recovery: a plan puts every item in one place, and is what is done."""
    plan = manager.recover_from_checkpoint(JOB)
    assert sorted(key for keys in plan.parts.values() for key in keys) == sorted(then.members)
    before = manager.get_state(JOB)
    state = manager.apply(plan)
    assert (state.phase, state.tally, dict(state.context)) == (
        plan.after.phase,
        plan.after.tally,
        dict(plan.after.context),
    )
    assert list(state.done) == list(before.done)
    return state


def _has_results(model: Model) -> bool:
    roles = [model.machine_of(key).roles.result for key in model.members]
    return any(role is not None for role in roles)


def _is_refused(manager: StateManager, model: Model, chance: random.Random) -> None:
    """What the table does not allow changes nothing."""
    asked = illegal(model, chance)
    if asked:
        with pytest.raises((TransitionRefused, RecordConflict)):
            act(manager, JOB, asked)
        agree(manager.get_state(JOB), model)


def _copy(store: Path, to: Path) -> None:
    for suffix in ("", "-wal"):
        to.with_name(f"{to.name}{suffix}").unlink(missing_ok=True)
        if store.with_name(f"{store.name}{suffix}").exists():
            shutil.copy(f"{store}{suffix}", f"{to}{suffix}")
