"""What is refused leaves nothing behind: a second manager reads all that was there before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from milepost import ArgumentInvalid, ItemEvent, JobEvent, Scope, StateManager, Write


def _enter(context: AbstractContextManager[Any]) -> None:
    with context:
        raise AssertionError("it was refused at the entry")


Call = Callable[[Any], object]

POISON: dict[str, tuple[str, Call]] = {
    "a bool for a reason": ("takeover", lambda m: _enter(m.lease("j", takeover=True))),
    "a number for a name": ("owner", lambda m: _enter(m.lease("j", owner=3))),
    "no name at all": ("owner", lambda m: _enter(m.lease("j", owner=""))),
    "a text for a time": ("ttl_s", lambda m: _enter(m.lease("j", ttl_s="30"))),
    "no time": ("ttl_s", lambda m: _enter(m.lease("j", ttl_s=float("nan")))),
    "a number for a reason": ("reason", lambda m: m.create_checkpoint("j", reason=7)),
    "a surrogate in a reason": ("reason", lambda m: m.create_checkpoint("j", reason="\ud800")),
    "an id from a data frame": ("item", lambda m: m.record("j", [ItemEvent(0.0, "start")])),
    "a bool for an ordinal": ("item", lambda m: m.record("j", [ItemEvent(True, "start")])),
    "a number for an event": ("event", lambda m: m.record("j", [ItemEvent("a", 1)])),
    "a tuple for an event": ("requests", lambda m: m.record("j", [("a", "start")])),
    "one event for many": ("item_events", lambda m: m.record("j", "start")),
    "a lease of one's own": ("lease", lambda m: m.fire("j", "pause", lease="mine")),
    "what counts as true": ("operator", lambda m: m.fire("j", "pause", operator=1)),
    "a text for many texts": ("keys", lambda m: m.results("j", keys="abc")),
    "a name for a scope": ("scope", lambda m: m.dead_letters("j", "failed")),
    "a text for many items": ("items", lambda m: m.create_job("abc", job_id="k")),
    "a naive time": ("at", lambda m: m.seq_at("j", datetime(2026, 1, 1))),  # noqa: DTZ001
    "a float for a commit": ("seq", lambda m: m.fork("j", 2.0, "k")),
    "seconds for a span": ("for_", lambda m: m.keep("j", for_=3600)),
}


@pytest.mark.parametrize("what", POISON)
def test_what_is_refused_leaves_all_readable(tmp_path: Path, what: str) -> None:
    name, call = POISON[what]
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["a", "b"], job_id="j")
        manager.fire("j", "start_map")
        done = [ItemEvent("b", "start"), ItemEvent("b", "succeed", {"result": "paid for"})]
        before = manager.record("j", done)
        with pytest.raises(ArgumentInvalid) as refused:
            call(manager)
        assert refused.value.name == name
    with StateManager.open(tmp_path / "jobs.db") as manager:
        assert manager.get_state("j") == before
        assert dict(manager.results("j")) == {"b": "paid for"}
        assert manager.verify("j")[0].sound
        assert manager.job_ids() == ["j"]


def test_one_poisoned_write_holds_no_other_up() -> None:
    with StateManager.open("memory:") as manager:
        manager.create_job(["a", "b"], job_id="j")
        bad: list[Any] = [
            Write("j", [JobEvent(3)]),  # type: ignore[arg-type]
            Write(b"j", [JobEvent("pause")]),  # type: ignore[arg-type]
            Write("j", [JobEvent("pause")], operator="yes"),  # type: ignore[arg-type]
            Write("j", [JobEvent("pause")], lease=3),  # type: ignore[arg-type]
            Write("j", 3),  # type: ignore[arg-type]
            "j",
        ]
        *refused, state = manager.write_each([*bad, Write("j", [JobEvent("start_map")])])
        assert all(isinstance(each, ValueError) for each in refused)
        assert state == manager.get_state("j")
        assert manager.get_state("j").phase == "map"


def test_members_of_enums_and_other_integers_are_what_they_are_a_kind_of() -> None:
    class Seven:
        def __index__(self) -> int:
            return 1

    class Name(str):
        __slots__ = ()

    with StateManager.open("memory:") as manager:
        manager.create_job(["a", "b"], job_id=Name("j"))
        manager.fire(Name("j"), Name("start_map"))
        state = manager.record("j", [ItemEvent(Seven(), "start"), ItemEvent(Name("a"), "start")])  # type: ignore[arg-type]
        assert state.progress.running == 2
        with manager.lease("j", Name("me"), takeover=Name("")) as lease:
            assert type(lease.owner) is str
        plan = manager.recover_from_checkpoint(Name("j"), scope=Scope.keys(Name("a")))
        assert plan.job_id == "j"
