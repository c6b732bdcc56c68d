"""Run as a process of its own: imports Milepost, plans a recovery if given a store, and reports."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

from milepost import StateManager

COLD: Final = Path(__file__)


def peak_bytes() -> int:
    """The most memory that this process has had. ru_maxrss also counts the one it came from."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(path: str | None = None, job_id: str = "", reads: str = "") -> None:
    began = perf_counter()
    parts = {}
    if path is not None:
        with StateManager.open(path, create=False) as manager:
            plan = manager.recover_from_checkpoint(job_id)
            parts = {name: len(keys) for name, keys in plan.parts.items()}
            if reads == "results":
                assert sum(1 for _ in manager.results(job_id)) == parts["done"]
    taken_s = perf_counter() - began
    print(json.dumps({"taken_s": taken_s, "peak_bytes": peak_bytes(), "parts": parts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
