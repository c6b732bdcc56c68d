"""How well counts tell what work costs: both, of this code and of another revision.

`python bench/tracking.py --against REV` counts each piece of work of `make bench-quick` under both,
and takes the least processor time of a few runs of each. A line shows what the times became, and
what each count became; the correlations below are those of the logarithms.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from before import ROOT, newest_with_budgets, worktree
from quick import CHILD, COMMANDS
from starting import environment
from workloads import WORKLOADS

COUNTERS: Final = ("instructions", "calls", "steps", "written")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is named")
    parser.add_argument("--against", metavar="REV", default=newest_with_budgets())
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    names = args.names or [*COMMANDS, *WORKLOADS]
    with (
        worktree(args.against) as before,
        tempfile.TemporaryDirectory(prefix="milepost-tracking-") as folder,
    ):
        sources = {ROOT / "src": Path(folder) / "now", before: Path(folder) / "then"}
        for source, store in sources.items():
            store.mkdir()
            _ran(source, store, "build")
            _ran(source, store, "command", *COMMANDS["show"])  # compiles it, if nothing has yet
        found = {name: _found(name, sources, args.rounds) for name in names}
    print("what       " + "".join(f"{each:>14}" for each in ("processor", *COUNTERS)))
    for name, (now, then) in found.items():
        print(
            f"{name:11}" + "".join(f"{_ratio(now, then, each):>14}" for each in ("us", *COUNTERS))
        )
    for counter in COUNTERS[:2]:
        every = [each for pair in found.values() for each in pair]
        print(f"processor time with {counter}: r = {_correlation(every, counter):.3f}", end="")
        moved = [
            {key: now[key] / then[key] for key in ("us", counter)} for now, then in found.values()
        ]
        print(f"; what both became: r = {_correlation(moved, counter):.3f}")
    return 0


def _found(name: str, sources: dict[Path, Path], rounds: int) -> list[dict[str, float]]:
    """Of each source, what was counted and the least processor time, by turns."""
    found = [
        dict.fromkeys(COUNTERS, 0.0) | _child("counted", name, source, store) | {"us": math.inf}
        for source, store in sources.items()
    ]
    for _ in range(rounds):
        for of_source, (source, store) in zip(found, sources.items(), strict=True):
            of_source["us"] = min(of_source["us"], _child("timed", name, source, store)["us"])
    return found


def _child(how: str, name: str, source: Path, store: Path) -> dict[str, float]:
    if name in COMMANDS:
        kind = "command" if how == "counted" else "timed-command"
        return _ran(source, store, kind, *COMMANDS[name])
    kind = "workload" if how == "counted" else "timed"
    with tempfile.TemporaryDirectory(dir=store) as folder:
        units = str(WORKLOADS[name].units)
        return _ran(source, Path(folder), kind, name, str(store / "jobs.db"), units)


def _ran(source: Path, folder: Path, *words: str) -> dict[str, float]:
    env = environment() | {"PYTHONPATH": str(source), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, CHILD, *words], check=True, capture_output=True, cwd=folder, env=env
    )
    counts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return counts


def _ratio(now: dict[str, float], then: dict[str, float], key: str) -> str:
    return f"{now[key] / then[key]:.3f}" if then[key] else "-"


def _correlation(found: list[dict[str, float]], counter: str) -> float:
    return statistics.correlation(
        [math.log(each["us"]) for each in found], [math.log(each[counter]) for each in found]
    )


if __name__ == "__main__":
    sys.exit(main())
