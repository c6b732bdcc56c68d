"""A report on the standard library of the Python that runs this: a job of about 1,800 items.

    python examples/stdlib_report.py run --db jobs.db    run the job; after a crash, run it again
    python examples/stdlib_report.py demo                kill it three times and watch it finish

Map parses one file: functions, classes, imports, the longest function, the deepest nesting.
Reduce ranks them. That a file does not parse is a result, not a failure: some are invalid on
purpose, as data for tests, and trying again would not change them. Anything else that goes wrong
fails the attempt, and the job, which allows no item in its dead letter queue.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from heapq import nlargest
from pathlib import Path
from typing import Any

from milepost import Item, JobState, StateEvent, StateManager
from milepost.executors import process_pool, run

ROOT = Path(sysconfig.get_path("stdlib"))
JOB = "stdlib"
TOP = 10
LEASE_S = 1.0

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NESTING = (
    *FUNCTIONS,
    *(ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While),
    *(ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match),
)

HOLD = "STDLIB_REPORT_HOLD_REDUCE"
"""If set, reduce says so on stdout once it has read half of the results, and waits until its stdin
is closed: so that the demo can kill it in the middle of reduce every time."""

QUIET_AFTER_A_KILL = {"PYTHONWARNINGS": "ignore:resource_tracker"}
"""multiprocessing cleans up after a pool whose process was killed, and warns that it had to."""


# The job: what map and reduce do


def files() -> list[str]:
    """The files of the standard library, by their paths in it, in order."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return sorted(path.as_posix() for path in found if "site-packages" not in path.parts)


def measure(item: Item) -> dict[str, Any]:
    """What is in one file; where it does not parse, why not."""
    source = (ROOT / item.key).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        return {"unparsable": f"{type(error).__name__}: {error}"}
    longest = ("", 0)
    deepest = functions = classes = 0
    imports: set[str] = set()
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, NESTING):
            depth += 1
            deepest = max(deepest, depth)
        if isinstance(node, FUNCTIONS):
            functions += 1
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            longest = max(longest, (node.name, lines), key=lambda found: found[1])
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, ast.Import):
            imports.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.add(node.module.partition(".")[0])
        for child in ast.iter_child_nodes(node):
            is_elif = isinstance(node, ast.If) and node.orelse == [child]
            waiting.append((child, depth - 1 if is_elif else depth))
    return {
        "lines": source.count(b"\n"),
        "functions": functions,
        "classes": classes,
        "longest": {"name": longest[0], "lines": longest[1]},
        "deepest": deepest,
        "imports": sorted(imports),
    }


def report(results: Iterator[tuple[str, dict[str, Any]]], *, file_count: int) -> dict[str, Any]:
    """The ranked report. Nothing in it depends on when or how often the job was run."""
    hold_at = file_count // 2 if os.environ.get(HOLD) else None
    measured: dict[str, dict[str, Any]] = {}
    unparsable: dict[str, str] = {}
    for count, (path, found) in enumerate(results):
        if count == hold_at:
            print(f"reduce has read {count} results", flush=True)
            sys.stdin.read()
        if "unparsable" in found:
            unparsable[path] = found["unparsable"]
        else:
            measured[path] = found
    imported = Counter(name for found in measured.values() for name in found["imports"])
    return {
        "files": len(measured) + len(unparsable),
        "lines": sum(found["lines"] for found in measured.values()),
        "functions": sum(found["functions"] for found in measured.values()),
        "classes": sum(found["classes"] for found in measured.values()),
        "longest functions": _top(measured, lambda found: found["longest"]["lines"]),
        "deepest nesting": _top(measured, lambda found: found["deepest"]),
        "most imported": nlargest(TOP, imported.items(), key=lambda entry: (entry[1], entry[0])),
        "do not parse": unparsable,
    }


def _top(
    measured: dict[str, dict[str, Any]], size: Callable[[dict[str, Any]], int]
) -> list[tuple[str, str, int]]:
    ranked = ((path, found["longest"]["name"], size(found)) for path, found in measured.items())
    return nlargest(TOP, ranked, key=lambda entry: (entry[2], entry[0]))


# Running it


