"""A pytest plugin: at the end of a run, a line for what was covered of each lifecycle.

A case of `lifecycle_machine` brings it along. With pytest-xdist it has to be named, in a conftest
at the top or by `-p`: tests run in other processes than the one that says how they ended.
"""

from __future__ import annotations

import sys
from typing import Final

import pytest

__all__ = ["COVERED", "is_shown", "pytest_terminal_summary"]

COVERED: Final = "covered"
"""The property of a test with the line that says what it covered."""


def is_shown(config: pytest.Config) -> bool:
    """True if this run shows such properties at its end, from here on."""
    if hasattr(config, "workerinput") or not config.pluginmanager.has_plugin("terminalreporter"):
        return False
    if not config.pluginmanager.has_plugin(__name__):
        config.pluginmanager.register(sys.modules[__name__], __name__)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each lifecycle whose traces were all taken."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == COVERED:
                terminalreporter.write_line(str(value))
