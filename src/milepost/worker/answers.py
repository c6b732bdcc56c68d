"""The answer of a worker before a run sends it items: its versions, once it read what it got."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

__all__ = ["Answer", "answer"]


class Answer(NamedTuple):
    """Versions of this package, empty where it was not installed as one, and of Python."""

    milepost: str
    python: str


def answer(*sent: object) -> Answer:
    """The versions here. `sent` has been read by then, which is what is asked."""
    del sent
    try:
        found = version("milepost")
    except PackageNotFoundError:
        found = ""
    return Answer(found, platform.python_version())
