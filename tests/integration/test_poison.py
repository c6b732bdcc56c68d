"""What is refused leaves nothing behind: a second manager reads all that was there before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from milepost import ArgumentInvalid, ItemEvent, JobEvent, Scope, StateManager, Write
from milepost.errors import ContextInvalid, PayloadInvalid, ResultAbsent, ValueInvalid
from milepost.log.codec import Tally, encode_row
from milepost.log.facts import Draft, Fact, ItemsFired, JobFired, LeaseTaken


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


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"]": value}
    return value


def knotted() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (nested(199), True),
        (nested(200), False),
        (nested(5_000), False),
        ([nested(198), ("a tuple is looked at one by one",)], True),
        ([nested(199), ("a tuple is looked at one by one",)], False),
        (knotted(), False),
    ],
    ids=["199", "200", "5000", "198 and a tuple", "199 and a tuple", "a knot"],
)
def test_nesting_is_bounded_alike_wherever_a_value_enters(value: object, stored: bool) -> None:
    """A value in a mapping of variables is one level deeper, so one level is left for that."""

    def given(call: Callable[[], object]) -> None:
        if stored:
            call()
        else:
            with pytest.raises(ValueInvalid, match="nested deeper than 200 levels"):
                call()

    with StateManager.open("memory:") as manager:
        given(lambda: manager.create_job([[value]], job_id="k"))
        given(lambda: manager.create_job([], job_id="l", variables={"v": value}))
        manager.create_job(["a"], job_id="j")
        given(lambda: manager.fire("j", "set_variables", {"variables": {"v": value}}))
        given(lambda: manager.add_items("j", {"b": [value]}))
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent("a", "start")])
        given(lambda: manager.record("j", [ItemEvent("a", "succeed", {"result": [value]})]))
        if stored:
            assert manager.result_of("j", "a") is not None
            manager.create_checkpoint("j")


@pytest.mark.parametrize(
    "number",
    [2**64, -(2**63) - 1, 10**400, 10**5_000],
    ids="abcd",
)
def test_an_integer_that_no_checkpoint_holds_is_refused_where_one_would_hold_it(
    number: int,
) -> None:
    with StateManager.open("memory:") as manager:
        with pytest.raises(ContextInvalid, match="beyond the 64 bits"):
            manager.create_job(["a"], config={"max_attempts": number})
        with pytest.raises(ValueInvalid):
            manager.create_job(["a"], variables={"n": [number]})
        state = manager.create_job([number] if number < 10**400 else ["a"], job_id="j")
        with pytest.raises(ValueInvalid):
            manager.fire("j", "set_variables", {"variables": {"n": number}})
        assert manager.get_state("j") == state


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0])
def test_an_integer_of_64_bits_is_held_everywhere(tmp_path: Path, number: int) -> None:
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job([number], job_id="j", variables={"n": number})
        state = manager.fire("j", "set_variables", {"variables": {"m": number}})
        manager.create_checkpoint("j")
    with StateManager.open(tmp_path / "jobs.db") as manager:
        assert manager.get_state("j").variables == {"n": number, "m": number} == state.variables
        assert manager.get_checkpoint("j").state.variables == state.variables


def test_a_result_may_be_any_integer_and_comes_back_as_it_was(tmp_path: Path) -> None:
    results = [10**400, -0.0, 1.0, 1, True, 5e-324, "\0", {"": [None]}]
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job([str(at) for at in range(len(results))], job_id="j")
        manager.fire("j", "start_map")
        with pytest.raises(ResultAbsent, match="item '0' has given no result: it is in 'pending'"):
            manager.result_of("j", 0)
        with pytest.raises(KeyError):
            manager.result("j")
        for at, result in enumerate(results):
            done = ItemEvent(at, "succeed", {"result": result})
            manager.record("j", [ItemEvent(at, "start"), done])
    with StateManager.open(tmp_path / "jobs.db") as manager:
        read = [manager.result_of("j", at) for at in range(len(results))]
    assert list(map(repr, read)) == list(map(repr, results))
    assert [type(each) for each in read] == [type(each) for each in results]


class Mean:
    """A stranger's object: whatever is asked of it raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("mean")

    __repr__ = __str__ = __eq__ = __index__ = __len__ = __iter__ = __getattr__ = _raise
    __hash__ = object.__hash__


class MeanMapping(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError("mean")

    keys = items = values = __iter__ = __getitem__  # type: ignore[assignment]


PAYLOADS: list[Any] = [Mean(), Mean, 3, "result", [("result", 1)], MeanMapping(a=1)]


@pytest.mark.parametrize("at", range(len(PAYLOADS)))
def test_a_payload_that_is_none_is_refused(at: int) -> None:
    payload = PAYLOADS[at]
    with StateManager.open("memory:") as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "start_map")
        state = manager.record("j", [ItemEvent("a", "start")])
        with pytest.raises(PayloadInvalid):
            manager.record("j", [ItemEvent("a", "succeed", payload)])
        with pytest.raises(ValueError, match="is of type Mean"):
            manager.record("j", [ItemEvent("a", "succeed", {"result": Mean()})])
        assert manager.get_state("j") == state


FACTS: list[Fact] = [
    LeaseTaken(owner=3, fence=1),  # type: ignore[arg-type]
    LeaseTaken(owner="a", fence=1.5),  # type: ignore[arg-type]
    LeaseTaken(owner="\ud800", fence=1),
    LeaseTaken(owner="a", fence=1, reason=True),  # type: ignore[arg-type]
    ItemsFired("start", [0.5]),  # type: ignore[list-item]
    ItemsFired("start", [None]),  # type: ignore[list-item]
    JobFired("pause", {"at": float("nan")}),
    JobFired("pause", {"raw": b"bytes"}),
    JobFired("pause", {1: 2}),  # type: ignore[dict-item]
    JobFired("pause", knotted()),
]


@pytest.mark.parametrize("at", range(len(FACTS)))
def test_a_fact_that_does_not_decode_to_itself_is_never_encoded(at: int) -> None:
    """The last gate, behind all that the door refuses."""

    def row(fact: Fact) -> None:
        tally = Tally(phase="map", items=())
        drafts = [Draft(JobFired("pause", {})), Draft(fact)]
        encode_row(b"", seq=1, fence=0, at_us=0, drafts=drafts, tally=tally, count=1)

    row(LeaseTaken(owner="a", fence=1, reason="b"))
    with pytest.raises(ValueInvalid, match="the facts of one commit"):
        row(FACTS[at])
