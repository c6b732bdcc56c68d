"""One browser and one store for all that is looked at here, and a page of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser

from milepost import StateManager
from milepost.testing import FakeClock
from tests.web.browser.chromium import launched, needed
from tests.web.browser.furnished import furnished, served
from tests.web.browser.watched import Watched

Look: TypeAlias = Callable[..., Watched]
"""Opens a page of its own, with the options of a browser's context."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed before other tests go on in this process: its event loop bars theirs."""
    with launched(needed()) as browser:
        yield browser


@pytest.fixture(scope="package")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages of a store are that nobody writes to. Not set up without a browser."""
    clock = FakeClock()
    store = furnished(tmp_path_factory.mktemp("furnished"), clock)
    with (
        StateManager.open(store, create=False, read_only=True, clock=clock) as manager,
        served(manager, clock) as address,
    ):
        yield address


@pytest.fixture
def unwatched(browser: Browser) -> Iterator[Look]:
    """Opens pages whose faults the test looks at itself."""
    opened: list[Watched] = []

    def look(address: str, **context: Any) -> Watched:
        opened.append(Watched(browser, address, **context))
        return opened[-1]

    yield look
    for each in opened:
        each.close()


@pytest.fixture
def look(unwatched: Look) -> Iterator[Look]:
    """Opens pages of which the browser must have nothing to complain in the end."""
    opened: list[Watched] = []

    def look(address: str, **context: Any) -> Watched:
        opened.append(unwatched(address, **context))
        return opened[-1]

    yield look
    assert [fault for each in opened for fault in each.faults] == []
