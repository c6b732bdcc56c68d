"""A process in which DBOS runs steps when it is told to: `dbos_steps.py` says how, by its words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["CHILD", "DbosProcess"]

CHILD: Final = Path(__file__).with_name("dbos_steps.py")


class DbosProcess:
    """Begun with the `words` of the child; `settings` are those of its database."""

    def __init__(self, *words: str | Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, CHILD, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.settings: dict[str, Any] = self._answer()

    def run(self, count: int, workflows: int) -> float:
        """What one of `count` steps takes in each of so many workflows that run at once, in µs."""
        stream: IO[str] | None = self._process.stdin
        assert stream is not None
        stream.write(f"{count} {workflows}\n")
        stream.flush()
        return float(self._answer())

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())
