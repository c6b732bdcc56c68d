"""The two distributions of this repository, built once for all tests of a session."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Distributions:
    """What is uploaded of a version."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Those in the folder that MILEPOST_DIST names, or new ones: the wheel is made of the sdist."""
    given = os.environ.get("MILEPOST_DIST")
    folder = Path(given).resolve() if given else _built(tmp_path_factory.getbasetemp())
    (sdist,) = folder.glob("milepost-*.tar.gz")
    (wheel,) = folder.glob("milepost-*.whl")
    return Distributions(sdist, wheel)


def _built(base: Path) -> Path:
    """A folder with both. Processes that share the session's tests share it: the first builds."""
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "dist"
    with (shared / "dist.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder))
            subprocess.run((*command, str(ROOT)), check=True, capture_output=True, timeout=120)
    return folder
