"""A lifecycle of anybody's taken through a store: every trace of it first, then random rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milepost.lazy import loaded_when_used

if TYPE_CHECKING:
    from milepost.testing.lifecycle.cases import lifecycle_machine

# What differs is said by the asserts themselves, on both sides.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("cases", "looking", "rules", "touring"))
)

__all__ = ["lifecycle_machine"]

__getattr__, __dir__ = loaded_when_used(
    __name__,
    {
        "lifecycle_machine": "milepost.testing.lifecycle.cases",
    },
)
