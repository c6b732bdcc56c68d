"""What is mutated, and the tests that are to notice: fast ones, most of them in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CONTROL", "MODULES", "TESTS"]

MODULES: Final = (
    "milepost.machine",
    "milepost.job.fold",
    "milepost.state.recovering.scope",
    "milepost.state.writing.append",
    "milepost.state.recovery",
)

CONTROL: Final = "tests.mutants.control.shipping"
"""A module of which it is known what is noticed: else nobody knew whether the tool can tell."""

_OF_INVARIANTS: Final = (
    "tests/integration/invariants/test_histories.py",
    "tests/integration/invariants/test_logs.py",
    "tests/integration/invariants/test_refused.py",
    "tests/integration/invariants/test_runs.py",
)
_OF_LIFECYCLES: Final = (
    "tests/generated",
    "tests/integration/lifecycles",
    "tests/integration/integers",
    *_OF_INVARIANTS,
    "tests/integration/shapes",
    "tests/unit/compiler/test_typed_states.py",
    "tests/unit/compiler/test_generated.py",
)
_OF_JOBS: Final = (
    "tests/integration/recovery",
    "tests/integration/shapes",
    *_OF_INVARIANTS,
    "tests/integration/upgrades",
    "tests/integration/test_additions.py",
    "tests/integration/test_forged_logs.py",
    "tests/integration/test_grown.py",
    "tests/integration/test_leases.py",
    "tests/integration/test_redo.py",
    "tests/integration/test_refused_events.py",
    "tests/integration/test_skipping.py",
    "tests/integration/test_travel.py",
    "tests/stateful/test_scopes.py",
    "tests/stateful/test_tour.py",
)

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "milepost.machine": _OF_LIFECYCLES,
    "milepost.job.fold": _OF_JOBS,
    "milepost.state.recovering.scope": _OF_JOBS,
    "milepost.state.writing.append": (
        *_OF_JOBS,
        "tests/integration/test_interrupted.py",
        "tests/integration/test_kept_states.py",
        "tests/integration/test_same_again.py",
        "tests/integration/test_two_writers.py",
        "tests/integration/test_unknown_commit.py",
        "tests/unit/test_group_commit.py",
    ),
    "milepost.state.recovery": _OF_JOBS,
    CONTROL: ("tests/mutants/control/checks.py",),
}
