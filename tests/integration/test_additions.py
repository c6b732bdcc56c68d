"""More items for a job that has begun: facts like any other, undone by a rewind, verified."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from milepost import Item, ItemEvent, JobEvent, LeaseHeld, StateManager
from milepost.errors import (
    ItemAbsent,
    ItemExists,
    ItemKeyDuplicate,
    ItemsRefused,
    StoreUnreadable,
    UpdateConflict,
    ValueInvalid,
)
from milepost.executors import run
from milepost.items.key_index import SEGMENT_KEYS
from milepost.job.restoring import restore
from milepost.job.state import JobState
from milepost.log.codec import decode_snapshot
from milepost.state.writing import staging
from milepost.stores.sqlite.seals import enable
from milepost.testing import FakeClock
from tests.stateful.observing import folded_from_nothing

DONE = {"result": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def manager(path: Path) -> Iterator[StateManager]:
    with StateManager.open(path, durability="process", clock=FakeClock()) as opened:
        opened.create_job({"a": 1, "b": 2}, job_id="j", config={"max_attempts": 2})
        yield opened


def keys(state: JobState) -> list[str]:
    return [state.inputs.key(ordinal) for ordinal in range(state.items.count)]


def in_sqlite(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(path))) as connection:
        enable(connection)
        return list(connection.execute(statement))


def staged(path: Path) -> int:
    return len(in_sqlite(path, "SELECT 1 FROM staged"))


def test_added_items_are_items_like_the_others(manager: StateManager, path: Path) -> None:
    """In setup and in map: keys, values, states, the whole way to the end."""
    state = manager.add_items("j", [Item(key="c", value={"n": 3})])
    assert keys(state) == ["a", "b", "c"]
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(key, "start") for key in "abc"])
    manager.record("j", [ItemEvent(key, "succeed", DONE) for key in "abc"])
    state = manager.add_items("j", {"d": 4, "e": 5})
    assert state.progress.pending == 2
    assert state.item("e") == state.item("d")
    in_what, context = state.item("e")
    assert (in_what, context["attempts"], context["max_attempts"]) == ("pending", 0, 2)
    assert [state.inputs.value(ordinal) for ordinal in range(5)] == [1, 2, {"n": 3}, 4, 5]
    manager.record("j", [ItemEvent("d", "start"), ItemEvent(4, "start")])
    manager.record("j", [ItemEvent("d", "succeed", DONE), ItemEvent(4, "succeed", DONE)])
    assert manager.fire("j", "finish_map").phase == "reduce"
    assert dict(manager.results("j")) == dict.fromkeys("abcde", 1)
    assert folded_from_nothing(str(path), "j") == manager.get_state("j")
    (verification,) = manager.verify()
    assert (verification.sound, verification.items) == (True, 5)


def test_each_state_has_the_items_of_its_own_time(manager: StateManager) -> None:
    """An older state is not touched by what was added after it."""
    before = manager.get_state("j")
    after = manager.add_items("j", ["c"])
    assert keys(before) == ["a", "b"]
    assert keys(manager.state_at("j", before.seq)) == ["a", "b"]
    for old in (before, manager.state_at("j", before.seq)):
        assert "c" not in old.keys_in("pending")
        with pytest.raises(KeyError):
            old.item("c")
        with pytest.raises(KeyError):
            old.inputs.key(2)
    assert before.fingerprint == before.created.fingerprint != after.fingerprint
    assert manager.state_at("j", after.seq) == after


def test_the_history_says_what_was_added(manager: StateManager) -> None:
    """How many, which, and how many there are now."""
    manager.add_items("j", ["c", "d"])
    last = manager.get_state_history("j")[-1]
    assert (last.kind, last.event, last.count) == ("added", "added", 2)
    assert list(last.items) == ["c", "d"]
    assert last.payload["items"] == 4
    assert (last.source, last.target) == ("setup", "setup")


@pytest.mark.parametrize(
    "events",
    [["pause"], ["start_map", "pause"], ["fail"], ["cancel"], ["start_map", "finish"]],
    ids=" ".join,
)
def test_a_job_that_takes_no_more_says_where_it_would(
    manager: StateManager, events: list[str]
) -> None:
    """Not while it is paused, has failed, reduces or has ended; the list is not even read."""
    for event in events:
        if event == "finish":
            manager.record("j", [ItemEvent(key, "start") for key in "ab"])
            manager.record("j", [ItemEvent(key, "succeed", DONE) for key in "ab"])
            manager.fire("j", "finish_map")
        else:
            payload = {"cause": "error", "message": ""} if event == "fail" else None
            manager.fire("j", event, payload)
    before = manager.get_state("j")

    def never() -> Iterator[str]:
        raise AssertionError("read for nothing")
        yield

    with pytest.raises(ItemsRefused) as refused:
        manager.add_items("j", never())
    assert (refused.value.phase, refused.value.phases) == (before.phase, ("setup", "map"))
    assert manager.get_state("j") == before


def test_a_job_that_moves_on_while_they_come_in_takes_none(
    manager: StateManager, path: Path
) -> None:
    """The phase is looked at again when they would become part of it."""

    def pausing() -> Iterator[str]:
        yield from (f"new-{n}" for n in range(SEGMENT_KEYS + 2000))
        manager.fire("j", "pause")

    with pytest.raises(ItemsRefused):
        manager.add_items("j", pausing())
    assert manager.get_state("j").items.count == 2
    assert staged(path) == 0
    assert in_sqlite(path, "SELECT count(*) FROM inputs") == [(1,)]
    assert manager.verify("j")[0].sound


def test_a_key_that_the_job_has_is_refused_or_skipped(manager: StateManager) -> None:
    """By name; a key that comes twice in the list is refused either way."""
    with pytest.raises(ItemExists) as exists:
        manager.add_items("j", ["c", "b"])
    assert (exists.value.ordinal, exists.value.position) == (1, 1)
    assert keys(manager.add_items("j", ["c", "b", "d", "a"], existing="skip")) == list("abcd")
    seq = manager.get_state("j").seq
    assert manager.add_items("j", ["a", "d"], existing="skip").seq == seq
    assert manager.add_items("j", []).seq == seq
    with pytest.raises(ItemKeyDuplicate):
        manager.add_items("j", ["x", "y", "x"], existing="skip")
    with pytest.raises(ValueInvalid):
        manager.add_items("j", ["x", b"y"])
    assert manager.get_state("j").seq == seq


@pytest.mark.parametrize("many", [5, SEGMENT_KEYS + 2000])
def test_others_may_add_the_same_meanwhile(manager: StateManager, path: Path, many: int) -> None:
    """What they added since counts: refused, or left out of what was taken in already."""

    def overtaken(name: str) -> Iterator[str]:
        yield from (f"{name}-{n}" for n in range(many))
        manager.add_items("j", [f"{name}-3", f"{name}-other"])

    with pytest.raises(ItemExists) as exists:
        manager.add_items("j", overtaken("x"))
    assert (exists.value.key, exists.value.ordinal, exists.value.position) == ("x-3", 2, 3)
    state = manager.add_items("j", overtaken("y"), existing="skip")
    assert state.items.count == 2 + 2 + 2 + many - 1
    assert [state.inputs.ordinal(key) for key in ("x-other", "y-3", "y-other")] == [3, 4, 5]
    assert keys(state)[6:10] == ["y-0", "y-1", "y-2", "y-4"]
    assert staged(path) == 0
    assert manager.verify("j")[0].sound


def test_lists_that_come_in_side_by_side_are_told_apart(
    manager: StateManager, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their places alternate in the store; ordinals follow the order in which they ended."""
    batch = 2048
    monkeypatch.setattr(staging, "SEGMENT_KEYS", batch)

    def outer() -> Iterator[str]:
        for n in range(3 * batch):
            if n == 2 * batch:
                manager.add_items("j", (f"inner-{n}" for n in range(batch + 1500)))
            yield f"outer-{n}"

    state = manager.add_items("j", outer())
    assert len(state.spans) > 1
    inner = 2 + batch + 1500
    found = keys(state)
    assert found[:2] == ["a", "b"]
    assert found[2:inner] == [f"inner-{n}" for n in range(batch + 1500)]
    assert found[inner:] == [f"outer-{n}" for n in range(3 * batch)]
    for ordinal in (0, 2, inner - 1, inner, len(found) - 1):
        assert state.inputs.ordinal(found[ordinal]) == ordinal
    manager.create_checkpoint("j")
    with StateManager.open(path, read_only=True) as cold:
        again = cold.get_state("j")
        assert again.spans == state.spans
        assert again.inputs.key(inner) == "outer-0"
        assert again.inputs.ordinal("outer-5000") == inner + 5000
    assert manager.verify("j")[0].sound


