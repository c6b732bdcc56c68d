"""Which process this is, as far as forks go: what was made before a fork is told from what is new.

A child of a fork has copies of all that its parent had, but not its threads, nor its locks on
files. What holds any of these remembers where it was made.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["PROCESS", "here"]


class _Process:
    """The `token` of the process that runs; the child of a fork makes one of its own."""

    __slots__ = ("token",)

    def __init__(self) -> None:
        self.token = object()

    def renew(self) -> None:
        self.token = object()


PROCESS: Final = _Process()
"""Has the token that `here` gives, for what is asked of every write: a look costs no call."""

os.register_at_fork(after_in_child=PROCESS.renew)


def here() -> object:
    """The token of this process: the same object until a fork, and another in its child.

    Costs a call; to ask the system costs more.
    """
    return PROCESS.token
