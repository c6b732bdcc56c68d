"""The contract of a kept job, whatever its lifecycle is called and however it is shaped."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from milepost import (
    ItemEvent,
    JobState,
    RecordConflict,
    RetentionPolicy,
    Scope,
    StateManager,
    TransitionRefused,
)
from milepost.errors import ResultAbsent, RoleAbsent
from milepost.executors import run
from milepost.state.keeping.salvage import salvage
from milepost.testing import FakeClock
from milepost.testing.lifecycle.reading import Reader, found_in

from .cases import CASES, Case
from .compiling import lifecycle_of, module_of
from .keeping import JOB, Kept, copy_of, driven, opened
from .model import Model, act, agree
from .walks import created, illegal

PLANNED = {
    "pending": "waiting",
    "in_flight": "held",
    "dead": "dead",
    "done": "done",
    "skipped": "skipped",
    "ended": "ended",
    "unassigned": "unassigned",
}
"""Parts of a plan by the part of the items; what failed is retriable or exhausted."""


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def kept(case: Case, tmp_path: Path) -> Iterator[Kept]:
    """The job after its script, with items wherever they can be."""
    with driven(tmp_path, case) as kept:
        yield kept


@pytest.fixture
def ended(case: Case, tmp_path: Path) -> Iterator[Kept]:
    """The job at its end."""
    with driven(tmp_path, case, to_the_end=True) as kept:
        yield kept


def keys_of(state: JobState, part: str) -> frozenset[str]:
    return frozenset(state.inputs.key(ordinal) for ordinal in getattr(state, part))


def sound(manager: StateManager) -> None:
    assert [(one.sound, one.problems) for one in manager.verify()] == [
        (True, ()) for _ in manager.job_ids()
    ]


def test_it_goes_where_its_table_says(ended: Kept) -> None:
    """Created, driven to its end, and every event of it is in the history, in order."""
    case, manager = ended.case, ended.manager
    state = manager.get_state(JOB)
    assert (state.phase, state.finished) == (case.end, True)
    assert state.variables == case.variables
    told = [event.event for event in manager.get_state_history(JOB) if event.transitions]
    asked = [request for one in (*case.script, *case.rest) for request in one]
    assert [name for name, _ in groupby(told)] == [
        name for name, _ in groupby(request.event for request in asked)
    ]
    sound(manager)


def test_items_are_where_their_roles_say(kept: Kept) -> None:
    """By what the case says of its states; the parts are a partition, and so are the plan's."""
    state = kept.manager.get_state(JOB)
    parts = {part: keys_of(state, part) for part in (*PLANNED.values(), "failed")}
    assert {part: keys for part, keys in parts.items() if keys} == kept.case.parts
    plan = kept.manager.recover_from_checkpoint(JOB)
    planned = {part: frozenset(plan.parts.get(name, ())) for name, part in PLANNED.items()}
    planned["failed"] = frozenset((*plan.parts["retriable"], *plan.parts["exhausted"]))
    assert planned == parts
    assert sorted(key for keys in plan.parts.values() for key in keys) == sorted(kept.model.members)
    for key in kept.model.members:
        assert plan.reason_of(key)


def test_what_the_table_refuses_changes_nothing(case: Case, tmp_path: Path) -> None:
    """At every step, of the job and of its items."""
    tried = 0
    with driven(tmp_path, replace(case, script=())) as kept:
        chance = random.Random(case.name)  # noqa: S311 no secret
        for asked in (*case.script, *case.rest, ()):
            for _ in range(4):
                wrong = illegal(kept.model, chance)
                if wrong:
                    tried += 1
                    with pytest.raises((TransitionRefused, RecordConflict)):
                        act(kept.manager, JOB, wrong)
                    agree(kept.manager.get_state(JOB), kept.model)
            if asked:
                kept.drive(asked)
        sound(kept.manager)
    assert tried > len(case.script)