def test_a_rewind_to_before_undoes_them(manager: StateManager) -> None:
    """They are gone, their keys are free, and what was stored of them stays as it was."""
    checkpoint = manager.create_checkpoint("j")
    added = manager.add_items("j", {"c": "first", "d": 1})
    plan = manager.recover_from_checkpoint(checkpoint, rewind=True)
    assert sum(len(part) for part in plan.parts.values()) == 2
    state = manager.apply(plan)
    assert keys(state) == ["a", "b"]
    assert state.fingerprint == state.created.fingerprint
    with pytest.raises(ItemAbsent):
        manager.record("j", [ItemEvent("c", "skip")])
    state = manager.add_items("j", {"e": 0, "c": "second"})
    assert keys(state) == ["a", "b", "e", "c"]
    assert state.inputs.value(state.inputs.ordinal("c")) == "second"
    then = manager.state_at("j", added.seq)
    assert keys(then) == ["a", "b", "c", "d"]
    assert then.inputs.value(then.inputs.ordinal("c")) == "first"
    kinds = {event.seq: list(event.items) for event in manager.get_state_history("j")}
    assert kinds[added.seq] == ["c", "d"]
    assert kinds[state.seq] == ["e", "c"]
    assert manager.verify("j")[0].sound


def test_a_rewind_to_after_brings_them_back(manager: StateManager, path: Path) -> None:
    """Also to a checkpoint that a rewind had left behind."""
    early = manager.create_checkpoint("j")
    manager.add_items("j", {"c": "first"})
    late = manager.create_checkpoint("j")
    manager.apply(manager.recover_from_checkpoint(early, rewind=True))
    manager.add_items("j", {"x": 0, "c": "second"})
    state = manager.apply(manager.recover_from_checkpoint(late, rewind=True))
    assert keys(state) == ["a", "b", "c"]
    assert state.inputs.value(2) == "first"
    assert keys(manager.add_items("j", ["x"])) == ["a", "b", "c", "x"]
    assert folded_from_nothing(str(path), "j") == manager.get_state("j")
    assert manager.verify("j")[0].sound


