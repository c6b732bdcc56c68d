"""What passes on all that a store is asked, for those that break one thing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from milepost import StateStore
from milepost.stores.memory import MemoryStore
from milepost.testing.contracts import Opener, StoreContract

__all__ = ["InMemory", "Passing", "TestPassing"]


class Passing:
    """What passes on all that it is asked: a reader, a writer, or a store that has such."""

    reader: Any = staticmethod(lambda inner: inner)
    writer: Any = staticmethod(lambda inner: inner)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        with self.inner.reading() as reader:
            yield self.reader(reader)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self.inner.writing(*jobs) as writer:
            yield self.writer(writer)

    @contextmanager
    def appending(self, *jobs: str) -> Iterator[Any]:
        with self.inner.appending(*jobs) as writer:
            yield self.writer(writer)


class InMemory(StoreContract):
    """A store in memory, with a reader or a writer that is broken, or broken as a whole."""

    shared = False
    reader: type[Passing] = Passing
    writer: type[Passing] = Passing
    store_kind: type[Passing] = Passing

    @pytest.fixture
    def opener(self) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            del read_only
            store: Any = self.store_kind(MemoryStore())
            store.reader, store.writer = self.reader, self.writer
            return store

        return opened


class TestPassing(InMemory):
    """The control of the controls: what only passes on keeps every promise."""
