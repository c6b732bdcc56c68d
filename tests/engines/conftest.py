"""The engines that the script of trouble is run on: each started once, and closed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .places import EVERY, SOAKED, Place, opened


@pytest.fixture(scope="session", params=(*EVERY, *SOAKED))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with opened(request.param) as found:
        yield found
