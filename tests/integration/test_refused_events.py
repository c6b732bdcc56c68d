"""What a refusal of items says: which, how many more, and what the job takes in its phase."""

from __future__ import annotations

import pytest

from milepost import ItemEvent, StateManager, TransitionRefused
from milepost.errors import ItemAbsent
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock


@pytest.fixture
def manager() -> StateManager:
    manager = StateManager(MemoryStore(), clock=FakeClock())
    manager.create_job(["a", "b", "c"], job_id="j")
    return manager


@pytest.mark.parametrize(
    ("keys", "subject"),
    [
        ("b", "job j, item 'b'"),
        ("ab", "job j, item 'a' and 1 more"),
        ("bac", "job j, item 'b' and 2 more"),
    ],
)
def test_events_that_the_phase_does_not_take(
    manager: StateManager, keys: str, subject: str
) -> None:
    """The job stands in setup: none of its items begins."""
    with pytest.raises(TransitionRefused) as refused:
        manager.record("j", [ItemEvent(key, "start") for key in keys])
    assert refused.value.subject == subject
    assert (refused.value.machine, refused.value.state) == ("item", "setup")
    assert refused.value.event == "start"
    assert refused.value.allowed == manager.get_state("j").lifecycle.collections[
        "items"
    ].accepts.get("setup", ())
    assert "accepts no such event of its items" in refused.value.reason


def test_an_event_of_a_member_is_refused_by_its_key(manager: StateManager) -> None:
    """Of several that are sent one, that which cannot take it is named."""
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent("a", "start")])
    with pytest.raises(TransitionRefused) as refused:
        manager.record("j", [ItemEvent("b", "start"), ItemEvent("a", "start")])
    assert refused.value.subject == "job j, item 'a'"
    with pytest.raises(TransitionRefused) as refused:
        manager.fire("j", "start_map")
    assert refused.value.subject == "job j"


@pytest.mark.parametrize("ordinal", [3, 99])
def test_an_item_that_there_is_not_is_told_with_how_many_there_are(
    manager: StateManager, ordinal: int
) -> None:
    manager.fire("j", "start_map")
    with pytest.raises(ItemAbsent) as refused:
        manager.record("j", [ItemEvent(ordinal, "start")])
    assert (refused.value.job_id, refused.value.item, refused.value.count) == ("j", ordinal, 3)