def create_job(db: Path, every: int = 1) -> None:
    """Make the store and the job in it, of one file in `every`, where they are not there yet."""
    with StateManager.open(db) as manager:
        if JOB not in manager.job_ids():
            manager.create_job(files()[::every], job_id=JOB)


def run_job(db: Path, report_file: Path, on_progress: Callable[[JobState], None]) -> int:
    """Run the job in `db`, or what is left of it; 0 if it is complete."""
    with StateManager.open(db) as manager:
        state = manager.get_state(JOB)
        outcome = run(
            manager,
            JOB,
            measure,
            partial(report, file_count=state.items.count),
            executor=partial(process_pool, os.cpu_count()),
            ttl_s=LEASE_S,
            on_progress=on_progress,
        )
        if not outcome.succeeded:
            print(outcome, file=sys.stderr)
            for group in manager.failure_groups(JOB):
                what = group.kind or group.cause
                last = f"the last of {group.example_key}: {group.example_message}"
                print(f"  {group.count} times {what}, {last}", file=sys.stderr)
            print(f"milepost show {JOB} --db {db} says what to do next", file=sys.stderr)
            return 1
        report_file.write_text(json.dumps(manager.result(JOB), indent=2))
    return 0


@contextmanager
def progress(label: str) -> Iterator[Callable[[JobState], None]]:
    """Show a job's progress: a bar on a terminal, a line for each tenth elsewhere."""
    if sys.stdout.isatty():
        from rich.progress import Progress  # noqa: PLC0415  only where there is a terminal

        with Progress() as shown:
            bar = shown.add_task(label, total=None)

            def draw(state: JobState) -> None:
                done = state.progress
                text = f"{label}: {state.phase}"
                shown.update(bar, description=text, total=done.total, completed=done.settled)

            yield draw
        return

    told = -1

    def tell(state: JobState) -> None:
        nonlocal told
        done = state.progress
        tenth = 10 * done.settled // max(done.total, 1)
        if tenth > told:
            told = tenth
            print(f"{label}: {state.phase}, {done.settled} of {done.total}", flush=True)

    yield tell


def show_report(found: dict[str, Any]) -> None:
    """Print the report for people."""
    print(
        f"{found['files']:,} files, {found['lines']:,} lines, {found['functions']:,} functions,"
        f" {found['classes']:,} classes; {len(found['do not parse'])} do not parse"
    )
    print("longest functions:")
    for path, name, lines in found["longest functions"][:5]:
        print(f"  {lines:6,} lines  {name} in {path}")
    print("deepest nesting:")
    for path, _, depth in found["deepest nesting"][:5]:
        print(f"  {depth:6} levels {path}")
    top = ", ".join(f"{name} ({count})" for name, count in found["most imported"][:8])
    print(f"most imported: {top}")


# The demo


def demo(every: int) -> int:
    """Run the job twice, once undisturbed and once killed three times; 0 if the reports agree."""
    folder = Path(tempfile.mkdtemp(prefix="milepost-demo-"))
    print(f"everything is kept in {folder}\n")

    print("1. a run that nothing disturbs, for comparison")
    create_job(folder / "undisturbed.db", every)
    if run_undisturbed(folder / "undisturbed.db", folder / "undisturbed.json"):
        return 1

    print("\n2. the same job, whose process is killed (SIGKILL) three times")
    db = folder / "killed.db"
    report_file = folder / "killed.json"
    create_job(db, every)
    for kill_a_process in (partial(kill_in_map, 35), partial(kill_in_map, 70), kill_in_reduce):
        kill_a_process(db, report_file)
        tell_what_is_left(db)
    if run_undisturbed(db, report_file):
        return 1

    print("\n3. the report")
    show_report(json.loads(report_file.read_text()))
    same = report_file.read_bytes() == (folder / "undisturbed.json").read_bytes()
    print(f"\nit is {'equal to' if same else 'DIFFERENT FROM'} that of the undisturbed run")

    print("\n4. what the job's history says")
    with StateManager.open(db, read_only=True) as manager:
        for line in compact(manager.get_state_history(JOB)):
            print(f"  {line}")
        (verification,) = manager.verify(JOB)
    print(f"  verified: {'sound' if verification.sound else verification.problems}")

    command = [sys.executable, "-m", "milepost", "diagram", JOB, "--db", str(db)]
    diagram = folder / "path-taken.svg"
    subprocess.run([*command, "--out", str(diagram)], check=True)  # noqa: S603  our own command
    print(f"\nthe path it took: {diagram}")
    print(f"everything else:  milepost history {JOB} --db {db}")
    return 0 if same and verification.sound else 1


