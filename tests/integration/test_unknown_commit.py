"""After a commit whose outcome is unknown the log is read again before anything is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import CommitUnknown
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock


class Faulty:
    """A store whose next commit ends in an I/O error, having taken place or not."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.fault: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        fault, self.fault = self.fault, None
        if fault == "lost":
            with pytest.raises(KeyError), self.inner.writing(*jobs) as writer:
                yield writer
                raise KeyError("undo it")
        else:
            with self.inner.writing(*jobs) as writer:
                yield writer
        if fault:
            raise CommitUnknown(url="faulty:", problem="the outcome of a commit is unknown")

    appending = writing


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_the_caller_learns_what_became_of_its_commit(fault: str) -> None:
    """A commit that took place is acknowledged, one that did not is an error; both are true."""
    store = Faulty()
    manager = StateManager(store, clock=FakeClock())
    manager.create_job(["a"], job_id="j")
    manager.fire("j", "start_map")
    store.fault = fault
    if fault == "kept":
        state = manager.record("j", [ItemEvent("a", "start")])
        assert state.progress.running == 1
    else:
        with pytest.raises(CommitUnknown, match="nothing of it was written"):
            manager.record("j", [ItemEvent("a", "start")])
    assert manager.get_state("j").progress.running == (fault == "kept")
    other = StateManager(store, clock=FakeClock())
    assert other.get_state("j") == manager.get_state("j")
    assert manager.verify("j")[0].sound
