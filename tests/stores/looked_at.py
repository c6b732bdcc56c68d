"""A process that records and looks at its own file beside it; another opens it; then it is killed.

Run as `python -m tests.stores.looked_at DATABASE LOOK guarded|unguarded`; prints how many records
were acknowledged.
"""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from milepost import ItemEvent, MilepostError
from tests.stores.unguarded import opened

KEYS = [f"k{number}" for number in range(20)]


def by_sqlite3(db: Path) -> None:
    connection = sqlite3.connect(db)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.close()


def by_bytes(db: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{db}{suffix}").read_bytes()


def by_copy(db: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{db}{suffix}", f"{db}.copy{suffix}")


def by_memmap(db: Path) -> None:
    with db.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:6] == b"SQLite"


LOOKS: dict[str, Callable[[Path], None]] = {
    "sqlite3": by_sqlite3,
    "bytes": by_bytes,
    "copy": by_copy,
    "memmap": by_memmap,
}

OTHER = """
import sys
from pathlib import Path
from tests.stores.unguarded import opened
manager = opened(Path(sys.argv[1]), guarded=sys.argv[2] == "guarded")
manager.create_job(["a", "b"], job_id="other")
manager.close()
"""


def main(db: Path, look: str, guard: str) -> None:
    manager = opened(db, guarded=guard == "guarded")
    manager.create_job(KEYS, job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(key, "start") for key in KEYS])
    LOOKS[look](db)
    subprocess.run([sys.executable, "-c", OTHER, str(db), guard], check=True)
    done = 0
    for key in KEYS:
        try:
            manager.record("j", [ItemEvent(key, "succeed", {"result": key})])
        except MilepostError:
            break
        done += 1
        LOOKS[look](db)
    print(done, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
