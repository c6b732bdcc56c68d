"""What a machine takes as a payload and gives as a context, and how it refuses the rest."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Any

import pytest

from milepost.errors import (
    ContextInvalid,
    InvariantBroken,
    PayloadInvalid,
    TransitionRefused,
)
from milepost.lifecycles import mapreduce
from milepost.machine import Field, Invariant
from tests.contract.lifecycles.compiling import at_once
from tests.integration.invariants.shop import shop

ITEM, JOB = mapreduce.ITEM, mapreduce.LIFECYCLE.machines["job"]


@pytest.mark.parametrize(
    ("field", "readable"),
    [
        (Field(name="x", type="bool"), True),
        (Field(name="x", type="int"), True),
        (Field(name="x", type="Cause", members=("a", "b")), True),
        (Field(name="x", type="str"), False),
        (Field(name="x", type="json"), False),
        (Field(name="x", type="bytes"), False),
        (Field(name="x", type="timestamp"), False),
    ],
)
def test_guards_read_what_is_decidable(field: Field, readable: bool) -> None:
    assert field.readable is readable
    assert field.required
    assert not Field(name="x", type=field.type, default=None).required


def test_an_invariant_tells_the_values_that_are_there() -> None:
    one = Invariant(name="x", holds=lambda state, context: True, reads=("a", "b"))
    assert one.values({"a": 1, "c": 2}) == {"a": 1}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "field 'cause' is missing"),
        ({}, "field 'cause' is missing"),
        ({"cause": "error"}, "field 'message' is missing"),
        ({"cause": "nothing", "message": ""}, "field 'cause' is 'nothing', not one of"),
        ({"cause": "error", "message": 3}, "field 'message' is 3, not of type str"),
        ({"cause": "error", "message": "\ud800"}, "a lone surrogate"),
        ({"cause": "error", "message": "", "more": 1}, "no such field 'more' (there are: cause,"),
        ({"cause": "error", "message": "", 3: 1}, "no such field 3 (there are: cause,"),
        (3, "3 is neither a mapping nor a payload of this lifecycle"),
        (mapreduce.ItemSucceed(result=1), "ItemSucceed is a payload of 'succeed'"),
        (mapreduce.ItemSucceed, "neither a mapping nor a payload"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused(given: Any, says: str) -> None:
    with pytest.raises(PayloadInvalid) as refused:
        ITEM.payload("fail", given)
    assert says in str(refused.value)
    assert (refused.value.machine, refused.value.event) == ("item", "fail")


def test_a_payload_is_a_plain_copy_in_the_order_of_the_definition() -> None:
    given = {"message": "no", "cause": "error"}
    checked = ITEM.payload("fail", MappingProxyType(given))
    assert list(checked)[:2] == ["cause", "message"]
    assert checked == ITEM.payload("fail", mapreduce.ItemFail(cause="error", message="no"))
    assert ITEM.payload("start") == ITEM.payload("start", {}) == {}
    assert ITEM.payload("no such event", {"x": 1}) == {}
    with pytest.raises(PayloadInvalid, match=r"\(there are: none\)"):
        ITEM.payload("start", {"x": 1})


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"no_such": 1}, "no such parameter (there are: max_attempts"),
        ({"max_attempts": "3"}, "is '3', not of type int"),
        ({"max_attempts": True}, "is True, not of type int"),
        ({"max_attempts": 0}, "0 does not satisfy"),
        ({"max_attempts": 2**63}, str(2**63)),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(params: dict[str, Any], says: str) -> None:
    for make in (ITEM.context, ITEM.fresh):
        with pytest.raises(ContextInvalid) as refused:
            make(**params)
        assert says in str(refused.value)
        assert (refused.value.machine, refused.value.name) == ("item", *params)


@pytest.mark.parametrize("take", [ITEM.step, ITEM.follow, ITEM.select])
def test_a_refusal_says_what_its_guards_read(take: Any) -> None:
    """The values of the context and of the payload, each where it belongs."""
    context = {**ITEM.context(max_attempts=1), "attempts": 1}
    with pytest.raises(TransitionRefused) as refused:
        take("failed", "retry", context, {})
    (guard,) = refused.value.guards
    assert guard.values["attempts"] == guard.values["max_attempts"] == 1
    assert refused.value.allowed == ITEM.allowed("failed")
    assert (refused.value.state, refused.value.event) == ("failed", "retry")
    rows = ", ".join(ITEM.allowed("failed"))
    assert "retry" in rows, "it has a row, so it does not stand among what is allowed"
    assert str(refused.value).endswith(f" (in this state there are rows for: {rows})")
    for state, event, reason in (
        ("nowhere", "retry", "there is no such state"),
        ("failed", "nothing", "there is no such event"),
        ("failed", "start", ""),
    ):
        with pytest.raises(TransitionRefused) as refused:
            take(state, event, context, {})
        assert refused.value.reason == reason
        assert refused.value.guards == ()
        allowed = ", ".join(ITEM.allowed(state)) or "nothing"
        assert str(refused.value).endswith(f" (allowed: {allowed})")


def test_what_a_state_would_take_now() -> None:
    """Guards included; what a payload decides counts as taken."""
    spent = {**ITEM.context(max_attempts=1), "attempts": 1}
    assert set(ITEM.allowed("failed")) - set(ITEM.enabled("failed", spent)) == {"retry"}
    assert ITEM.allowed("nowhere") == ITEM.enabled("nowhere", spent) == ()
    assert ITEM.of_pair("failed", "start") == ()
    assert [row.event for row in ITEM.of_pair("failed", "retry")] == ["retry"]
    assert not ITEM.uses_payload("failed", "retry")
    assert repr(ITEM) == (
        f"<Machine item: {len(ITEM.states)} states, {len(ITEM.events)} events,"
        f" {len(ITEM.transitions)} transitions>"
    )
    assert repr(mapreduce.LIFECYCLE) == f"<Lifecycle mapreduce {mapreduce.LIFECYCLE.version}>"
    assert mapreduce.LIFECYCLE.root == JOB.name
    assert mapreduce.LIFECYCLE.collections == JOB.collections


class Name(str):
    __slots__ = ()


class Number(IntEnum):
    TWO = 2


def test_texts_and_numbers_are_plain() -> None:
    """Whatever subclass they were given as; text of any script is text."""
    checked = ITEM.payload("fail", {"cause": Name("error"), "message": Name("é")})
    assert (checked["cause"], checked["message"]) == ("error", "é")
    assert {type(checked["cause"]), type(checked["message"])} == {str}
    context = ITEM.context(max_attempts=Number.TWO)
    assert context["max_attempts"] == 2
    assert type(context["max_attempts"]) is int


class Torn(dict[str, object]):
    """Whoever looks into it finds that it cannot be read."""

    def keys(self) -> Any:
        raise OSError("torn")

    __iter__ = keys


def test_a_payload_that_cannot_be_read_is_refused_by_the_name_of_its_event() -> None:
    with pytest.raises(PayloadInvalid, match="cannot be read") as refused:
        ITEM.payload("fail", Torn(cause="error"))
    assert (refused.value.machine, refused.value.event) == ("item", "fail")


PARAMS = """
lifecycle: params
version: 1
machines:
  task:
    initial: open
    states: {open: {}, closed: {final: true}}
    context:
      most: {type: int, param: true}
    events: {close: {payload: {raw: {type: bytes}}}}
    guards: {some: most >= 1}
    transitions:
      - {from: open, on: close, to: closed, when: some, partial: true}
"""


def test_parameters_that_are_missing_or_that_there_are_not() -> None:
    machine = at_once(PARAMS).machines["task"]
    with pytest.raises(ContextInvalid, match="is missing and has no default"):
        machine.context()
    assert machine.context(most=1) == {"most": 1}
    assert machine.payload("close", {"raw": b"x"}) == {"raw": b"x"}
    without = at_once(PARAMS.replace("type: int, param: true", "type: int, initial: 1"))
    with pytest.raises(ContextInvalid, match=r"no such parameter \(there are: none\)"):
        without.machines["task"].context(most=1)


def test_what_breaks_an_invariant_from_the_beginning() -> None:
    """A context that is made is looked at, and one that is read with its parameters."""
    with pytest.raises(InvariantBroken, match="affordable"):
        shop().machines["task"].context(limit=-1)
    assert shop().machines["task"].fresh(limit=-1)["limit"] == -1
    whole = dict(ITEM.context(max_attempts=2))
    assert ITEM.check("pending", whole) == whole
    with pytest.raises(ContextInvalid, match="0 does not satisfy"):
        ITEM.check("pending", {**whole, "max_attempts": 0})
