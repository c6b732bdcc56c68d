"""A job that owns members of two collections, through the manager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milepost import ArgumentInvalid, ItemEvent, Scope, StateManager, TransitionRefused
from milepost.errors import (
    ContextInvalid,
    ItemAbsent,
    ItemExists,
    ItemKeyDuplicate,
    ItemsRefused,
    LifecycleChanged,
    PayloadInvalid,
)
from milepost.testing import FakeClock
from tests.integration.shapes.lifecycles import SHIPPING, compiled, edited, module_of

LINES = ["pen", "ink", "pad"]
PARCELS = {"small": {"kg": 1}, "large": {"kg": 9}}


def manager_at(path: Path, text: str = SHIPPING, *earlier: str) -> StateManager:
    return StateManager.open(
        path,
        lifecycle=compiled(text, *earlier),
        earlier=[compiled(one) for one in earlier],
        clock=FakeClock(),
    )


@pytest.fixture
def manager(tmp_path: Path) -> StateManager:
    manager = manager_at(tmp_path / "jobs.db")
    manager.create_job(collections={"parcels": PARCELS, "lines": LINES}, job_id="job")
    return manager


def picked(manager: StateManager) -> None:
    """Lines and parcels in several states, by two commits; one event is both collections'."""
    manager.fire("job", "pick", {"notes": {"gift": True}})
    begun = ["lines/pen", "lines/ink", "parcels/large", "lines/pad"]
    manager.record("job", [ItemEvent(key, "pack") for key in begun])
    manager.record(
        "job",
        [
            ItemEvent("lines/pen", "pack_done", {"box": {"of": 1}}),
            ItemEvent("lines/ink", "miss", {"why": "torn"}),
        ],
    )


def test_its_members_are_in_one_order_and_known_by_their_collection(manager: StateManager) -> None:
    """Ordinals follow the definition, whatever the order given; keys begin with the collection."""
    state = manager.get_state("job")
    keys = [state.inputs.key(ordinal) for ordinal in range(state.items.count)]
    assert keys == ["lines/pen", "lines/ink", "lines/pad", "parcels/small", "parcels/large"]
    assert list(state.ledgers) == ["lines", "parcels"]
    assert list(state.ledgers["parcels"].universe) == [3, 4]
    assert state.inputs.value(4) == {"kg": 9}
    assert [state.collection_of(o) for o in range(5)] == ["lines"] * 3 + ["parcels"] * 2
    assert state.roles_of(4).begin == state.ledger_of(4).machine.roles.begin == "pack"
    assert state.created.item_count == 5
    with pytest.raises(AttributeError, match=r"lines, parcels.*state\.ledgers"):
        _ = state.items.machine


def test_what_is_done_is_told_by_the_roles_of_each_collection(manager: StateManager) -> None:
    """Sets, progress and takers, over both; the counts that the owner's guards read are apart."""
    picked(manager)
    state = manager.get_state("job")
    assert state.variables == {"gift": True}
    assert [list(found) for found in (state.waiting, state.held, state.done, state.failed)] == [
        [3],
        [2, 4],
        [0],
        [1],
    ]
    assert list(state.retriable) == [1]
    assert list(state.processed_items) == ["lines/pen"]
    assert state.failed_items == ("lines/ink",)
    assert [(event, list(hit)) for event, hit in state.takers_of("begin")] == [
        ("pack", []),
        ("pack", [3]),
    ]
    assert [(event, list(hit)) for event, hit in state.takers_of("retry")] == [("again", [1])]
    assert list(state.takers("burn")) == [3, 4]
    with pytest.raises(ArgumentInvalid, match="'begin' or 'result'"):
        state.takers_of("bgin")  # type: ignore[arg-type]
    with pytest.raises(ArgumentInvalid, match="'begin' or 'result'"):
        state.require("bgin", "a test")  # type: ignore[arg-type]
    assert state.progress.left == 4
    assert state.guarded["parcels.waiting"] == 1
    assert state.guarded["lines.total"] == 3
    burnt = manager.record("job", [ItemEvent("parcels/small", "burn")])
    assert list(burnt.ended) == [3]
    assert (burnt.progress.other, burnt.progress.ended, burnt.progress.left) == (1, 1, 3)


