"""All targets, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.fuzz.calls import CALLS
from tests.fuzz.commands import COMMANDS
from tests.fuzz.definitions import DEFINITIONS
from tests.fuzz.old_jobs import OLD_JOBS
from tests.fuzz.old_stores import OLD_STORES
from tests.fuzz.rows import ROWS
from tests.fuzz.target import Target

__all__ = ["TARGETS"]

TARGETS: Final[Mapping[str, Target]] = {
    one.name: one for one in (DEFINITIONS, ROWS, OLD_JOBS, OLD_STORES, COMMANDS, CALLS)
}
