"""The store of one example: two managers on it, crashes, and a second process that reads it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from milepost.machine import Lifecycle
from milepost.state.manager import StateManager
from milepost.state.persistence import open_store
from milepost.stores.memory import MemoryStore
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock

__all__ = ["MakeStore", "Place", "in_memory"]

MakeStore: TypeAlias = Callable[[], str | StateStore]
"""Makes an empty store: its URL, or the store itself."""


class Place:
    """Where the jobs of one example are kept: a context, which leaves no files behind.

    `makes` has what makes it, or nothing for a file of SQLite in a folder of its own. A crash of
    those leaves the files as they are at that moment, without what processes still hold. Of any
    other store the managers are dropped: what it has acknowledged is all that there is.
    """

    def __init__(
        self, makes: Sequence[MakeStore], lifecycle: Lifecycle, earlier: Sequence[Lifecycle] = ()
    ) -> None:
        self.clock = FakeClock()
        self._lifecycle, self._earlier = lifecycle, earlier
        self._root = Path(tempfile.mkdtemp(prefix="milepost-lifecycle-"))
        self._crashes = 0
        self._made: StateStore | None = None
        self._on_files = not makes
        if not makes:
            (self._root / "0").mkdir()
            self.url = str(self._root / "0" / "jobs.db")
        else:
            made = makes[0]()
            if made is None:
                raise TypeError("the function that makes a store gave None: give its URL, or it")
            if not isinstance(made, str):
                self._made = made
            self.url = made if isinstance(made, str) else made.url

    @property
    def is_read_by_others(self) -> bool:
        """True if a second process can open it."""
        return self._made is None

    def manager(self, *, lifecycle: Lifecycle | None = None) -> StateManager:
        """Another manager on it."""
        of = lifecycle or self._lifecycle
        earlier = () if lifecycle else self._earlier
        if self._made is not None:
            return StateManager(self._made, lifecycle=of, earlier=earlier, clock=self.clock)
        return StateManager.open(
            self.url, durability="process", lifecycle=of, earlier=earlier, clock=self.clock
        )

    def read_only(self) -> StateManager | None:
        """A manager that may not write; None where the store is this process's own."""
        if self._made is not None:
            return None
        return StateManager.open(
            self.url,
            read_only=True,
            lifecycle=self._lifecycle,
            earlier=self._earlier,
            clock=self.clock,
        )

    def close_manager(self, manager: StateManager) -> None:
        """Close a manager, but not the store of others in this process."""
        if self._made is None:
            manager.close()

    def crash(self) -> None:
        """From here on it is what a crash of all processes leaves now."""
        self._crashes += 1
        if not self._on_files:
            return
        source, folder = Path(self.url), self._root / str(self._crashes)
        folder.mkdir()
        for suffix in ("", "-wal"):
            file = source.with_name(source.name + suffix)
            if file.exists():
                shutil.copy(file, folder / file.name)
        self.url = str(folder / source.name)

    def fold(self, fold: Callable[[StateStore], object]) -> object:
        """What `fold` makes of the store, opened anew where it can be."""
        if self._made is not None:
            return fold(self._made)
        with closing(open_store(self.url, read_only=True, create=False)) as store:
            return fold(store)

    def remove(self) -> None:
        """Remove its files."""
        shutil.rmtree(self._root, ignore_errors=True)


def in_memory() -> StateStore:
    """A store of this process alone."""
    return MemoryStore()
