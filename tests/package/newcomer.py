"""Somebody who has a Python, an empty folder and the pages, and types what the pages say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

__all__ = ["Newcomer"]

_OURS: Final = re.compile(r"(?m)^pip install '?milepost(\[\w+\])?'?")
_OF_THE_TESTS: Final = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "COV_", "MILEPOST_", "PYENV_")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An environment that has pip and nothing else, and a folder to work in."""

    folder: Path
    environment: Path
    wheel: Path

    @classmethod
    def of(cls, python: Path, wheel: Path, place: Path) -> Newcomer:
        """A new one in `place`, who has `python`, and gets `wheel` in the place of an index's."""
        folder = place / "work"
        folder.mkdir()
        made = cls(folder, place / "environment", wheel)
        subprocess.run(
            [str(python), "-m", "venv", str(made.environment)],
            env=made.variables(),
            check=True,
            capture_output=True,
            timeout=120,
        )
        return made

    def variables(self) -> dict[str, str]:
        """Variables of an activated environment; none of them leads to this repository."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_OF_THE_TESTS)}
        path = os.pathsep.join((str(self.environment / "bin"), os.environ["PATH"]))
        return {**kept, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "2"}

    def started(self, line: str) -> subprocess.Popen[str]:
        """The process of one line of shell; the line's last command is the process itself."""
        return subprocess.Popen(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def typed(self, line: str, returns: int = 0) -> subprocess.CompletedProcess[str]:
        """What one line of shell told. Its exit code is `returns`, or the test has failed."""
        process = self.started(line)
        out, err = process.communicate(timeout=300)
        assert process.returncode == returns, f"$ {line}\n{out}\n{err}"
        return subprocess.CompletedProcess(line, process.returncode, out, err)

    def install(self, line: str) -> None:
        """Type `pip install milepost…`, and `pip check`.

        Where no index can be asked, the test is skipped; never where `CI` is set.
        """
        told, count = _OURS.subn(lambda found: f"pip install '{self.wheel}{found[1] or ''}'", line)
        assert count == 1, line
        process = self.started(told)
        out, err = process.communicate(timeout=300)
        if process.returncode and not os.environ.get("CI") and not self._reaches_an_index():
            pytest.skip("no package index can be reached, and a fresh environment needs one")
        assert process.returncode == 0, f"$ {told}\n{out}\n{err}"
        self.typed("pip check")

    def _reaches_an_index(self) -> bool:
        """Whether pip finds a package of others that is surely there."""
        asked = self.started("pip download --quiet --no-deps --no-cache-dir --dest asked click")
        asked.communicate(timeout=300)
        return asked.returncode == 0

    def seen(self, line: str) -> object:
        """What a line of shell answered as JSON."""
        return json.loads(self.typed(line).stdout)
