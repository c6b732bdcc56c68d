"""What every part of the contract begins with: a store that nobody has used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

import pytest

from milepost.state.persistence import open_store
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock

__all__ = ["OpenedStore", "Opener"]


class Opener(Protocol):
    """Opens the store of a test: the same one, however often it is called."""

    def __call__(self, *, read_only: bool = False) -> StateStore:
        """The store, for a caller who closes it; made by the first call that may write."""
        ...


class OpenedStore:
    """The fixtures of a contract of a store. It has no tests."""

    shared: ClassVar[bool] = True
    """True if what one opener wrote is there for another, and once all of them have closed."""

    @pytest.fixture
    def store_url(self) -> str:
        """The URL of a store that nobody has used: of whoever derives from this class."""
        pytest.fail(f"{type(self).__name__} has no fixture store_url: the URL of an unused store")

    @pytest.fixture
    def opener(self, store_url: str) -> Opener:
        """Opens the store at `store_url`, as `StateManager.open` does."""

        def opened(*, read_only: bool = False) -> StateStore:
            return open_store(store_url, create=not read_only, read_only=read_only)

        return opened

    @pytest.fixture
    def store(self, opener: Opener) -> Iterator[StateStore]:
        """The store, opened once and closed at the end of the test."""
        store = opener()
        yield store
        store.close()

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock that the managers of a test share."""
        return FakeClock()

    def need_sharing(self) -> None:
        """Skip the test where nobody else can open the store."""
        if not self.shared:
            pytest.skip("nobody else can open it: shared is False")
