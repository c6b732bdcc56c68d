"""The story's store, and a command line whose clock stands still."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from milepost.cli import main
from milepost.testing import FakeClock
from tests.integration.cli.story import tell


@dataclass(frozen=True)
class CommandLine:
    """Runs `milepost` in this process, on one store, at one time."""

    store: Path
    clock: FakeClock

    def __call__(self, *args: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(
            main, args, obj=self.clock, env={"MILEPOST_DB": str(self.store)}, terminal_width=80
        )
        assert result.exit_code == exit_code, result.output
        assert "Traceback" not in result.output
        return result

    def json(self, *args: str, exit_code: int = 0) -> dict[str, Any]:
        """The answer to `args` in JSON, whose schema must be that of the command."""
        stdout = self(*args, "--json", exit_code=exit_code).stdout
        answer: dict[str, Any] = json.loads(stdout)
        assert answer["schema"] == f"milepost.{args[0]}/1"
        assert stdout == json.dumps(answer, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Path:
    return tell(tmp_path, clock)


@pytest.fixture
def held(tmp_path: Path, clock: FakeClock) -> CommandLine:
    """The story's store while the lease of `nightly` runs."""
    folder = tmp_path / "held"
    folder.mkdir()
    return CommandLine(store=tell(folder, clock, silent_s=5), clock=clock)


@pytest.fixture
def milepost(store: Path, clock: FakeClock) -> CommandLine:
    return CommandLine(store=store, clock=clock)
