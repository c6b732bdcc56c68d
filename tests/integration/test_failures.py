"""What is on record of failures: by item, one by one, and in groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from milepost import FailureDetails, FailureGroup, ItemEvent, Raised, Scope, StateManager
from milepost.cli import main
from milepost.errors import ArgumentInvalid, JobAbsent, ScopeInvalid
from milepost.testing import FakeClock
from tests.integration.telling import TELLING


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(clock: FakeClock) -> Iterator[StateManager]:
    with StateManager.open("memory:", clock=clock) as opened:
        opened.create_job(
            [f"k{n}" for n in range(6)], job_id="j", config={"max_attempts": 9, "max_crashes": 2}
        )
        opened.fire("j", "start_map")
        yield opened


def fail(manager: StateManager, *keys: str, **why: Any) -> None:
    """One commit in which each of these items begins and fails, and another that retries them."""
    payload = {"cause": "error", "message": "HTTP 503", **why}
    begun = [ItemEvent(key, "start") for key in keys]
    manager.record("j", [*begun, *(ItemEvent(key, "fail", payload) for key in keys)])
    back = ["give_up", "requeue"] if why.get("permanent") else ["retry"]
    for event in back:
        manager.record("j", [ItemEvent(key, event) for key in keys])


def grouped(groups: list[FailureGroup]) -> list[tuple[str, int, int]]:
    return [(one.cause, one.count, one.item_count) for one in groups]


def test_failures_are_brought_together(manager: StateManager, clock: FakeClock) -> None:
    """By cause, the most first, with the first and last time and an example of the last."""
    first = manager.get_state("j").updated_at
    fail(manager, "k0", "k1", "k2")
    clock.advance(60)
    fail(manager, "k3", cause="timeout", message="no answer")
    clock.advance(60)
    fail(manager, "k1", message="HTTP 504")
    most, least = manager.failure_groups("j")
    assert (most.cause, most.kind, most.permanent) == ("error", "", False)
    assert (most.count, most.item_count) == (4, 3)
    assert most.first_at == first
    assert (most.last_at - most.first_at).total_seconds() == 120
    assert (most.example_key, most.example_message) == ("k1", "HTTP 504")
    assert (least.cause, least.count, least.example_key) == ("timeout", 1, "k3")


def test_only_what_is_in_scope_counts(manager: StateManager) -> None:
    """Items are chosen as the job stands now; a scope of another moment is refused."""
    fail(manager, "k0", "k1")
    fail(manager, "k1", cause="timeout")
    assert grouped(manager.failure_groups("j", Scope.keys("k0"))) == [("error", 1, 1)]
    assert manager.failure_groups("j", Scope.keys("k5")) == []
    attempts = manager.failed_attempts("j", Scope.keys("k1"))
    assert [(each.key, each.failure.cause) for each in attempts] == [
        ("k1", "error"),
        ("k1", "timeout"),
    ]
    assert list(manager.failures("j", scope=Scope.keys("k1"))) == ["k1"]
    with pytest.raises(ScopeInvalid):
        manager.failure_groups("j", Scope.again("map"))
    with pytest.raises(ArgumentInvalid):
        manager.failed_attempts("j", "k1")  # type: ignore[arg-type]
    with pytest.raises(JobAbsent):
        next(manager.failed_attempts("other"))


@pytest.mark.parametrize("by", ["job", "items"])
def test_deaths_count_for_each_item_that_was_in_hand(manager: StateManager, by: str) -> None:
    """Whichever event tells of them; who was handed back unharmed is not among them."""
    manager.record("j", [ItemEvent(key, "start") for key in ("k0", "k1", "k2", "k3")])
    manager.record("j", [ItemEvent("k2", "succeed", {"result": 1}), ItemEvent("k3", "release")])
    if by == "job":
        manager.fire("j", "recover", {"lost": True})
    else:
        manager.record("j", [ItemEvent("k0", "interrupt"), ItemEvent("k1", "interrupt")])
    assert grouped(manager.failure_groups("j")) == [("executor_lost", 2, 2)]
    assert list(manager.failed_attempts("j")) == []
    died = list(manager.failed_attempts("j", deaths=True))
    assert [(each.key, each.ordinal) for each in died] == [("k0", 0), ("k1", 1)]
    assert manager.failures("j") == {}


def test_no_death_is_counted_where_the_executor_lived(manager: StateManager) -> None:
    """An orderly end, and a pause that nobody survived nothing of."""
    manager.record("j", [ItemEvent("k0", "start")])
    manager.fire("j", "recover", {"lost": False})
    assert manager.failure_groups("j") == []


def test_a_dead_letter_says_what_it_died_of(manager: StateManager) -> None:
    """Also where only deaths led there, told by events of the job; with others, these alone."""
    for _ in range(3):
        manager.record("j", [ItemEvent("k0", "start"), ItemEvent("k1", "start")])
        fail_one = {"cause": "error", "message": "it is late"}
        manager.record("j", [ItemEvent("k1", "fail", fail_one), ItemEvent("k1", "retry")])
        manager.fire("j", "recover", {"lost": True})
    manager.record("j", [ItemEvent("k0", "give_up")])
    manager.record("j", [ItemEvent("k1", "start"), ItemEvent("k1", "fail", fail_one)])
    manager.record("j", [ItemEvent("k1", "give_up")])
    lost, failed = manager.dead_letters("j")
    assert [failure.cause for failure in lost.failures] == ["executor_lost"] * 3
    assert [failure.message for failure in failed.failures] == ["it is late"] * 4


def test_what_a_rewind_undid_is_not_counted(manager: StateManager) -> None:
    """Neither failures nor deaths."""
    seq = manager.get_state("j").seq
    fail(manager, "k0")
    manager.record("j", [ItemEvent("k0", "start")])
    manager.fire("j", "recover", {"lost": True})
    assert len(manager.failure_groups("j")) == 2
    manager.apply(manager.plan_rewind("j", seq))
    assert manager.failure_groups("j") == []


def test_a_failure_without_kind_has_none(manager: StateManager) -> None:
    """Nothing is made up: kind, details and permanence are those that were recorded."""
    fail(manager, "k0")
    (failure,) = manager.failures("j")["k0"]
    assert (failure.kind, failure.permanent, failure.details) == ("", False, None)


def test_a_stream_goes_on_where_the_job_goes_on(manager: StateManager) -> None:
    """It is of the moment of its first step."""
    for _ in range(3):
        fail(manager, "k0", "k1")
    stream = manager.failed_attempts("j")
    next(stream)
    fail(manager, "k5")
    assert [each.key for each in stream] == ["k1", "k0", "k1", "k0", "k1"]


DETAILS = {
    "type": "app.PromptError",
    "chain": [{"type": "KeyError", "message": "'user'"}],
    "members": [],
    "traceback": 'File "app.py", line 7, in prompt\n  \x1b[31mred',
    "worker": "node-1 4711 MainThread",
    "attempt": 2,
    "took_s": 1.5,
}


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[StateManager]:
    with StateManager.open(tmp_path / "jobs.db", lifecycle=TELLING) as opened:
        opened.create_job(["a", "b", "c"], job_id="j", config={"max_attempts": 9})
        opened.fire("j", "start_map")
        yield opened


def test_kind_details_and_permanence_are_read_back(telling: StateManager) -> None:
    """As they were recorded, and groups are by kind and permanence."""
    fail(telling, "a", kind="PromptError", details=DETAILS)
    fail(telling, "a", "b", kind="HTTPStatusError 503")
    fail(telling, "c", kind="HTTPStatusError 503", permanent=True)
    first, second = telling.failures("j")["a"]
    assert (first.kind, first.permanent, second.details) == ("PromptError", False, None)
    assert first.details == FailureDetails(
        type="app.PromptError",
        chain=(Raised("KeyError", "'user'"),),
        traceback=DETAILS["traceback"],
        worker="node-1 4711 MainThread",
        attempt=2,
        took_s=1.5,
    )
    found = [(one.kind, one.permanent, one.count) for one in telling.failure_groups("j")]
    assert found[0] == ("HTTPStatusError 503", False, 2)
    assert set(found[1:]) == {("PromptError", False, 1), ("HTTPStatusError 503", True, 1)}


@pytest.mark.parametrize(
    "stored",
    [[], "text", 3, {"chain": "KeyError"}, {"chain": [None, 4, {"type": 3}]}, {"attempt": True}],
)
def test_details_of_any_form_are_read(telling: StateManager, stored: object) -> None:
    """They are JSON of whoever recorded the failure: what does not fit is left out."""
    fail(telling, "a", details=stored)
    (failure,) = telling.failures("j")["a"]
    if not isinstance(stored, dict):
        assert failure.details is None
        return
    assert failure.details is not None
    assert (failure.details.attempt, failure.details.traceback) == (None, "")
    assert failure.details.chain in ((), (Raised("", ""),))


def test_a_thousand_kinds_have_groups_of_their_own() -> None:
    """What is beyond is one group, so that a bug in the naming of kinds costs no memory."""
    with StateManager.open("memory:", lifecycle=TELLING) as manager:
        keys = [f"k{n}" for n in range(12)]
        manager.create_job(keys, job_id="j", config={"max_attempts": 100})
        manager.fire("j", "start_map")
        for n, key in enumerate(keys):
            kinds = [f"Odd {90 * n + odd}" for odd in range(90)]
            payloads = [{"cause": "error", "message": "?", "kind": kind} for kind in kinds]
            for payload in payloads:
                steps = [ItemEvent(key, "start"), ItemEvent(key, "fail", payload)]
                manager.record("j", [*steps, ItemEvent(key, "retry")])
        groups = manager.failure_groups("j")
    assert len(groups) == 1_001
    assert (groups[0].kind, groups[0].count, groups[0].item_count) == ("…", 80, 1)


def test_pages_show_kinds_and_details(telling: StateManager, tmp_path: Path) -> None:
    """The chain, the traceback a line a line, escaped; kinds in tables only where there are any."""
    fail(telling, "a", kind="PromptError", permanent=True, details=DETAILS)
    started = [ItemEvent("b", "start")]
    why = {"cause": "error", "message": "no", "kind": "HTTPStatusError 503"}
    telling.record("j", [*started, ItemEvent("b", "fail", why), ItemEvent("b", "give_up")])

    def ask(*arguments: str) -> str:
        named = ["--db", str(tmp_path / "jobs.db")]
        named += ["--lifecycle", "tests.integration.telling:TELLING"]
        result = CliRunner().invoke(main, [*arguments, *named])
        assert result.exit_code == 0, result.output
        return result.stdout

    told = ask("failures", "j", "--details", "--item", "a")
    assert "raised from  KeyError: 'user'" in told
    assert 'File "app.py", line 7, in prompt\n  \\x1b[31mred\n' in told
    for part in ("PromptError (permanent)", "app.PromptError", "node-1 4711", "1.5 s"):
        assert part in told
    (each,) = json.loads(ask("failures", "j", "--each", "--item", "a", "--json"))["each"]
    assert each["details"] == DETAILS
    assert each["permanent"] is True
    assert "HTTPStatusError 503" in ask("dead", "j")
    assert "HTTPStatusError 503" in ask("items", "j", "--failed")
    assert "HTTPStatusError 503" in ask("show", "j")
    assert "HTTPStatusError 503" in ask("dead", "j", "b", "--details")
    assert json.loads(ask("dead", "j", "--export", "-"))["failures"][0]["kind"] == why["kind"]
