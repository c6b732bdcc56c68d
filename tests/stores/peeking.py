"""A process that records while a thread of its own opens, reads and closes the file by sqlite3.

Run as `python -m tests.stores.peeking DATABASE NUMBER SECONDS guarded|unguarded PEEK`. It says on
stdout, a line each, what it was told: `done KEY` for an acknowledged record, `error CODE` for one
that was refused. When its time is over it is gone at once, as by kill -9.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from milepost import ItemEvent
from milepost.errors import StateError
from tests.stores.unguarded import opened

JOB = "j"
PAUSE_S = 0.01


def key_of(process: int, number: int) -> str:
    return f"{process}-{number}"


def read(db: Path) -> None:
    connection = sqlite3.connect(db)
    connection.execute("SELECT count(*) FROM commits").fetchone()
    connection.close()


def truncate(db: Path) -> None:
    connection = sqlite3.connect(db, timeout=0)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()


PEEKS: dict[str, Callable[[Path], None]] = {"read": read, "truncate": truncate}


def main(db: Path, process: int, seconds: float, guard: str, peek: str) -> None:
    manager = opened(db, guarded=guard == "guarded")
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(PAUSE_S):
            with suppress(sqlite3.Error):
                PEEKS[peek](db)

    threading.Thread(target=look, daemon=True).start()
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        key = key_of(process, number)
        number += 1
        try:
            manager.record(JOB, [ItemEvent(key, "start")])
            manager.record(JOB, [ItemEvent(key, "succeed", {"result": key})])
        except StateError as error:
            print("error", error.code, " ".join(str(error).split()), flush=True)
            break
        print("done", key, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5])
