"""Suites that whoever writes a store or an executor runs on theirs: pytest classes with fixtures.

Derive a class from one in a test module, and give its fixture. What fails says what was expected
and what there was: pytest is told to rewrite the asserts of the suites before they are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.testing.contracts.executors.contract import ExecutorContract, Work
    from milepost.testing.contracts.executors.engines import EngineContract
    from milepost.testing.contracts.stores.contract import StoreContract
    from milepost.testing.contracts.stores.opened import Opener

pytest.register_assert_rewrite(f"{__name__}.executors", f"{__name__}.stores")

__all__ = ["EngineContract", "ExecutorContract", "Opener", "StoreContract", "Work"]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "EngineContract": "milepost.testing.contracts.executors.engines",
        "ExecutorContract": "milepost.testing.contracts.executors.contract",
        "Opener": "milepost.testing.contracts.stores.opened",
        "StoreContract": "milepost.testing.contracts.stores.contract",
        "Work": "milepost.testing.contracts.executors.contract",
    },
)
