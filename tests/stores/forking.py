"""What the children of a process do with what they inherit of it, while its threads record.

Run as `python -m tests.stores.forking DATABASE HOW FORKS`. Prints a line for each child: how it
ended, or `hangs`; then how many records were acknowledged to the parent meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from milepost import AsyncStateManager, ItemEvent, StateManager
from milepost.errors import MilepostError, StoreForked

THREADS = 4
ITEMS_A_FORK = 6_000
"""So many are there for the threads: a fork may wait for half a second until they rest."""
DEADLINE_S = 10.0


def inherited(manager: StateManager, _db: Path) -> str:
    """Every way to use what is the parent's, each of which has to end, and leave it as it is."""
    uses: list[Callable[[], object]] = [
        lambda: manager.record("j", [ItemEvent("0-0", "start")]),
        lambda: manager.get_state("j"),
        lambda: list(manager.results("j")),
        lambda: manager.create_job(["a"], job_id="of-a-child"),
        manager.check_store,
        manager.vacuum,
        lambda: manager.lease("j").__enter__(),
        lambda: asyncio.run(AsyncStateManager(manager).get_state("j")),
    ]
    codes = set()
    for use in uses:
        try:
            use()
        except MilepostError as error:
            codes.add(error.code)
        else:
            codes.add("no error")
    manager.close()
    return " ".join(sorted(codes))


def of_its_own(_manager: StateManager, db: Path) -> str:
    """Opens the file again, reads and writes, and closes it."""
    with StateManager.open(db) as own:
        job_id = f"child-{os.getpid()}"
        own.create_job(["a"], job_id=job_id)
        return own.get_state(job_id).phase


WAYS = {"inherited": inherited, "of its own": of_its_own}


def child(manager: StateManager, db: Path, how: str, into: int) -> None:
    try:
        said = WAYS[how](manager, db)
    except StoreForked as error:
        said = error.code
    except BaseException:  # noqa: BLE001 it is told to the parent
        said = traceback.format_exc().replace("\n", " | ")
    os.write(into, said.encode())
    os.close(into)


def answer(pid: int, out: int) -> str:
    """What the child says before it ends; `hangs` if it does not in time."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            said = os.read(out, 65536).decode()
            return said if status == 0 else f"{said} status {status}"
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"


def main(db: Path, how: str, forks: int) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
    manager = StateManager.open(db, durability="process")
    each = ITEMS_A_FORK * forks // THREADS
    keys = (f"{thread}-{number}" for thread in range(THREADS) for number in range(each))
    manager.create_job(keys, job_id="j")
    manager.fire("j", "start_map")
    stop = threading.Event()
    done: list[str] = []

    def record(thread: int) -> None:
        for number in range(each):
            if stop.is_set():
                return
            key = f"{thread}-{number}"
            manager.record("j", [ItemEvent(key, "start")])
            done.append(key)
            if number % 8 == 0:
                manager.get_state("j")

    threads = [threading.Thread(target=record, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(forks):
        before = len(done)
        while len(done) < before + 3:
            assert any(thread.is_alive() for thread in threads), "nobody records any more"
            time.sleep(0.0005)
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(manager, db, how, into)
            sys.exit(0)  # in order, as a daemon's end: with all that Python does then
        os.close(into)
        print(answer(pid, out), flush=True)
        os.close(out)
    stop.set()
    for thread in threads:
        thread.join()
    running = manager.get_state("j").progress.running
    manager.close()
    print("acknowledged", len(done), "found", running)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
