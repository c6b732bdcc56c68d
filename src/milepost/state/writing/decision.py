"""What is asked of a log: a decision on the state as it stands at the moment of writing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec

from milepost.errors import MilepostError
from milepost.job.state import JobState
from milepost.log.facts import Draft
from milepost.state.reading.loading import JobLog
from milepost.state.writing.observing import Observer
from milepost.stores.protocol import Writer

__all__ = ["Decision", "Joinable", "Moment", "RefusedWithRecord"]


class Moment(msgspec.Struct, frozen=True):
    """The moment of a decision: the job as it stands under the write lock, and the time.

    `committed` is the state at the newest row; `state` also has what others add to this commit,
    which is `pending`. The `observer` tells which holders are alive.
    """

    writer: Writer
    log: JobLog
    committed: JobState
    state: JobState
    now_us: int
    observer: Observer
    pending: Sequence[Draft] = ()


Decision: TypeAlias = Callable[[Moment], Iterable[Draft]]
"""Gives the facts to append, or raises; it may write what is derived through the writer, last."""


class Joinable(ABC):
    """A decision that can be taken with others of its kind, as if one caller had asked for all.

    Joined they must give what they would give one after the other, or refuse.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def kind(self) -> object:
        """Equal for decisions that can be joined; None for one that stands alone."""

    @abstractmethod
    def joined(self, others: Sequence[Decision]) -> Decision:
        """The decision that wants all of it, in order. `others` are of the same kind."""

    @abstractmethod
    def __call__(self, moment: Moment) -> Iterable[Draft]:
        """As a Decision."""


class RefusedWithRecord(Exception):
    """A decision's way to refuse and yet leave a fact in the log: the caller gets `error`."""

    def __init__(self, error: MilepostError, draft: Draft) -> None:
        self.error = error
        self.draft = draft
        super().__init__(error, draft)
