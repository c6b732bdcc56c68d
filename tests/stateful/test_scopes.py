"""INV-PLAN over all scopes: a plan is a partition, moves what is in scope, and nothing else."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, JobState, Scope, StateManager
from milepost.errors import ScopeInvalid
from milepost.machine import TransitionRefused
from milepost.state.recovering.scope import Filter
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
KEYS = [f"{kind}/{number}" for kind in ("img", "txt") for number in range(5)]
GLOBS = ["img/*", "txt/*", "*/[0-2]", "*/?", "none*", "img/4"]
CAUSES = ["error", "timeout", "executor_lost"]

steps = st.tuples(
    st.sampled_from(
        [
            *("start", "start", "start", "succeed", "fail", "fail", "interrupt", "retry"),
            "crash",
            *("give_up", "requeue", "release", "skip"),
            *("job:pause", "job:resume", "job:fail", "job:retry", "job:recover", "checkpoint"),
            *("rewind", "apply"),
        ]
    ),
    st.sets(st.integers(0, len(KEYS) - 1), min_size=1),
    st.sampled_from(["error", "timeout"]),
)

filters = st.one_of(
    st.just(Scope.all()),
    st.just(Scope.failed()),
    st.sets(st.sampled_from(["pending", "failed", "done"])).map(lambda s: Scope.states(*s)),
    st.sets(st.sampled_from(KEYS)).map(lambda keys: Scope.keys(*keys)),
    st.lists(st.sampled_from(GLOBS)).map(lambda globs: Scope.globs(*globs)),
    st.sets(st.integers(0, len(KEYS) - 1)).map(Scope.ordinals),
    st.tuples(st.integers(0, 12), st.integers(0, 5)).map(lambda p: Scope.span(p[0], sum(p))),
    st.sets(st.sampled_from(CAUSES)).map(lambda causes: Scope.causes(*causes)),
    st.integers(1, 4).map(Scope.attempts_below),
    st.sampled_from(["setup", "map", "reduce"]).map(Scope.again),
    st.tuples(st.sampled_from([1, 2]), st.booleans()).map(
        lambda p: Scope.checkpoint(p[0], exactly=p[1])
    ),
)


class Played:
    """A job after random steps, and what a plain follower of them knows of causes."""

    def __init__(self, played: list[tuple[str, set[int], str]]) -> None:
        self.manager = StateManager(MemoryStore(), clock=FakeClock())
        self.manager.create_job(KEYS, job_id="j", config={"max_attempts": 2, "max_dead": 10})
        self.manager.create_checkpoint("j")  # of seq 1
        self.manager.fire("j", "start_map")
        self.causes: dict[int, str] = {}
        self.at_checkpoint: dict[int, dict[int, str]] = {1: {}}
        for name, ordinals, cause in played:
            self._step(name, ordinals, cause)

    @property
    def state(self) -> JobState:
        return self.manager.get_state("j")

    def _step(self, name: str, ordinals: set[int], cause: str) -> None:
        before = self.state
        if name == "checkpoint":
            self.at_checkpoint[self.manager.create_checkpoint("j").seq] = dict(self.causes)
        elif name == "rewind":
            seq = max(self.at_checkpoint)
            scope = Scope.checkpoint(seq, exactly=True)
            self.causes = dict(self.at_checkpoint[seq])
            plan = self.manager.recover_from_checkpoint("j", scope=scope)
            self._lost(plan.state)
            self.manager.apply(plan)
        elif name == "apply":
            plan = self.manager.recover_from_checkpoint("j")
            self._lost(before)
            self.manager.apply(plan)
        elif name.startswith("job:"):
            payload = {"cause": cause, "message": ""} if name == "job:fail" else None
            try:
                self.manager.fire("j", name[4:], payload)
            except TransitionRefused:
                return
            if name == "job:recover":
                self._lost(before)
        else:
            hit = sorted(ordinals & set(before.takers(name)))
            payload = {
                "fail": {"cause": cause, "message": ""},
                "crash": {"message": "it died"},
                "succeed": {"result": 1},
            }.get(name)
            if hit:
                self.manager.record("j", [ItemEvent(o, name, payload) for o in hit])
            if name in ("fail", "interrupt", "crash"):
                why = cause if name == "fail" else "executor_lost"
                self.causes.update(dict.fromkeys(hit, why))

    def _lost(self, before: JobState) -> None:
        self.causes.update(dict.fromkeys(before.items.members("running"), "executor_lost"))


def expected(played: Played, scope: Scope) -> set[int]:
    """Who is in scope, worked out item by item."""
    return {o for o in range(len(KEYS)) if all(_fits(played, o, one) for one in scope.filters)}


def _fits(played: Played, ordinal: int, one: Filter) -> bool:
    state, context = played.state.items.member(ordinal)
    failed = state in ("failed", "dead")
    match type(one).__name__, tuple(one):
        case "_Failed", _:
            return failed
        case "_States", (states,):
            return state in states
        case "_Keys", (keys,):
            return KEYS[ordinal] in keys
        case "_Globs", (globs,):
            return any(fnmatchcase(KEYS[ordinal], glob) for glob in globs)
        case "_Ordinals", (ordinals,):
            return ordinal in ordinals
        case "_Span", (first, last):
            return first <= ordinal <= last
        case "_Causes", (causes,):
            return failed and played.causes.get(ordinal) in causes
        case "_AttemptsBelow", (attempts,):
            return context["attempts"] < attempts
    raise AssertionError(one)


@settings(max_examples=100 * SOAK, deadline=None)
@given(st.lists(steps, max_size=25), st.lists(filters, min_size=1, max_size=3))
def test_a_plan_is_a_partition_whatever_its_scope(
    played_steps: list[tuple[str, set[int], str]], scopes: list[Scope]
) -> None:
    played = Played(played_steps)
    manager, before = played.manager, played.state
    scope = Scope.all()
    try:
        for one in scopes:
            scope &= one
        if scope.seq == 2:
            scope = Scope(scope.filters, scope.phase, max(played.at_checkpoint), scope.exact)
        plan = manager.recover_from_checkpoint("j", scope=scope)
    except ScopeInvalid:
        return  # it means nothing: no plan
    ordinals = sorted(o for part in plan.parts.values() for o in part.ordinals)
    assert ordinals == list(range(len(KEYS)))
    assert manager.get_state("j") == before
    if not scope.rewinds:
        assert set(range(len(KEYS))) - set(plan.outside.ordinals) == expected(played, scope)
        assert not plan.undone
    after = manager.apply(plan)
    assert (after.phase, after.items, after.variables) == (
        plan.after.phase,
        plan.after.items,
        plan.after.variables,
    )
    assert after.seq == before.seq + (not plan.changes_nothing)
    for ordinal in plan.outside.ordinals:
        assert after.items.member(ordinal) == before.items.member(ordinal)
    done = set(before.items.members("done")) - set(after.items.members("done"))
    assert done == set(plan.undone.ordinals)
    assert {key for key, _ in manager.results("j")} == set(plan.results_available)
    assert manager.verify("j")[0].sound


def test_the_partition_check_can_fail() -> None:
    """The negative control: a scope that is mistaken by one item is found."""
    played = Played([("start", {0, 1}, "error"), ("fail", {0}, "error")])
    plan = played.manager.recover_from_checkpoint("j", scope=Scope.failed())
    assert set(range(10)) - set(plan.outside.ordinals) == expected(played, Scope.failed())
    assert set(range(10)) - set(plan.outside.ordinals) != expected(played, Scope.span(0, 1))
