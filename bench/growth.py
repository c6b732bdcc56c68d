"""What records, plans, looks and listings take, from 1,000 to 1,000,000: it should not grow.

`python bench/growth.py` prints the table, `--most 10000000` goes one size further, by hand. A size
is a number of commits of one result each, with checkpoints as a run takes them, or ten times a
number of jobs. Every figure is of fresh processes, with the file in the page cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from growth_child import CHILD, EACH, JOB, fails, result_of
from jobs import mapping_job
from milepost import CheckpointPolicy, ItemEvent, StateManager
from pairing import Budget, Figure, Settings, as_it_is, at_most, ratios
from starting import started

ROUNDS: Final = 3
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
TO_A_JOB: Final = 10
"""A store with jobs has one for so many commits of the other."""
FLAT: Final = at_most(1.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work: what it is called, what is shown of it, and what it may take at most."""

    name: str
    field: str
    unit: str
    of_jobs: bool = False
    most: Budget | None = None

    def shown(self, report: dict[str, float]) -> float:
        scale = {"µs": 1e6, "ms": 1e3, "s": 1.0, "MB": 1e-6}[self.unit]
        return report[self.field] * scale


KINDS: Final[dict[str, Sequence[Kind]]] = {
    "plan": [Kind(name="recovery plan", field="taken_s", unit="ms")],
    "again": [
        Kind(
            name="the same result again, lock held", field="locked_s", unit="ms", most=at_most(20)
        ),
        Kind(name="the same result again, in all", field="taken_s", unit="ms"),
    ],
    "page": [Kind(name="20 events in the middle", field="taken_s", unit="s", most=at_most(0.1))],
    "state_at": [Kind(name="state_at there", field="taken_s", unit="s", most=at_most(0.1))],
    "result": [Kind(name="result_of one item", field="taken_s", unit="s", most=at_most(0.1))],
    "failures": [Kind(name="failures()", field="taken_s", unit="s", most=at_most(0.1))],
    "prefix": [
        Kind(
            name="list_jobs(prefix), 10 hits",
            field="taken_s",
            unit="ms",
            of_jobs=True,
            most=at_most(20),
        )
    ],
    "newest": [Kind(name="list_jobs(limit=10)", field="taken_s", unit="ms", of_jobs=True)],
    "stuck": [Kind(name="stuck_jobs", field="taken_s", unit="ms", of_jobs=True, most=at_most(50))],
    "retention": [
        Kind(name="plan of gc", field="taken_s", unit="s", of_jobs=True, most=at_most(1)),
        Kind(name="plan of gc, memory", field="peak_bytes", unit="MB", of_jobs=True),
    ],
    "command": [
        Kind(
            name="milepost jobs --limit 10, processor",
            field="taken_s",
            unit="ms",
            of_jobs=True,
            most=at_most(200),
        )
    ],
    "record": [Kind(name="a result alone", field="taken_s", unit="µs")],
    "batch": [Kind(name="a result in a batch of 100", field="taken_s", unit="µs")],
}
"""By what the child is told to do; records come last, since they add to the job."""