def test_an_event_of_one_collection_is_not_one_of_the_other(manager: StateManager) -> None:
    """Each member takes what its own machine has, where the phase accepts it of its collection."""
    picked(manager)
    before = manager.get_state("job")
    with pytest.raises(TransitionRefused, match="miss"):
        manager.record("job", [ItemEvent("parcels/large", "miss", {"why": "torn"})])
    told = r"item 'parcels/large': 'miss' .*machine 'parcel' of its items has no such event"
    with pytest.raises(TransitionRefused, match=told):
        manager.record("job", [ItemEvent("parcels/large", "miss", {"why": "torn"})])
    with pytest.raises(TransitionRefused, match=r"item 'parcels/large': .*accepts no such event"):
        manager.record("job", [ItemEvent("parcels/large", "arrive", {"weight": 3})])
    with pytest.raises(PayloadInvalid, match="weight"):
        manager.record("job", [ItemEvent(4, "arrive", {"weight": "much"})])
    with pytest.raises(ItemAbsent, match=r"\(lines, parcels\), as in 'lines/large'"):
        manager.record("job", [ItemEvent("large", "burn")])
    with pytest.raises(ItemAbsent, match=r"\(lines, parcels\), as in 'lines/large'"):
        manager.recover_from_checkpoint("job", scope=Scope.keys("large"))
    with pytest.raises(ItemAbsent, match=r"'lines/none' among its 5: `milepost items job` lists"):
        manager.record("job", [ItemEvent("lines/none", "pack")])
    with pytest.raises(TransitionRefused):  # all or nothing
        manager.record("job", [ItemEvent(3, "burn"), ItemEvent(2, "burn")])
    assert manager.get_state("job") == before


def test_an_event_of_the_job_moves_members_of_both(manager: StateManager) -> None:
    """In one step, each by its own machine; the history says which."""
    picked(manager)
    manager.record("job", [ItemEvent("lines/pad", "put_back")])
    manager.record("job", [ItemEvent("lines/ink", "drop"), ItemEvent("lines/pad", "drop")])
    manager.fire("job", "send")
    state = manager.fire("job", "fire")
    assert (state.phase, list(state.ended), list(state.skipped)) == ("closed", [3, 4], [1, 2])
    last = manager.get_state_history("job")[-1]
    assert last.transitions == {
        "order:sent.fire": 1,
        "parcel:waiting.burn": 1,
        "parcel:moving.burn": 1,
    }
    assert [list(e.items) for e in manager.get_state_history("job") if e.event == "pack"] == [
        ["lines/pen", "lines/ink"],
        ["parcels/large"],
        ["lines/pad"],
    ]


def test_everything_comes_back_from_the_store(manager: StateManager, tmp_path: Path) -> None:
    """From a checkpoint, from the log alone, in a fork, after a rewind; and all of it verifies."""
    picked(manager)
    manager.create_checkpoint("job")
    manager.add_items("job", ["cap"], collection="lines")
    state = manager.record("job", [ItemEvent("lines/cap", "pack")])
    forked = manager.fork("job", 3, "fork")
    assert [list(forked.held), list(forked.waiting)] == [[0, 1, 2, 4], [3]]
    with manager_at(tmp_path / "jobs.db") as again:
        assert again.get_state("job") == state
        assert again.state_at("job", state.seq) == state
        assert again.get_checkpoint("job").state.items == again.state_at("job", 4).items
        assert all(v.sound for v in again.verify())
        assert again.list_jobs(prefix="job")[0].progress == state.progress
        moved = again.diff("job", 2, 3).moved
        assert {pair: list(keys) for pair, keys in moved.items()} == {
            ("lines.open", "lines.packing"): ["lines/pen", "lines/ink", "lines/pad"],
            ("parcels.waiting", "parcels.moving"): ["parcels/large"],
        }


def test_items_are_added_to_the_collection_that_is_named(manager: StateManager) -> None:
    """Behind all others, each collection in its own phases; a key is the collection's own."""
    state = manager.add_items("job", {"pen": 1}, collection="parcels")
    state = manager.add_items("job", ["cap"], collection="lines")
    assert [state.inputs.key(o) for o in (5, 6)] == ["parcels/pen", "lines/cap"]
    assert [list(state.ledgers[name].universe) for name in ("lines", "parcels")] == [
        [0, 1, 2, 6],
        [3, 4, 5],
    ]
    with pytest.raises(ItemExists, match="lines/cap"):
        manager.add_items("job", ["cap"], collection="lines")
    same = manager.add_items("job", ["cap"], collection="lines", existing="skip")
    assert same == state
    with pytest.raises(ArgumentInvalid, match="'lines' or 'parcels'"):
        manager.add_items("job", ["new"])
    picked(manager)
    manager.record("job", [ItemEvent(o, "pack_done", {"box": 0}) for o in (2,)])
    manager.record("job", [ItemEvent("lines/ink", "drop"), ItemEvent("lines/cap", "drop")])
    manager.fire("job", "send")
    with pytest.raises(ItemsRefused, match="placed, picking"):
        manager.add_items("job", ["late"], collection="lines")
    manager.add_items("job", ["late"], collection="parcels")
    comparison = manager.compare_inputs(
        "job",
        collections={
            "lines": [*LINES, "cap"],
            "parcels": {**PARCELS, "pen": 1, "late": "late", "more": 2},
        },
    )
    assert (comparison.verdict, comparison.added.first) == ("grew", ("parcels/more",))
    assert all(v.sound for v in manager.verify())