def test_a_result_is_recorded_once(kept: Kept) -> None:
    """The same again is passed over; another is a conflict, which the log keeps."""
    done = [key for key in kept.model.members if kept.model.part(key) == "done"]
    if not kept.case.results:
        assert not done
        return
    for key in done:
        role = kept.model.machine_of(key).roles.result
        assert role is not None
        before = kept.manager.get_state(JOB)
        again = ItemEvent(key, role.event, {role.field: kept.case.results[key]})
        assert kept.manager.record(JOB, [again]).seq == before.seq
        with pytest.raises(RecordConflict):
            kept.manager.record(JOB, [again._replace(payload={role.field: 4711})])
        state = kept.manager.get_state(JOB)
        assert state.rejected_count == before.rejected_count + 1
        assert kept.manager.result_of(JOB, key) == kept.case.results[key]
        agree(state, kept.model)
    sound(kept.manager)


def test_results_and_failures_are_read_back(case: Case, tmp_path: Path) -> None:
    """Under way and at the end, item by item and of the job."""
    with driven(tmp_path, case) as kept:
        manager = kept.manager
        if "failures" not in case.absent:
            found = manager.failures(JOB)
            assert {key: tuple(f.cause for f in told) for key, told in found.items()} == case.causes
            letters = {letter.key: letter for letter in manager.dead_letters(JOB)}
            assert set(letters) == case.parts["dead"]
            for key, letter in letters.items():
                assert tuple(f.cause for f in letter.failures) == case.causes[key]
            failed = manager.get_state(JOB).failed_items
            assert set(failed) == case.parts.get("failed", frozenset()) | case.parts["dead"]
        if "results" not in case.absent:
            done = {key: case.results[key] for key in case.parts["done"]}
            assert dict(manager.results(JOB)) == done
            assert set(manager.get_state(JOB).processed_items) == set(done)
        if "result" not in case.absent:
            with pytest.raises(ResultAbsent):
                manager.result(JOB)
        kept.drive(*case.rest)
        if "results" not in case.absent:
            assert dict(manager.results(JOB)) == case.results
            recorded = list(manager.results(JOB, order="recorded"))
            assert sorted(recorded, key=str) == sorted(case.results.items(), key=str)
        if "result" not in case.absent:
            assert manager.result(JOB) == case.result


def test_a_question_without_a_role_is_refused_by_name(kept: Kept) -> None:
    """Never answered by nothing: the error names the role, the machine and what asked."""
    manager, case = kept.manager, kept.case
    questions: dict[str, Callable[[], object]] = {
        "results": lambda: list(manager.results(JOB)),
        "failures": lambda: manager.failures(JOB),
        "dead_letters": lambda: list(manager.dead_letters(JOB)),
        "requeue": lambda: manager.requeue(JOB),
        "result": lambda: manager.result(JOB),
        "run": lambda: run(manager, JOB, lambda item: item.key, executor=ThreadPoolExecutor),
    }
    assert set(case.absent) <= set(questions)
    lifecycle = lifecycle_of(case.text, *case.earlier)
    for question, (role, machine) in case.absent.items():
        with pytest.raises(RoleAbsent) as refused:
            questions[question]()
        error = refused.value
        assert (error.lifecycle, error.version) == (lifecycle.name, lifecycle.version)
        assert (error.role, error.machine) == (role, machine), question
        told = f"machines.{machine}.roles" if machine else "its jobs have no items"
        assert told in str(error)
    with_redo = any(one.roles.redo for one in lifecycle.machines.values())
    with_allowance = lifecycle.machines[lifecycle.root].roles.allow_dead is not None
    newer = {
        "redo": (with_redo, lambda: manager.redo(JOB, Scope.all())),
        "allow_dead": (with_allowance, lambda: manager.allow_dead(JOB, 1)),
    }
    for role, (named, ask) in newer.items():
        if not named:
            with pytest.raises(RoleAbsent, match=f"role '{role}'"):
                ask()
    agree(manager.get_state(JOB), kept.model)


