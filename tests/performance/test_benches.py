"""Benchmarks can be run: what they measure is there, and still answers as they call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"
SHORT = [
    "steps",
    "imports",
    "starting",
    "records",
    "statements",
    "measuring",
    "batches",
    "large",
    "servers",
    "whole",
]
"""Those that need no large store, no engine and no peer that the tests do not have."""


def brief(*names: str) -> subprocess.CompletedProcess[str]:
    """One round of one turn of each; its figures say nothing."""
    return subprocess.run(
        [sys.executable, BENCH / "run.py", "--json", *names],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MILEPOST_BENCH_BRIEF": "1"},
    )


def test_short_benchmarks_measure_what_they_name():
    done = brief(*SHORT)

    assert done.returncode == 0, done.stderr
    benches = json.loads(done.stdout)["benches"]
    assert list(benches) == SHORT
    for name, figures in benches.items():
        assert figures, name
        assert all(figure["rounds"] >= 1 for figure in figures), name


def test_every_benchmark_can_be_loaded_and_is_offered():
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "no-such"], check=False, capture_output=True, text=True
    )

    assert done.returncode == 2
    offered = done.stderr.split("there are ")[1].split(", ")
    assert {each.strip() for each in offered} >= {*SHORT, "growth", "peers", "engines"}


def test_a_benchmark_whose_subject_wants_more_than_it_gives_fails(tmp_path: Path):
    copied = tmp_path / "bench"
    copied.mkdir()
    for source in BENCH.glob("*.py"):
        (copied / source.name).write_text(source.read_text().replace('"permanent"', '"gone"'))

    done = subprocess.run(
        [sys.executable, copied / "run.py", "--json", "steps"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MILEPOST_BENCH_BRIEF": "1"},
    )

    assert done.returncode != 0
    assert "KeyError: 'permanent'" in done.stderr