def test_a_rewind_while_they_come_in_is_noticed(manager: StateManager) -> None:
    """They are compared with what the job has then; what was skipped cannot be brought back."""
    checkpoint = manager.create_checkpoint("j")
    manager.add_items("j", ["c"])

    def rewinding(first: str) -> Iterator[str]:
        yield first
        yield "d"
        manager.apply(manager.recover_from_checkpoint(checkpoint, rewind=True))

    assert keys(manager.add_items("j", rewinding("e"), existing="skip")) == ["a", "b", "e", "d"]
    manager.add_items("j", ["c"])
    with pytest.raises(UpdateConflict):
        manager.add_items("j", rewinding("c"), existing="skip")
    assert keys(manager.get_state("j")) == ["a", "b"]


def test_many_add_at_once(manager: StateManager) -> None:
    """Threads that share commits: each list once and whole, a key in two of them in one only."""

    def one(n: int) -> bool:
        try:
            manager.add_items("j", [f"own-{n}-0", f"shared-{n // 2}", f"own-{n}-1"])
        except ItemExists:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        added = list(pool.map(one, range(32)))
    assert sum(added) == 16
    state = manager.get_state("j")
    found = keys(state)
    assert len(found) == len(set(found)) == 2 + 16 * 3
    for n, was_added in enumerate(added):
        assert (f"own-{n}-0" in found) is was_added
        if was_added:
            at = found.index(f"own-{n}-0")
            assert found[at : at + 3] == [f"own-{n}-0", f"shared-{n // 2}", f"own-{n}-1"]
    assert manager.verify("j")[0].sound


