"""A store whose user dies at one of its commits: just before it, just after, or not knowing."""

from __future__ import annotations

from typing import Literal, TypeAlias

from milepost.errors import CommitUnknown
from milepost.testing.watching import Transaction

How: TypeAlias = Literal["before", "after", "unknown"]


class Died(Exception):
    """The process is gone."""


class Fate:
    """The watch of the store, or of several, whose so manieth commit is their user's last."""

    def __init__(self, nth: int, how: How) -> None:
        self.left, self.how = nth, how

    def reads(self) -> None: ...

    def read(self, seen: tuple[tuple[int, int, bytes], ...]) -> None: ...

    def begins(self) -> None: ...

    def commits(self, made: Transaction) -> None:
        self.left -= 1
        if self.left == 0 and self.how == "before":
            raise Died

    def committed(self, made: Transaction) -> None:
        if self.left == 0 and self.how == "unknown":
            raise CommitUnknown(url="dying:", problem="it may have taken place")
        if self.left == 0:
            raise Died

    def failed(self, made: Transaction | None, error: BaseException) -> None: ...
