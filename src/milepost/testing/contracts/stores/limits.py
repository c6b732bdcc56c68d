"""Limits: warnings, and refusals that name the largest values and write nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from milepost.errors import Large, TooLarge, ValueInvalid
from milepost.state.limits import Limits
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.contracts.stores.opened import OpenedStore

__all__ = ["LimitContract"]

_SMALL = Limits(value_max_bytes=2_000, commit_max_bytes=5_000, checkpoint_max_bytes=3_000)


def _manager_of(store: StateStore, limits: Limits = _SMALL) -> StateManager:
    manager = StateManager(store, clock=FakeClock(), limits=limits)
    manager.create_job([f"{n}" for n in range(4)], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(n, "start") for n in range(4)])
    return manager


def _result(size: int) -> dict[str, Any]:
    return {"result": {"text": "x" * size, "n": 1}}


def _told_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The names of the warnings since the last look."""
    names = [message.split(":")[0] for message in caplog.messages]
    caplog.clear()
    return names


def _failure() -> dict[str, str]:
    return {"cause": "error", "message": "m" * 150}


class LimitContract(OpenedStore):
    """Limits: what is too large is refused and named, and nothing of it is written."""

    @pytest.mark.parametrize(
        ("write", "place"),
        [
            (lambda m: m.record("j", [ItemEvent("1", "succeed", _result(3_000))]), "$.text"),
            (lambda m: m.fire("j", "set_variables", {"variables": {"v": ["y" * 3_000]}}), "$.v[0]"),
            (lambda m: m.create_job({"a": {"b": "z" * 3_000}}, job_id="k"), "$.b"),
            (lambda m: m.create_job(["a"], job_id="k", variables={"w": "z" * 3_000}), "$.w"),
        ],
        ids=["result", "variables", "input", "first variables"],
    )
    def test_a_value_that_is_too_large_is_refused_and_named(
        self, store: StateStore, write: Callable[[StateManager], object], place: str
    ) -> None:
        """The error says whose it is, what in it is large, and the job stays as it was."""
        manager = _manager_of(store)
        before = manager.get_state("j")
        with pytest.raises(TooLarge) as error:
            write(manager)
        assert error.value.largest[0] == Large(place, 3_002)
        assert error.value.size_bytes > error.value.limit_bytes == 2_000
        assert f"{place} 3,002" in str(error.value)
        assert isinstance(error.value, ValueInvalid)
        assert StateManager(store).get_state("j") == before
        assert manager.job_ids() == ["j"]

    def test_a_refused_value_says_which_item_it_is_of(self, store: StateStore) -> None:
        """A refused value says which item it is of."""
        with pytest.raises(TooLarge, match="payload of 'succeed' of item '2', field 'result'"):
            _manager_of(store).record(
                "j", [ItemEvent("1", "skip"), ItemEvent("2", "succeed", _result(2_500))]
            )

    def test_a_commit_that_is_too_large_is_refused_and_its_values_named(
        self, store: StateStore
    ) -> None:
        """Each value is small enough, and all together are not: nothing of it is written."""
        manager = _manager_of(store)
        before = manager.get_state("j")
        events = [ItemEvent(n, "succeed", _result(1_900 - 100 * n)) for n in range(4)]
        with pytest.raises(TooLarge) as error:
            manager.record("j", events)
        assert error.value.largest[0].place == "succeed of item '0', result"
        assert [large.size_bytes for large in error.value.largest] == [1_917, 1_817, 1_717, 1_617]
        assert manager.get_state("j") == before
        assert manager.record("j", events[:2]).progress.done == 2

    def test_a_checkpoint_that_is_too_large_is_refused_and_its_parts_named(
        self, store: StateStore
    ) -> None:
        """Variables are what makes one large; the job goes on without it."""
        limits = Limits(checkpoint_max_bytes=700)
        manager = _manager_of(store, limits)
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
        self, store: StateStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """From the warning size on they are written, and logged with what is large in them."""
        limits = Limits(value_warn_bytes=100, commit_warn_bytes=300, checkpoint_warn_bytes=10)
        with caplog.at_level(logging.WARNING, "milepost.limits"):
            manager = _manager_of(store, limits)
            assert caplog.messages == []
            manager.record("j", [ItemEvent("1", "succeed", _result(200))])
            manager.record("j", [ItemEvent(n, "fail", _failure()) for n in (2, 3)])
            manager.create_checkpoint("j")
        value, *_, checkpoint = caplog.messages
        assert value.startswith(
            "value-large: payload of 'succeed' of item '1', field 'result' takes"
        )
        assert "$.text 202" in value
        assert any(
            told.startswith("commit-large: job j: one commit takes") for told in caplog.messages
        )
        assert checkpoint.startswith("checkpoint-large: job j: a checkpoint takes")

    def test_what_is_large_is_told_of_once_for_each_job(
        self, store: StateStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A run whose results are all large says so once, and so does the creation of a job."""
        limits = Limits(value_warn_bytes=100, commit_warn_bytes=300, checkpoint_warn_bytes=10)
        manager = _manager_of(store, limits)
        with caplog.at_level(logging.WARNING, "milepost.limits"):
            for n in range(4):
                manager.record("j", [ItemEvent(n, "succeed", _result(400))])
                manager.create_checkpoint("j")
        assert _told_of(caplog) == ["value-large", "commit-large", "checkpoint-large"]
        assert all(
            each.endswith("; the next of this job are not told of") for each in caplog.messages
        )

        with caplog.at_level(logging.WARNING, "milepost.limits"):
            manager.create_job({f"k{n}": "v" * 120 for n in range(5)}, job_id="other")
            manager.fire("other", "start_map")
            manager.record("other", [ItemEvent("k0", "start")])
            manager.record("other", [ItemEvent("k0", "succeed", _result(400))])
        assert _told_of(caplog) == ["value-large", "value-large", "commit-large"]

        other = StateManager(store, clock=FakeClock(), limits=limits)
        with caplog.at_level(logging.WARNING, "milepost.limits"):
            other.record("other", [ItemEvent("k1", "start")])
            other.record("other", [ItemEvent("k1", "succeed", _result(400))])
        assert _told_of(caplog) == ["value-large", "commit-large"]
        assert other.limits == limits

    def test_sizes_name_the_largest_values(self, store: StateStore) -> None:
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