def test_killed_after_any_commit_it_goes_on(case: Case, tmp_path: Path) -> None:
    """Its file as each commit left it: nothing is lost, and recovery does what its plan says."""
    copies: list[tuple[Path, Model]] = []
    with driven(tmp_path, replace(case, script=())) as kept:
        for number, asked in enumerate(((), *case.script, *case.rest)):
            if asked:
                kept.drive(asked)
            if number == len(case.script) // 2:
                kept.manager.create_checkpoint(JOB)
            copies.append((copy_of(kept.path, tmp_path / f"{number}.db"), kept.model))
    for path, model in copies:
        clock = FakeClock()
        with opened(path, case, clock=clock) as manager:
            state = manager.get_state(JOB)
            agree(state, model)
            plan = manager.recover_from_checkpoint(JOB, reason="a crash")
            assert plan.phase == model.phase
            after = manager.apply(plan)
            assert (after.phase, after.tally) == (plan.after.phase, plan.after.tally)
            assert not after.held or not any(
                after.roles_of(ordinal).lost for ordinal in after.held
            ), "nobody holds what an executor held that is dead"
            assert keys_of(after, "done") == keys_of(state, "done")
            assert manager.recover_from_checkpoint(JOB).changes_nothing or after.finished
            sound(manager)


def test_a_scope_takes_some_items_and_leaves_the_rest(kept: Kept) -> None:
    """By key, glob, place and state for any lifecycle; by failure where it has the role."""
    manager, model = kept.manager, kept.model
    if not model.members:
        plan = manager.recover_from_checkpoint(JOB, scope=Scope.ordinals([]))
        assert not any(plan.parts.values())
        return
    keys = list(model.members)
    first, states = keys[0], {model.members[keys[-1]].state}
    parts = kept.case.parts
    dead, failed = parts.get("dead", frozenset()), parts.get("failed", frozenset())
    wanted = {
        Scope.all(): set(keys),
        Scope.keys(first): {first},
        Scope.globs(f"*{first[-1]}"): {key for key in keys if key.endswith(first[-1])},
        Scope.span(1, 2): set(keys[1:3]),
        Scope.states(*states): {key for key in keys if model.members[key].state in states},
    }
    if "failures" in kept.case.absent:
        for scope in (Scope.failed(), Scope.causes("error")):
            with pytest.raises(RoleAbsent, match="'failure'"):
                manager.recover_from_checkpoint(JOB, scope=scope)
    else:
        wanted[Scope.failed()] = {*dead, *failed}
        last = {key: causes[-1] for key, causes in kept.case.causes.items()}
        for cause in set(last.values()):
            wanted[Scope.causes(cause)] = {key for key in last if last[key] == cause}
    for scope, expected in wanted.items():
        plan = manager.recover_from_checkpoint(JOB, scope=scope)
        assert set(keys) - set(plan.parts["outside"]) == expected, scope
        assert sorted(key for part in plan.parts.values() for key in part) == sorted(keys)


def test_what_is_dead_comes_back(kept: Kept) -> None:
    """To wait again, where the lifecycle has a way; else it says that it has none."""
    if "requeue" in kept.case.absent:
        return  # refused by name, as is tested above
    before = kept.manager.get_state(JOB)
    back = {key for key in kept.case.parts["dead"] if kept.model.machine_of(key).roles.requeue}
    state = kept.manager.requeue(JOB, Scope.keys(*back))
    assert back
    assert keys_of(state, "waiting") == keys_of(before, "waiting") | back
    assert keys_of(state, "dead") == keys_of(before, "dead") - back
    sound(kept.manager)


