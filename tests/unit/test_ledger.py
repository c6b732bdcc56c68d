"""The item ledger against a list of items that are stepped one by one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.items.ledger import Ledger, MemberRefusedError, bitmap
from milepost.items.ledgers import restore_items
from milepost.lifecycles import mapreduce
from milepost.machine import TransitionRefused

COUNT = 12
EVENTS = mapreduce.ITEM.events
batches = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.lists(st.integers(0, COUNT - 1), unique=True)),
    max_size=40,
)


def read_by_guards(event: str, ordinals: list[int]) -> list[dict[str, Any]] | None:
    """What the rows of an event read of its payload, for each of the items."""
    return [{"permanent": False} for _ in ordinals] if event == "fail" else None


def one_by_one(items: list[tuple[str, Any]], event: str, ordinals: list[int]) -> None:
    after = list(items)
    for ordinal in ordinals:
        step = mapreduce.ITEM.step(
            *after[ordinal][:1], event, after[ordinal][1], {"permanent": False}
        )
        after[ordinal] = (step.state, step.context)
    items[:] = after


@given(batches=batches, most=st.integers(1, 3))
def test_a_batch_does_what_each_item_would(batches: list[tuple[str, list[int]]], most: int) -> None:
    """Stepping cells is stepping members; a refused batch changes nothing, nor does the past."""
    ledger = Ledger.create(mapreduce.ITEM, {"max_attempts": most}, bitmap(range(COUNT)))
    items = [("pending", mapreduce.ITEM.context(max_attempts=most)) for _ in range(COUNT)]
    for event, ordinals in batches:
        before, past = ledger, ledger.dump()
        try:
            one_by_one(items, event, ordinals)
        except TransitionRefused as refused:
            with pytest.raises(MemberRefusedError) as raised:
                ledger.moves(event, ordinals, read_by_guards(event, ordinals))
            assert raised.value.refusal.event == refused.event
            assert raised.value.ordinal in ordinals
        else:
            ledger = ledger.after(ledger.moves(event, ordinals, read_by_guards(event, ordinals)))
        assert before.dump() == past
        assert [ledger.member(n) for n in range(COUNT)] == items
        assert sum(ledger.counts()) == COUNT
        again = restore_items(mapreduce.LIFECYCLE, ledger.params, COUNT, ledger.dump())
        assert again == ledger


@given(parts=st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=5))
def test_equal_ledgers_are_stored_as_equal_bytes(parts: list[set[int]]) -> None:
    """Items that came at once, one part after the other, or out of a checkpoint."""
    grown = Ledger.create(mapreduce.ITEM, {}, bitmap())
    for part in parts:
        grown = grown.grown(bitmap(part) - grown.universe)
    at_once = Ledger.create(mapreduce.ITEM, {}, bitmap(range(41)) & bitmap(set().union(*parts)))
    assert grown == at_once
    assert grown.dump() == at_once.dump()


def test_restoring_what_is_no_partition_is_refused() -> None:
    """A lost and a doubled item are both found."""
    ledger = Ledger.create(mapreduce.ITEM, {}, bitmap(range(5)))
    cells = ledger.dump()
    twice = ledger.after(ledger.moves("start", [4], None)).dump()[1]
    with pytest.raises(ValueError, match="partition"):
        restore_items(mapreduce.LIFECYCLE, ledger.params, 6, cells)
    with pytest.raises(ValueError, match="partition"):
        restore_items(mapreduce.LIFECYCLE, ledger.params, 5, [])
    with pytest.raises(ValueError, match="partition"):
        restore_items(mapreduce.LIFECYCLE, ledger.params, 5, [*cells, twice])


def test_an_item_listed_twice_or_unknown_is_refused() -> None:
    """A batch names each item once, and only items that there are."""
    ledger = Ledger.create(mapreduce.ITEM, {}, bitmap(range(5)))
    with pytest.raises(ValueError, match="twice"):
        ledger.moves("start", [1, 1], None)
    with pytest.raises(KeyError):
        ledger.moves("start", [1, 5], None)


@given(batches=batches, more=st.integers(0, 5))
def test_a_ledger_grows_by_items_as_they_begin(
    batches: list[tuple[str, list[int]]], more: int
) -> None:
    """Those that it had stay as they are; those that join are as those of a new ledger."""
    ledger = Ledger.create(mapreduce.ITEM, {"max_attempts": 2}, bitmap(range(COUNT)))
    for event, ordinals in batches:
        with suppress(MemberRefusedError):
            ledger = ledger.after(ledger.moves(event, ordinals, read_by_guards(event, ordinals)))
    past = ledger.dump()
    grown = ledger.grown(bitmap(range(COUNT, COUNT + more)))
    assert ledger.dump() == past
    assert grown.count == COUNT + more
    assert [grown.member(n) for n in range(COUNT)] == [ledger.member(n) for n in range(COUNT)]
    fresh = Ledger.create(mapreduce.ITEM, {"max_attempts": 2}, bitmap(range(1))).member(0)
    assert [grown.member(n) for n in range(COUNT, COUNT + more)] == [fresh] * more
    assert restore_items(mapreduce.LIFECYCLE, grown.params, grown.count, grown.dump()) == grown
