"""Limits on every store: warnings, and refusals that name the largest values and write nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import ItemEvent, Limits, StateManager, StateStore, TooLarge
from milepost.errors import Large, ValueInvalid
from milepost.log.codec import MAX_BLOCK_BYTES
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from milepost.worker.sizes import largest_in
from tests.postgres import needs_postgres, new_url

SMALL = Limits(value_max_bytes=2_000, commit_max_bytes=5_000, checkpoint_max_bytes=3_000)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=needs_postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Every store that there is."""
    if request.param == "postgres":
        opened = open_store(new_url(request.getfixturevalue("postgres")))
    else:
        opened = open_store("memory:" if request.param == "memory" else tmp_path / "jobs.db")
    yield opened
    opened.close()


def manager_of(store: StateStore, limits: Limits = SMALL) -> StateManager:
    manager = StateManager(store, clock=FakeClock(), limits=limits)
    manager.create_job([f"{n}" for n in range(4)], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(n, "start") for n in range(4)])
    return manager


def result(size: int) -> dict[str, Any]:
    return {"result": {"text": "x" * size, "n": 1}}


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (lambda m: m.record("j", [ItemEvent("1", "succeed", result(3_000))]), "$.text"),
        (lambda m: m.fire("j", "set_variables", {"variables": {"v": ["y" * 3_000]}}), "$.v[0]"),
        (lambda m: m.create_job({"a": {"b": "z" * 3_000}}, job_id="k"), "$.b"),
        (lambda m: m.create_job(["a"], job_id="k", variables={"w": "z" * 3_000}), "$.w"),
    ],
    ids=["result", "variables", "input", "first variables"],
)
def test_a_value_that_is_too_large_is_refused_and_named(
    store: StateStore, write: Callable[[StateManager], object], place: str
) -> None:
    """The error says whose it is, what in it is large, and the job stays as it was."""
    manager = manager_of(store)
    before = manager.get_state("j")
    with pytest.raises(TooLarge) as error:
        write(manager)
    assert error.value.largest[0] == Large(place, 3_002)
    assert error.value.size_bytes > error.value.limit_bytes == 2_000
    assert f"{place} 3,002" in str(error.value)
    assert isinstance(error.value, ValueInvalid)
    assert StateManager(store).get_state("j") == before
    assert manager.job_ids() == ["j"]


def test_a_refused_value_says_which_item_it_is_of(store: StateStore) -> None:
    with pytest.raises(TooLarge, match="payload of 'succeed' of item '2', field 'result'"):
        manager_of(store).record(
            "j", [ItemEvent("1", "skip"), ItemEvent("2", "succeed", result(2_500))]
        )


def test_a_commit_that_is_too_large_is_refused_and_its_values_named(store: StateStore) -> None:
    """Each value is small enough, and all together are not: nothing of it is written."""
    manager = manager_of(store)
    before = manager.get_state("j")
    events = [ItemEvent(n, "succeed", result(1_900 - 100 * n)) for n in range(4)]
    with pytest.raises(TooLarge) as error:
        manager.record("j", events)
    assert error.value.largest[0].place == "succeed of item '0', result"
    assert [large.size_bytes for large in error.value.largest] == [1_917, 1_817, 1_717, 1_617]
    assert manager.get_state("j") == before
    assert manager.record("j", events[:2]).progress.done == 2


def test_a_checkpoint_that_is_too_large_is_refused_and_its_parts_named(store: StateStore) -> None:
    """Variables are what makes one large; the job goes on without it."""
    limits = Limits(checkpoint_max_bytes=700)
    manager = manager_of(store, limits)
    manager.create_checkpoint("j")
    text = "".join(f"{n * 7919 % 10007:x}" for n in range(800))  # does not compress away
    manager.fire("j", "set_variables", {"variables": {"big": text, "small": 1}})
    before = manager.get_state("j")
    with pytest.raises(TooLarge, match="job j: a checkpoint") as error:
        manager.create_checkpoint("j")
    assert error.value.largest[0] == Large("variables, big", len(text) + 2)
    assert any(large.place == "items in running" for large in error.value.largest)
    assert manager.get_state("j") == before
    assert len(manager.list_checkpoints("j")) == 1


