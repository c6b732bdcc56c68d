"""Input identity: whether the items that a caller has now are those of the job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost import Item, StateManager
from milepost.errors import InputChanged, ItemsRefused
from milepost.executors import run

entries = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)), unique_by=lambda entry: entry[0]
)
STORED = {f"k{n}": {"n": n, "m": [n]} for n in range(6)}


@pytest.fixture
def manager() -> Iterator[StateManager]:
    with StateManager.open("memory:") as opened:
        opened.create_job(STORED, job_id="j")
        yield opened


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in STORED.items() if key not in keys}


@pytest.mark.parametrize(
    ("given", "verdict", "differences"),
    [
        (STORED, "same", {}),
        ({k: {"m": v["m"], "n": v["n"]} for k, v in STORED.items()}, "same", {}),
        ({**STORED, "new": 1, "newer": 2}, "grew", {"added": ("new", "newer")}),
        ({"new": 1, **STORED}, "grew", {"added": ("new",)}),
        (without("k5"), "shrank", {"removed": ("k5",)}),
        (without("k0", "k3"), "shrank", {"removed": ("k0", "k3")}),
        ({}, "shrank", {"removed": tuple(STORED)}),
        ({**STORED, "k2": 0}, "changed", {"changed": ("k2",)}),
        ({**without("k2"), "k2": 0}, "changed", {"changed": ("k2",), "reordered": ("k2",)}),
        ({**without("k1"), "new": 1}, "changed", {"added": ("new",), "removed": ("k1",)}),
        (dict(reversed(STORED.items())), "same", {"reordered": tuple(STORED)[-2::-1]}),
        (
            {"k5": STORED["k5"], "new": 1, **without("k5")},
            "grew",
            {
                "added": ("new",),
                "reordered": tuple(STORED)[:-1],
            },
        ),
        (
            {"k5": STORED["k5"], **without("k0", "k5")},
            "shrank",
            {
                "removed": ("k0",),
                "reordered": tuple(STORED)[1:-1],
            },
        ),
    ],
)
def test_every_difference_is_named(
    manager: StateManager, given: dict[str, Any], verdict: str, differences: dict[str, Any]
) -> None:
    """Keys and values are what counts; where only the order differs, it is told and counts not."""
    found = manager.compare_inputs("j", given)
    assert found.verdict == verdict
    for kind in ("added", "removed", "changed", "reordered"):
        keys = differences.get(kind, ())
        some = getattr(found, kind)
        assert (some.count, some.first) == (len(keys), keys), kind
    assert (found.stored_count, found.given_count) == (6, len(given))
    same = found.fingerprint == manager.get_state("j").created.fingerprint
    assert same == (list(given.items()) == list(STORED.items()) and str(given) == str(STORED))


def test_what_is_new_can_be_taken_up(manager: StateManager) -> None:
    """In the order given, from the ordinal after the last; as often as it is asked for."""
    many = [Item(key=f"new{n}", value=n) for n in range(3_000)]
    old = [Item(key=key, value=value) for key, value in STORED.items()]
    found = manager.compare_inputs("j", iter([*many[:1500], *old, *many[1500:]]))
    assert (found.verdict, found.added.count, len(found.added.first)) == ("grew", 3_000, 100)
    assert found.new_from == 6
    assert [block.first for block in found.new_blocks] == [6, 1030, 2054]
    for _ in range(2):
        assert list(found.new_items()) == many
    assert str(found) == "the input grew: 3,000 added ('new0', 'new1', 'new2', …)"


def test_as_long_as_it_agrees_one_block_is_held() -> None:
    """No key is kept while the input is as it was, whatever its length."""
    with StateManager.open("memory:") as manager:
        count = 5_000
        manager.create_job((Item(key=f"k{n}", value=n) for n in range(count)), job_id="j")
        state = manager.get_state("j")
        assert manager.compare_inputs("j", (Item(key=f"k{n}", value=n) for n in range(count)))
        shelf = state.inputs._shelf
        assert not shelf._keys
        assert list(shelf._index.gaps(0, count)) == [(0, count)]


@given(entries, entries)
def test_the_comparison_agrees_with_sets(
    stored: list[tuple[str, int]], given: list[tuple[str, int]]
) -> None:
    """Worked out with plain dictionaries."""
    with StateManager.open("memory:") as manager:
        manager.create_job(dict(stored), job_id="j")
        found = manager.compare_inputs("j", dict(given))
    before, now = dict(stored), dict(given)
    assert set(found.added.first) == now.keys() - before.keys()
    assert set(found.removed.first) == before.keys() - now.keys()
    both = before.keys() & now.keys()
    assert set(found.changed.first) == {key for key in both if before[key] != now[key]}
    order = [key for key, _ in stored if key in both] == [key for key, _ in given if key in both]
    assert (found.reordered.count == 0) == order
    assert (found.verdict == "same") == (before == now)
    assert (found.verdict == "grew") == (before.items() < now.items())
    assert (found.verdict == "shrank") == (before.items() > now.items())


def test_a_run_refuses_another_input_unless_it_is_told_to_keep_its_own(
    manager: StateManager,
) -> None:
    """Nothing is run, and the message says what differs and what may be said."""
    grown = {**STORED, "new": 1}
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InputChanged, match=r"grew: 1 added \('new'\).*on_changed='keep'"):
            run(manager, "j", lambda item: 1, executor=pool, items=grown)
        state = manager.get_state("j")
        assert (state.phase, state.owner) == ("setup", None)
        outcome = run(manager, "j", lambda item: 1, executor=pool, items=grown, on_changed="keep")
        assert (outcome.done_count, outcome.phase) == (6, "reduce")
        assert outcome.inputs is not None
        assert outcome.inputs.verdict == "grew"
        again = run(manager, "j", lambda item: 1, sum_of, executor=pool, items=STORED)
        assert again.phase == "completed"


def sum_of(results: Iterator[tuple[str, Any]]) -> int:
    return sum(result for _, result in results)


def test_a_run_may_take_up_growth_once(manager: StateManager) -> None:
    """What is new goes behind what there is; the same input then is the same."""
    grown = {"first": 0, **STORED, "last": 9}
    with ThreadPoolExecutor(1) as pool:
        outcome = run(manager, "j", one, executor=pool, items=grown, on_changed="grow")
        assert outcome.inputs is not None
        assert outcome.inputs.verdict == "grew"
        assert (outcome.done_count, outcome.phase) == (8, "reduce")
        state = outcome.state
        assert [state.inputs.key(n) for n in range(6, 8)] == ["first", "last"]
        assert [state.inputs.value(n) for n in range(6, 8)] == [0, 9]
        assert manager.compare_inputs("j", grown).verdict == "same"
        again = run(manager, "j", one, sum_of, executor=pool, items=grown, on_changed="grow")
        assert (again.phase, again.state.items.count) == ("completed", 8)
        assert manager.result("j") == 8


def test_growth_is_all_that_is_taken_up(manager: StateManager) -> None:
    """Another difference is refused as before, and so is growth of a job that is beyond map."""
    with ThreadPoolExecutor(1) as pool:
        for given in ({**STORED, "k2": 0, "new": 1}, without("k1"), {**without("k1"), "new": 1}):
            with pytest.raises(InputChanged) as refused:
                run(manager, "j", one, executor=pool, items=given, on_changed="grow")
            assert "on_changed='grow'" not in str(refused.value)
        assert run(manager, "j", one, executor=pool).phase == "reduce"
        with pytest.raises(ItemsRefused):
            run(manager, "j", one, executor=pool, items={**STORED, "new": 1}, on_changed="grow")
    assert manager.get_state("j").items.count == 6


def test_the_order_of_added_items_is_not_told_and_that_of_the_first_is(
    manager: StateManager,
) -> None:
    """They had no place in the list that the job was created with."""
    manager.add_items("j", {"x": 1, "y": 2})
    mixed = {"y": 2, **without("k5"), "x": 1, "k5": STORED["k5"]}
    assert manager.compare_inputs("j", mixed).verdict == "same"
    assert manager.compare_inputs("j", {**mixed, "z": 1}).verdict == "grew"
    assert manager.compare_inputs("j", {**mixed, "y": 3}).changed.first == ("y",)
    assert manager.compare_inputs("j", STORED).removed.first == ("x", "y")
    swapped = {"y": 2, "x": 1, "k1": STORED["k1"], **STORED}
    assert manager.compare_inputs("j", swapped).reordered.first == ("k0",)


@pytest.mark.parametrize("turned", [lambda names: names[::-1], set, frozenset, sorted])
def test_a_run_goes_on_with_its_items_in_any_order(
    manager: StateManager, turned: Callable[[list[str]], Iterable[str]]
) -> None:
    """A set or the listing of a folder comes in another order in each process."""
    names = ["d", "b", "a", "c"]
    manager.create_job(names, job_id="listed")
    with ThreadPoolExecutor(1) as pool:
        outcome = run(manager, "listed", one, executor=pool, items=turned(names))
        assert outcome.inputs is not None
        assert (outcome.inputs.verdict, outcome.done_count) == ("same", 4)
        assert list(outcome.inputs.new_items()) == []


def test_growth_in_another_order_is_taken_up(manager: StateManager) -> None:
    """What is new goes behind what there is, wherever it stood, and only once."""
    grown = {"first": 0, **dict(reversed(STORED.items())), "last": 9}
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(InputChanged, match=r"grew: 2 added .*, 5 reordered .*'grow'"):
            run(manager, "j", one, executor=pool, items=grown)
        outcome = run(manager, "j", one, executor=pool, items=grown, on_changed="grow")
        assert (outcome.done_count, outcome.phase) == (8, "reduce")
        state = outcome.state
        assert [state.inputs.key(n) for n in range(5, 8)] == ["k5", "first", "last"]
        assert str(manager.compare_inputs("j", grown)) == (
            "the input is the same in another order: 5 reordered ('k4', 'k3', 'k2', …)"
        )


def test_a_key_that_comes_again_is_the_same_item_or_a_change_of_it(
    manager: StateManager,
) -> None:
    """Wherever it stands: among those that came in order, too."""
    old = [Item(key=key, value=value) for key, value in STORED.items()]
    again = manager.compare_inputs("j", [*old, old[0], old[5]])
    assert (again.verdict, again.given_count, again.reordered.count) == ("same", 8, 0)
    for key in ("k0", "k5"):
        found = manager.compare_inputs("j", [*old, Item(key=key, value="other")])
        assert (found.verdict, found.changed.first) == ("changed", (key,))


def one(item: Item) -> int:
    del item
    return 1
