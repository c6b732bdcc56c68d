"""What every part of the contract begins with: a store that nobody has used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol, cast

import pytest

from milepost.state.persistence import open_store
from milepost.stores.protocol import StateStore
from milepost.testing.clock import FakeClock
from milepost.testing.contracts.patience import bounded
from milepost.testing.contracts.stores.turns import Turns, TurnsOf

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

    patience_s: ClassVar[float] = 120.0
    """Seconds in which no reader and no writer begins or ends, after which a test is ended: they
    wait for each other."""

    @pytest.fixture(autouse=True)
    def _bounded(self, request: pytest.FixtureRequest) -> Iterator[Turns]:
        """Ends a test in which one waits for ever, and says who waits and who is at work."""
        turns = Turns()
        with bounded(request.node.name, self.patience_s, lambda: turns.count, turns.told):
            yield turns

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
    def store(self, opener: Opener, request: pytest.FixtureRequest) -> Iterator[StateStore]:
        """The store, opened once and closed at the end of the test."""
        store = opener()
        yield cast("StateStore", TurnsOf(store, request.getfixturevalue("_bounded")))
        store.close()

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock that the managers of a test share."""
        return FakeClock()

    def need_sharing(self) -> None:
        """Skip the test where nobody else can open the store."""
        if not self.shared:
            pytest.skip("nobody else can open it: shared is False")