def begin(db: Path, report_file: Path, **environment: str) -> subprocess.Popen[str]:
    """A process that runs the job."""
    command = [sys.executable, __file__, "run", "--quiet", "--db", str(db)]
    return subprocess.Popen(  # noqa: S603  this very file
        [*command, "--report", str(report_file)],
        env={**os.environ, **QUIET_AFTER_A_KILL, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def watch(db: Path, process: subprocess.Popen[str], until: Callable[[JobState], bool]) -> None:
    """Look at the job from outside, through a reader of its own, until it is so far or ends."""
    with progress("  working") as show, StateManager.open(db, read_only=True) as reader:
        while process.poll() is None:
            state = reader.get_state(JOB)
            show(state)
            if until(state):
                return
            time.sleep(0.02)


def run_undisturbed(db: Path, report_file: Path) -> int:
    """Let a process run the job to its end; its exit status."""
    began_at_s = time.monotonic()
    process = begin(db, report_file)
    watch(db, process, lambda state: state.finished)
    process.communicate()
    print(f"  complete after {time.monotonic() - began_at_s:.1f} s")
    return process.returncode


def kill_in_map(percent: int, db: Path, report_file: Path) -> None:
    """Kill a process once so much of the job's items is settled."""
    process = begin(db, report_file)
    watch(db, process, lambda s: 100 * s.progress.settled >= percent * s.progress.total)
    kill(process, f"in map, at {percent} %")


def kill_in_reduce(db: Path, report_file: Path) -> None:
    """Kill a process half-way through reduce, where it says that it is."""
    process = begin(db, report_file, **{HOLD: "1"})
    watch(db, process, lambda state: state.phase == "reduce")
    assert process.stdout is not None
    kill(process, f"in reduce: {process.stdout.readline().strip()}")


def kill(process: subprocess.Popen[str], where: str) -> None:
    """Kill a process, and show that it was."""
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    print(f"  killed process {process.pid} {where}")


def tell_what_is_left(db: Path) -> None:
    """Print what a new process will skip and redo, as the recovery plan says."""
    with StateManager.open(db, read_only=True) as reader:
        plan = reader.recover_from_checkpoint(JOB)
    print(
        f"  resuming in {plan.resume_phase}: {len(plan.done)} items are done and skipped,"
        f" {len(plan.in_flight)} were under way and are redone, {len(plan.pending)} were not begun"
    )


def compact(events: Iterable[StateEvent]) -> Iterator[str]:
    """The history in few lines: what happened to items between two other events is summed up."""
    summed: Counter[str] = Counter()
    for event in events:
        if event.kind == "items":
            summed[event.event] += event.count
            continue
        if summed:
            yield "       items: " + ", ".join(f"{count} {name}" for name, count in summed.items())
            summed.clear()
        phase = event.target if event.source == event.target else f"{event.source} → {event.target}"
        said = [event.payload[name] for name in ("owner", "reason") if event.payload.get(name)]
        said += [f"{event.count} items"] if event.count else []
        yield f"{event.seq:6} {event.event:13} {phase:20} {'; '.join(said)}".rstrip()


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(description="Report on the standard library, as a job.")
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="run the job, or what is left of it")
    running.add_argument("--db", type=Path, default=Path("stdlib.db"))
    running.add_argument("--report", type=Path, default=Path("stdlib-report.json"))
    running.add_argument("--quiet", action="store_true", help="show no progress, print no report")
    showing = commands.add_parser("demo", help="kill the job three times and watch it finish")
    showing.add_argument("--every", type=int, default=1, help="only one file in so many")
    wanted = parser.parse_args()
    if wanted.command == "demo":
        return demo(wanted.every)
    create_job(wanted.db)
    if wanted.quiet:
        return run_job(wanted.db, wanted.report, lambda _: None)
    with progress("stdlib") as show:
        status = run_job(wanted.db, wanted.report, show)
    if status == 0:
        show_report(json.loads(wanted.report.read_text()))
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
