"""No work does much more than in the stored build, and more by a ninth part would be found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = Path(__file__).resolve().parents[2] / "bench" / "quick.py"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CHANGING = ["step", "record", "batch"]
"""Work in memory, alone on disk, and many at once."""


def quick(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, QUICK, *map(str, words)], check=False, capture_output=True, text=True
    )


def test_no_count_rose_over_those_of_the_stored_build():
    done = quick()

    if "no counts are stored" in done.stdout:
        assert not os.environ.get("CI"), done.stdout
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no count rose" in done.stdout


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What these pieces of work take now."""
    path = tmp_path_factory.mktemp("counts") / "counts.json"
    done = quick("--update", "--stored", path, *CHANGING)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def test_a_cost_of_eleven_hundredths_more_is_found_in_each(stored: Path):
    done = quick("--planted", 0.11, "--stored", stored, *CHANGING)

    assert done.returncode == 1, done.stdout
    for name in CHANGING:
        assert f"rose  {name}: instructions" in done.stdout
        assert f"rose  {name}: calls" in done.stdout
    assert "rose  record: writes" in done.stdout
    assert "rose  record: syncs" in done.stdout


def test_a_cost_of_nine_hundredths_more_is_let_pass(stored: Path):
    done = quick("--planted", 0.09, "--stored", stored, *CHANGING)

    assert done.returncode == 0, done.stdout
    assert "no count rose" in done.stdout


def test_what_fell_is_to_be_stored_and_is_no_failure(stored: Path):
    done = quick("--planted", -0.11, "--stored", stored, "step")

    assert done.returncode == 0, done.stdout
    assert "fell  step: instructions" in done.stdout
    assert "make bench-quick UPDATE=1" in done.stdout


def test_a_version_of_python_that_nothing_is_stored_for_is_named(stored: Path, tmp_path: Path):
    counts = json.loads(stored.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"2.7": counts[PYTHON]}))

    done = quick("--stored", other)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"no counts are stored for Python {PYTHON}, only for 2.7" in done.stdout