def build(folder: Path, count: int) -> dict[bool, Path]:
    """A store with a job of so many commits, and one with a tenth as many jobs (True)."""
    commits, jobs = folder / f"commits-{count}.db", folder / f"jobs-{count}.db"
    policy, since = CheckpointPolicy(), 0
    failed = {"cause": "error", "message": "the parser gave up"}
    with StateManager.open(commits, durability="process") as manager:
        mapping_job(manager, JOB, count + 20 * EACH)
        for ordinal in range(count):
            bad = fails(ordinal, count)
            end = ("fail", failed) if bad else ("succeed", {"result": result_of(ordinal)})
            manager.record(JOB, [ItemEvent(ordinal, *end)])
            since += 1
            if policy.due(settled_items=since, commits=since, elapsed_s=0.0):
                manager.create_checkpoint(JOB, reason="policy")
                since = 0
    with StateManager.open(jobs, durability="process") as manager:
        for number in range(count // TO_A_JOB):
            manager.create_job(["only"], job_id=f"job-{number:07d}")
            with manager.lease(f"job-{number:07d}", renewed=False):  # as a run that ended had it
                pass
            if number % 10 == 9:
                manager.fire(f"job-{number:07d}", "cancel")
    return {False: commits, True: jobs}


def measured(
    stores: dict[int, dict[bool, Path]], rounds: int
) -> dict[Kind, dict[int, list[float]]]:
    """By kind and size, what each round showed. Sizes take turns."""
    found: dict[Kind, dict[int, list[float]]] = {}
    for what, kinds in KINDS.items():
        reports: dict[int, list[dict[str, float]]] = {count: [] for count in stores}
        of_jobs = kinds[0].of_jobs
        for _ in range(1 if what in ("record", "batch") else rounds):
            for count, of_count in stores.items():
                size = count // TO_A_JOB if of_jobs else count
                reports[count].append(_child(what, of_count[of_jobs], size))
        for kind in kinds:
            found[kind] = {n: [kind.shown(each) for each in of_n] for n, of_n in reports.items()}
    return found


def figures(settings: Settings) -> Iterator[Figure]:
    """Of the largest size, what has a budget; and each, as a multiple of the smallest size's."""
    small, large = SIZES[0], SIZES[-1]
    stores = {count: build(settings.folder, count) for count in (small, large)}
    for kind, found in measured(stores, ROUNDS).items():
        per = TO_A_JOB if kind.of_jobs else 1
        what = "jobs" if kind.of_jobs else "commits"
        floor = (f"{small // per:,} {what}", found[small])
        name = f"{kind.name}, {large // per:,} {what}"
        if kind.most is not None:
            yield as_it_is(name, found[large], floor, unit=kind.unit, budget=kind.most)
        if kind.field == "peak_bytes":
            yield as_it_is(name, found[large], floor, unit=kind.unit, budget=at_most(60))
        else:
            yield ratios(name, found[large], floor, unit=kind.unit)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest size")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, help="measure on the file system of this folder")
    args = parser.parse_args()
    sizes = [size for size in (*SIZES, 10 * SIZES[-1]) if size <= args.most]
    with tempfile.TemporaryDirectory(prefix="milepost-bench-", dir=args.folder) as folder:
        stores = {count: build(Path(folder), count) for count in sizes}
        print(table(measured(stores, args.rounds)))
    return 0


def table(found: dict[Kind, dict[int, list[float]]]) -> str:
    """A line for each kind, in Markdown: the median of each size, and the last over the first."""
    sizes = list(next(iter(found.values())))
    lines = [
        f"| what | unit | {' | '.join(f'{size:,}' for size in sizes)} | last : first |",
        f"| --- | --- |{' --- |' * (len(sizes) + 1)}",
    ]
    for kind, of_kind in found.items():
        medians = [statistics.median(of_kind[size]) for size in sizes]
        shown = " | ".join(f"{median:.3g}" for median in medians)
        ratio = f"{medians[-1] / medians[0]:.2f}" if medians[0] else "-"
        name = f"{kind.name}, a tenth as many jobs" if kind.of_jobs else kind.name
        lines.append(f"| {name} | {kind.unit} | {shown} | {ratio} |")
    return "\n".join(lines)


def _child(what: str, path: Path, size: int) -> dict[str, float]:
    if what == "command":
        words = ("jobs", "--limit", "10", "--db", str(path))
        return {"taken_s": started("-m", "milepost", *words)(0) / 1e3}
    answer = subprocess.run(
        [sys.executable, CHILD, what, path, str(size)], check=True, capture_output=True
    )
    report: dict[str, float] = json.loads(answer.stdout)
    return report


if __name__ == "__main__":
    sys.exit(main())
