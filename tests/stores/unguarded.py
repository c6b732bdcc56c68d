"""A store as it was without its guard: what the tests of the guard hold it against."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from milepost import StateManager
from milepost.stores.sqlite.guard import Guard
from milepost.stores.sqlite.store import SqliteStore
from milepost.stores.sqlite.waiting import Patience

__all__ = ["Unguarded", "opened"]


class Unguarded:
    """A guard that keeps nothing and sees nothing."""

    def __init__(self, path: str, url: str, *, read_only: bool) -> None:
        self.has_log = True

    def hold(self, patience: Patience) -> None:
        pass

    def watch(self) -> None:
        pass

    def in_place(self) -> bool:
        return True

    def look(self, *, committed: bool = False) -> None:
        pass

    def reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def take_turn(self, patience: Patience) -> None:
        pass

    def keep_log(self) -> bool:
        return True

    def leave_log(self) -> None:
        pass

    def leave_turn(self) -> None:
        pass

    def give_turn(self) -> None:
        pass

    def loosen(self) -> None:
        pass

    def close(self) -> None:
        pass


def opened(path: Path, *, guarded: bool) -> StateManager:
    """A manager on the file, made if it is not there."""
    return StateManager(SqliteStore(path, guard=Guard if guarded else Unguarded))
