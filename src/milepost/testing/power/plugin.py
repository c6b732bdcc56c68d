"""A pytest plugin: the fixture `power`, and what was tried at the end of a run.

Name it in a conftest at the top, `pytest_plugins = ["milepost.testing.power.plugin"]`, or on the
command line, `-p milepost.testing.power.plugin`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milepost.testing.power.harness import Power
from milepost.testing.power.memory import folder_in_memory

__all__ = ["power", "pytest_terminal_summary"]

COUNTED = "counted"
"""The property of a test with what it counted: a list of what it is, and counts by name."""


@pytest.fixture
def power(tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[Power]:
    """Cuts the power and fails calls under code that uses SQLite through apsw.

    Failing images are left in `tmp_path`. What was tried is recorded as properties `counted`.
    MILEPOST_POWER names one case, as a failed test shows it, that is tried alone.
    """

    def counted(of: str, counts: dict[str, int]) -> None:
        record_property(COUNTED, [of, counts])

    again = os.environ.get("MILEPOST_POWER", "")
    with folder_in_memory(tmp_path / "power") as folder:
        yield Power(folder, kept=tmp_path, again=again, counted=counted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for what was tried by cutting, and one by failing, over all tests that passed."""
    totals: dict[str, Counter[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == COUNTED:
                of, counts = value
                totals.setdefault(of, Counter()).update(counts)
    for of, counts in sorted(totals.items()):
        said = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        terminalreporter.write_line(f"{of}: {said}")