def test_a_rewind_takes_members_away_and_their_ordinals_are_given_again(
    manager: StateManager,
) -> None:
    """To another collection, if one is added to it; an item of before is told from one of now."""
    manager.add_items("job", ["cap"], collection="lines")
    manager.apply(manager.plan_rewind("job", 1))
    state = manager.add_items("job", ["cap"], collection="parcels")
    assert (state.inputs.key(5), state.collection_of(5)) == ("parcels/cap", "parcels")
    with pytest.raises(ItemAbsent):
        manager.record("job", [ItemEvent("lines/cap", "drop")])
    picked(manager)
    manager.record("job", [ItemEvent(5, "burn")])
    added = [list(e.items) for e in manager.get_state_history("job") if e.kind == "added"]
    assert added[-2:] == [["lines/cap"], ["parcels/cap"]]
    assert all(v.sound for v in manager.verify())


def test_its_typed_state_has_the_counts_of_both(manager: StateManager) -> None:
    """The classes that are generated are made of what is stored, and lead back to it."""
    picked(manager)
    module = module_of(SHIPPING)
    state = manager.get_state("job")
    order = module.order_of(state.phase, state.guarded)
    assert isinstance(order, module.PickingOrder)
    assert (order.context.lines.packing, order.context.parcels.waiting) == (1, 1)
    line = module.line_of(*state.item("lines/ink"))
    assert isinstance(line, module.ShortLine)
    assert line.again().name == "open"


def test_lists_of_any_length_are_staged_beside_each_other(tmp_path: Path) -> None:
    """Two lists that fill batches, and one that breaks off: all of them are there, or nothing."""
    manager = manager_at(tmp_path / "jobs.db")
    many = 70_000
    state = manager.create_job(
        collections={"lines": map(str, range(many)), "parcels": map(str, range(many))}, job_id="a"
    )
    assert state.items.count == 2 * many
    assert [state.inputs.key(o) for o in (0, many - 1, many, 2 * many - 1)] == [
        "lines/0",
        f"lines/{many - 1}",
        "parcels/0",
        f"parcels/{many - 1}",
    ]
    assert state.inputs.ordinal("parcels/69999") == 2 * many - 1
    with pytest.raises(ItemKeyDuplicate, match="parcels/7"):
        manager.create_job(
            collections={"lines": map(str, range(many)), "parcels": [*map(str, range(many)), "7"]}
        )
    assert manager.job_ids() == ["a"]
    assert all(v.sound for v in manager.verify())
    assert not manager.check_store()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"most": 3}, "lines and of parcels"),
        ({"lines": {"most": 0}}, "does not satisfy"),
        ({"lines": {"urgent": True}}, "no such parameter"),
        ({"order": {"urgent": True}, "urgent": True}, "given twice"),
        ({"least": 3}, r"\(there are: urgent, lines\.most, parcels\.most\)"),
    ],
)
def test_a_parameter_is_somebodys(manager: StateManager, config: object, told: str) -> None:
    """What is not clear is refused, and says how it would be."""
    with pytest.raises(ContextInvalid, match=told):
        manager.create_job(config=config, job_id="other")  # type: ignore[arg-type]


def test_parameters_of_each_collection_are_its_own(manager: StateManager) -> None:
    """Under its name, or under theirs where there is one of it; defaults for the rest."""
    state = manager.create_job(config={"lines": {"most": 7}, "urgent": True})
    assert state.item_params == {"lines": {"most": 7}, "parcels": {"most": 5}}
    assert state.context["urgent"] is True
    assert state.items.count == 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m.create_job(LINES), "collections="),
        (lambda m: m.create_job(LINES, collections={"lines": LINES}), "None where collections"),
        (lambda m: m.create_job(collections={"items": LINES}), "lines, parcels"),
        (lambda m: m.create_job(collections={"lines": "pen"}), "an iterable of items"),
        (lambda m: m.add_items("job", LINES, collection="items"), "'lines' or 'parcels'"),
        (lambda m: m.compare_inputs("job", LINES), "collections="),
    ],
)
def test_lists_that_are_of_no_collection_are_refused(
    manager: StateManager, call: Callable[[StateManager], object], told: str
) -> None:
    """Before anything is written."""
    with pytest.raises(ArgumentInvalid, match=told):
        call(manager)
    assert manager.job_ids() == ["job"]


