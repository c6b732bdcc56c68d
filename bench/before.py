"""What a durable record, a step and a plan cost now, as multiples of another revision's costs.

`python bench/before.py --against REV` takes REV in a worktree of its own and lets processes of
both take turns, in thin slices, each on a store of its own in the same folder. Wall time has the
disk and the neighbours in it, processor time has not: read both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from pairing import Figure, Settings, at_most, ratios

ROOT: Final = Path(__file__).resolve().parents[1]
CHILD: Final = Path(__file__).with_name("before_child.py")
WARM_UP_S: Final = 4.0  # a folder counts as quiet three seconds after what was made in it
BUDGET: Final = at_most(1.05)

BEFORE: Final = ("before-issue-14", "0aa0a1a")
"""The build that the budgets are set against: by its tag, or by its commit in a clone without."""

SUBJECTS: Final = {
    "full": ("one record, full", "full", "alone"),
    "process": ("one record, process", "process", "alone"),
    "coroutines": ("64 coroutines, full", "full", "awaited"),
    "steps": ("one step of an item", "process", "stepped"),
    "plans": ("one recovery plan of 10,000 items", "process", "planned"),
}
"""What is measured: its name in the table, the durability, and what a turn does."""
LESS: Final = {("full", "processor time"): at_most(0.45)}
"""Where more is asked than that nothing got dearer."""


class Cost(NamedTuple):
    """Of one turn's record, step or plan, in microseconds: wall time, and processor time."""

    wall_us: float
    processor_us: float


class Recorder:
    """A process that imports `milepost` from `source` and takes a turn when it is told to."""

    def __init__(self, source: Path, store: Path, durability: str, how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, CHILD, store, durability, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(source)},
        )
        imported = Path(self._answer())
        assert imported.is_relative_to(source), f"{imported} is not of {source}"

    def measure(self) -> Cost:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Cost(*json.loads(self._answer()))

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> int:
    args = _arguments(sys.argv[1:])
    with (
        tempfile.TemporaryDirectory(prefix="milepost-bench-", dir=args.folder) as folder,
        worktree(args.against) as before,
    ):
        for subject in args.names or SUBJECTS:
            for figure in _figures(subject, before, Settings(folder=Path(folder)), args):
                print(_line(figure), flush=True)
    return 0


def figures(settings: Settings) -> Iterator[Figure]:
    """Of each subject, against the build that the budgets are set against."""
    args = _arguments(["--pairs", "2", "--rounds", "10"])  # by itself it takes five minutes
    with worktree(args.against) as before:
        for subject in SUBJECTS:
            yield from _figures(subject, before, settings, args)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SUBJECTS))
    parser.add_argument("--against", metavar="REV", help="a revision; the newest with a budget")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slices", type=int, default=6, help="turns of each in a round")
    parser.add_argument("--pairs", type=int, default=3, help="how often both begin anew")
    parser.add_argument("--folder", type=Path, help="measure on the file system of this folder")
    args = parser.parse_args(words)
    args.against = args.against or newest_with_budgets()
    for name in args.names:
        if name not in SUBJECTS:
            parser.error(f"there is no {name!r}: there are {', '.join(SUBJECTS)}")
    return args


def newest_with_budgets() -> str:
    """The first of BEFORE that this clone knows."""
    for revision in BEFORE:
        known = [
            "git",
            "-C",
            str(ROOT),
            "rev-parse",
            "--quiet",
            "--verify",
            f"{revision}^{{commit}}",
        ]
        if subprocess.run(known, check=False, stdout=subprocess.DEVNULL).returncode == 0:
            return revision
    raise SystemExit(f"none of {', '.join(BEFORE)} is in this clone: say --against REV")


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """The folder to import `milepost` from as it was at `revision`."""
    with tempfile.TemporaryDirectory(prefix="milepost-before-") as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", tree, revision], check=True)
        try:
            yield tree / "src"
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)


def _figures(
    subject: str, before: Path, settings: Settings, args: argparse.Namespace
) -> Iterator[Figure]:
    """By wall time and by processor time."""
    name, durability, how = SUBJECTS[subject]
    now: list[Cost] = []
    then: list[Cost] = []
    for pair in range(args.pairs):
        with ExitStack() as stack:
            both = [
                Recorder(source, _store(settings, f"{subject}-{pair}-{age}"), durability, how)
                for age, source in (("now", ROOT / "src"), ("then", before))
            ]
            for recorder in both:
                stack.callback(recorder.close)
            warm_at = time.monotonic() + WARM_UP_S
            while time.monotonic() < warm_at:
                _round(both, 1)
                time.sleep(WARM_UP_S / 20)
            for costs in (_round(both, args.slices) for _ in range(args.rounds)):
                now.append(costs[0])
                then.append(costs[1])
    for field, by in (("wall_us", "wall time"), ("processor_us", "processor time")):
        yield ratios(
            f"{name}, {by}",
            [getattr(cost, field) for cost in now],
            (args.against, [getattr(cost, field) for cost in then]),
            unit="µs each",
            budget=LESS.get((subject, by), BUDGET),
        )


def _store(settings: Settings, name: str) -> Path:
    """The path of a new store, in a folder of its own."""
    folder = settings.folder / name
    folder.mkdir()
    return folder / "jobs.db"


def _round(both: Sequence[Recorder], slices: int) -> list[Cost]:
    """The mean cost of each over its turns: A B B A A B …, so that neither is always second."""
    costs: list[list[Cost]] = [[] for _ in both]
    for number in range(slices):
        order = list(enumerate(both))
        for at, recorder in order if number % 2 == 0 else order[::-1]:
            costs[at].append(recorder.measure())
    return [Cost(*map(statistics.mean, zip(*each, strict=True))) for each in costs]


def _line(figure: Figure) -> str:
    low, _, high = statistics.quantiles(figure.values, n=4, method="inclusive")
    return (
        f"{figure.name:36} {figure.median:.3f} x  (middle half {low:.3f}..{high:.3f}, all"
        f" {min(figure.values):.3f}..{max(figure.values):.3f}, {len(figure.values)} rounds)"
        f"  {figure.pair[0]:.1f} : {figure.pair[1]:.1f} {figure.pair_unit}  {figure.verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
