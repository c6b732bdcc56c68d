"""What is counted here is said as it is of files."""

from __future__ import annotations

from tests.crash.power.conftest import counted

__all__ = ["counted"]