SECOND = edited(
    SHIPPING,
    ("version: 1", "version: 2"),
    ("      waiting: {}\n", "      ready: {was: waiting}\n"),
    ("initial: waiting", "initial: ready"),
    ("from: waiting,", "from: ready,"),
    ("from: [waiting, moving]", "from: [ready, moving]"),
    ("parcels.waiting", "parcels.ready"),
    ("parcels: {waiting: burn", "parcels: {ready: burn"),
)


def test_it_goes_on_under_the_next_version(manager: StateManager, tmp_path: Path) -> None:
    """Each collection by the upgrade of its machine; the listing says the same before a write."""
    picked(manager)
    before = manager.get_state("job")
    manager.close()
    with manager_at(tmp_path / "jobs.db", SECOND, SHIPPING) as again:
        state = again.get_state("job")
        assert again.list_jobs()[0].progress == state.progress == before.progress
        assert state.items.members("ready") == before.items.members("waiting")
        after = again.record("job", [ItemEvent("parcels/small", "pack")])
        assert list(after.held) == [2, 3, 4]
        assert all(v.sound for v in again.verify())


THIRD = edited(
    SHIPPING,
    ("version: 1", "version: 3"),
    (
        "      parcels:\n        machine: parcel\n",
        (
            "      more:\n        machine: line\n        accepts: {picking: [pack, drop]}\n"
            "      parcels:\n        machine: parcel\n"
        ),
    ),
)


def test_a_later_version_may_have_one_collection_more(
    manager: StateManager, tmp_path: Path
) -> None:
    """It begins without members; what was there stays where it was."""
    picked(manager)
    before = manager.get_state("job")
    manager.close()
    with manager_at(tmp_path / "jobs.db", THIRD, SHIPPING) as again:
        state = again.add_items("job", ["nib"], collection="more")
        assert list(state.ledgers) == ["lines", "more", "parcels"]
        assert list(state.ledgers["more"].universe) == [5]
        assert state.ledgers["parcels"].cells == before.ledgers["parcels"].cells
        assert all(v.sound for v in again.verify())
    with manager_at(tmp_path / "jobs.db") as old, pytest.raises(LifecycleChanged):
        old.get_state("job")


TWO = edited(
    SHIPPING,
    ("version: 1", "version: 2"),
    (" and parcels_done", ""),
    (", parcels: {waiting: burn, moving: burn}", ""),
    ("      parcels_done: parcels.waiting + parcels.moving == 0\n", ""),
)
ONE = edited(
    TWO,
    ("version: 2", "version: 1"),
    (TWO[TWO.index("  parcel:\n") : TWO.index("  order:\n")], ""),
    (TWO[TWO.index("      parcels:\n") : TWO.index("    events:\n      pick:")], ""),
)


def test_what_came_under_one_collection_is_known_by_its_old_key(tmp_path: Path) -> None:
    """Under a version with two, the same input is the same items: none of them stands twice."""
    with manager_at(tmp_path / "jobs.db", ONE) as old:
        old.create_job(LINES, job_id="job")
    with manager_at(tmp_path / "jobs.db", TWO, ONE) as manager:
        same = manager.compare_inputs("job", collections={"lines": LINES})
        assert (same.verdict, list(same.new_items())) == ("same", [])
        turned = manager.compare_inputs("job", collections={"lines": [*LINES[::-1], "nib"]})
        assert (turned.added.first, turned.removed.count) == (("lines/nib",), 0)
        assert turned.reordered.count == 2
        with pytest.raises(ItemExists):
            manager.add_items("job", ["nib", "ink"], collection="lines")
        state = manager.add_items("job", ["nib", "ink"], collection="lines", existing="skip")
        assert [state.inputs.key(n) for n in range(4)] == [*LINES, "lines/nib"]
        assert state.items.count == 4
        grown = {"lines": [*LINES, "nib"], "parcels": ["ink"]}
        compared = manager.compare_inputs("job", collections=grown)
        assert (compared.verdict, compared.added.first) == ("grew", ("parcels/ink",))
        assert manager.add_items("job", ["ink"], collection="parcels").items.count == 5
        with pytest.raises(ItemExists):
            manager.add_items("job", ["nib"], collection="lines")
        assert all(v.sound for v in manager.verify())