def test_a_phase_is_done_again(ended: Kept) -> None:
    """Each that its roles have: the job stands at its beginning, with what was before it."""
    manager = ended.manager
    phases = manager.get_state(JOB).roles.working
    assert bool(phases) == (ended.case.absent.get("run", ("",))[0] != "phases")
    for phase in reversed(phases):
        plan = manager.recover_from_checkpoint(JOB, scope=Scope.again(phase))
        state = manager.apply(plan)
        assert state.phase == phase
        assert not state.finished
        sound(manager)


def test_it_goes_back_to_any_commit_and_forks_there(case: Case, tmp_path: Path) -> None:
    """What it was at each commit can be read, begun again from, and gone back to."""
    with driven(tmp_path, replace(case, script=())) as kept:
        manager = kept.manager
        then = {manager.get_state(JOB).seq: kept.model}
        for asked in (*case.script, *case.rest):
            kept.drive(asked)
            then[manager.get_state(JOB).seq] = kept.model
        for seq, model in then.items():
            agree(manager.state_at(JOB, seq), model)
            agree(manager.fork(JOB, seq, f"fork-{seq}"), model)
        first, last = min(then), max(then)
        difference = manager.diff(JOB, first, last)
        assert (difference.before.seq, difference.after.seq) == (first, last)
        moved = {key for keys in difference.moved.values() for key in keys}
        assert moved == {
            key
            for key, member in then[last].members.items()
            if member.state != then[first].members[key].state
        }
        for seq in sorted(then, reverse=True):
            plan = manager.plan_rewind(JOB, seq)
            state = manager.apply(plan)
            assert state.phase == plan.after.phase
            agree(replace(plan.state), then[seq])
        sound(manager)


def test_it_is_kept_as_long_as_its_outcome_says(case: Case, tmp_path: Path) -> None:
    """What is under way stays; what has ended goes by how it ended, where the roles say that."""
    with driven(tmp_path, case) as kept:
        manager = kept.manager
        for other, acts in (("ended", (*case.script, *case.rest)), ("given-up", (case.cancel,))):
            model = case.begun()
            manager.create_job(job_id=other, **created(model))
            for asked in acts:
                if asked:
                    act(manager, other, asked)
        kept.clock.advance(10 * 86_400)
        day = timedelta(days=1)
        policy = RetentionPolicy(completed=day, failed=None, cancelled=100 * day)
        plan = manager.plan_retention(policy)
        goes = {verdict.job_id: verdict.goes for verdict in plan.verdicts}
        assert goes[JOB] is False
        assert goes["ended"] is (case.ended == "completed")
        assert goes["given-up"] is False
        manager.collect(plan)
        left = {JOB, "given-up"} | ({"ended"} if case.ended != "completed" else set())
        assert set(manager.job_ids()) == left
        if case.cancel:
            manager.collect(manager.plan_retention(RetentionPolicy(cancelled=day)))
            assert "given-up" not in manager.job_ids()
        sound(manager)


def test_it_is_compacted_copied_and_salvaged(ended: Kept, tmp_path: Path) -> None:
    """And says the same afterwards, wherever it is read."""
    case, manager = ended.case, ended.manager
    before, history = manager.get_state(JOB), manager.get_state_history(JOB)
    manager.compact(JOB)
    assert manager.get_state(JOB) == before
    manager.back_up(tmp_path / "copy.db")
    lifecycle = lifecycle_of(case.text, *case.earlier)
    saved = list(salvage(tmp_path / "copy.db", tmp_path / "saved.db", lifecycles=[lifecycle]))
    assert len(saved) == 1
    for path in (tmp_path / "copy.db", tmp_path / "saved.db"):
        with opened(path, case, read_only=True) as reader:
            assert reader.get_state(JOB) == before
            assert [e.event for e in reader.get_state_history(JOB)] == [e.event for e in history]
            if case.results:
                assert dict(reader.results(JOB)) == case.results
            sound(reader)
    with Reader() as other:
        found = other.read(module_of(case.text, *case.earlier), str(tmp_path / "saved.db"), JOB)
    found.pop("results", None)
    assert found == {**found_in(before), "sound": [True]}