def test_large_ones_are_told_of_under_stable_names(
    store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    """From the warning size on they are written, and logged with what is large in them."""
    limits = Limits(value_warn_bytes=100, commit_warn_bytes=300, checkpoint_warn_bytes=10)
    with caplog.at_level(logging.WARNING, "milepost.limits"):
        manager = manager_of(store, limits)
        assert caplog.messages == []
        manager.record("j", [ItemEvent("1", "succeed", result(200))])
        manager.record("j", [ItemEvent(n, "fail", failure()) for n in (2, 3)])
        manager.create_checkpoint("j")
    value, *_, checkpoint = caplog.messages
    assert value.startswith("value-large: payload of 'succeed' of item '1', field 'result' takes")
    assert "$.text 202" in value
    assert any(told.startswith("commit-large: job j: one commit takes") for told in caplog.messages)
    assert checkpoint.startswith("checkpoint-large: job j: a checkpoint takes")


def test_what_is_large_is_told_of_once_for_each_job(
    store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A run whose results are all large says so once, and so does the creation of a job."""
    limits = Limits(value_warn_bytes=100, commit_warn_bytes=300, checkpoint_warn_bytes=10)
    manager = manager_of(store, limits)
    with caplog.at_level(logging.WARNING, "milepost.limits"):
        for n in range(4):
            manager.record("j", [ItemEvent(n, "succeed", result(400))])
            manager.create_checkpoint("j")
    assert told_of(caplog) == ["value-large", "commit-large", "checkpoint-large"]
    assert all(each.endswith("; the next of this job are not told of") for each in caplog.messages)

    with caplog.at_level(logging.WARNING, "milepost.limits"):
        manager.create_job({f"k{n}": "v" * 120 for n in range(5)}, job_id="other")
        manager.fire("other", "start_map")
        manager.record("other", [ItemEvent("k0", "start")])
        manager.record("other", [ItemEvent("k0", "succeed", result(400))])
    assert told_of(caplog) == ["value-large", "value-large", "commit-large"]

    other = StateManager(store, clock=FakeClock(), limits=limits)
    with caplog.at_level(logging.WARNING, "milepost.limits"):
        other.record("other", [ItemEvent("k1", "start")])
        other.record("other", [ItemEvent("k1", "succeed", result(400))])
    assert told_of(caplog) == ["value-large", "commit-large"]
    assert other.limits == limits


def told_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The names of the warnings since the last look."""
    names = [message.split(":")[0] for message in caplog.messages]
    caplog.clear()
    return names


def failure() -> dict[str, str]:
    return {"cause": "error", "message": "m" * 150}


@pytest.mark.parametrize("bad", [0, -1, MAX_BLOCK_BYTES + 1])
def test_limits_are_between_one_and_what_is_stored_at_once(bad: int) -> None:
    """Nonsense is refused."""
    with pytest.raises(ValueError, match="commit_max_bytes"):
        Limits(commit_max_bytes=bad)


def test_what_is_named_is_the_part_that_is_large() -> None:
    """A part is looked into as long as something in it is large; none named holds another."""
    value = {"ids": list(range(3_000)), "deep": {"a": [{"text": "x" * 9_000}, 1]}, "small": [1, 2]}
    named = largest_in(value, 2)
    assert [large.place for large in named] == ["$.ids", "$.deep.a[0].text"]
    assert [large.size_bytes for large in named] == [13_891, 9_002]
    assert largest_in("text") == (Large("$", 6),)
    assert largest_in([]) == (Large("$", 2),)


def test_sizes_name_the_largest_values(store: StateStore) -> None:
    """Inputs, results, messages and variables, wherever they are in the log."""
    manager = StateManager(store, clock=FakeClock())
    manager.create_job({"a": "i" * 50, "b": 1}, job_id="j", variables={"v": "w" * 40})
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(n, "start") for n in "ab"])
    failed = ItemEvent("b", "fail", {"cause": "error", "message": "m" * 60})
    manager.record("j", [ItemEvent("a", "succeed", {"result": "r" * 70}), failed])
    manager.create_checkpoint("j")
    manager.fire("j", "cancel", {"reason": "c" * 30})
    sizes = manager.sizes("j")
    assert sizes.largest == (
        Large("result of 'a' at seq 4", 72),
        Large("message of 'b' at seq 4", 62),
        Large("input of 'a'", 52),
        Large("variable v", 42),
        Large("reason of cancel at seq 6", 32),
    )
    assert manager.sizes("j", largest=1).largest == sizes.largest[:1]
    assert manager.sizes("j", largest=0).largest == ()
    assert (sizes.stored.commits, sizes.stored.checkpoints, sizes.seq) == (6, 1, 6)