def test_a_holder_is_not_added_to_unless_an_operator_asks(manager: StateManager) -> None:
    """As with every other write."""
    other = StateManager.open(manager._store._path, clock=manager._clock)  # type: ignore[attr-defined]  # SQLite's
    with closing(other), manager.lease("j", "me", renewed=False):
        with pytest.raises(LeaseHeld):
            other.add_items("j", ["c"])
        assert keys(other.add_items("j", ["c"], operator=True)) == ["a", "b", "c"]
        assert keys(manager.add_items("j", ["d"])) == ["a", "b", "c", "d"]


def test_a_run_works_on_what_is_added_meanwhile(manager: StateManager) -> None:
    """An item may bring others with it: the run goes on until they are done too."""

    def one(item: Item) -> object:
        if len(item.key) < 4:
            more = [item.key + letter for letter in "xy"]
            manager.add_items("j", more, operator=True, existing="skip")
        return len(item.key)

    with ThreadPoolExecutor(3) as pool:
        outcome = run(manager, "j", one, lambda results: sum(n for _, n in results), executor=pool)
    assert outcome.phase == "completed"
    assert outcome.state.items.count == 2 * (1 + 2 + 4 + 8)
    assert manager.result("j") == 2 * (1 * 1 + 2 * 2 + 4 * 3 + 8 * 4)
    assert manager.verify("j")[0].sound


def test_items_that_were_changed_in_the_store_are_found(manager: StateManager, path: Path) -> None:
    """Verify compares what was added with the fingerprint of the commit that added it."""
    manager.add_items("j", ["c"])
    swapped = manager.create_job(["z"], job_id="other")
    in_sqlite(
        path,
        'UPDATE inputs SET (codec, keys, "values", digest) = (SELECT codec, keys, "values", digest'
        " FROM inputs WHERE id = 2 << 40) WHERE id = (1 << 40) + 2",
    )
    in_sqlite(path, "UPDATE inputs SET seal = milepost_seal(id, count, codec, digest)")
    assert swapped.items.count == 1
    (problem,) = manager.verify("j")[0].problems
    assert problem.invariant == "inputs"
    assert "commit 2" in problem.message
    in_sqlite(path, "DELETE FROM inputs WHERE id = (1 << 40) + 2")
    assert not manager.verify("j")[0].sound
    with StateManager.open(path, read_only=True) as cold, pytest.raises(StoreUnreadable):
        cold.get_state("j").inputs.key(2)


def test_a_checkpoint_from_before_items_could_be_added_is_read(manager: StateManager) -> None:
    """Its snapshot lacks what is known of them: there are none but the first."""
    state = manager.get_state("j")
    fields = msgspec.to_builtins(decode_snapshot(state.snapshot()), builtin_types=[bytes])
    for name in ("item_count", "fingerprint", "spans"):
        del fields[name]
    old = restore(b"j" + msgspec.msgpack.encode(fields), state.tables, state.inputs)
    assert old == state
    assert keys(old) == ["a", "b"]


def test_an_item_is_there_once_it_has_been_acknowledged(manager: StateManager) -> None:
    """By key and by ordinal, at the next commit; before, there is no such item."""
    with pytest.raises(ItemAbsent):
        manager.update_state("j", lambda _: [JobEvent("start_map"), ItemEvent("c", "start")])
    manager.add_items("j", ["c"])
    wanted = [JobEvent("start_map"), ItemEvent("c", "start"), ItemEvent(1, "start")]
    state = manager.update_state("j", lambda _: wanted)
    assert sorted(state.keys_in("running")) == ["b", "c"]
