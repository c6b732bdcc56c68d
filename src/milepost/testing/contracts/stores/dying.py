"""A process of its own that dies within a commit of the store whose URL it is given."""

from __future__ import annotations

import os
import signal
import sys

from milepost.state.persistence import open_store
from milepost.testing.contracts.stores.rows import filled, row

__all__ = ["die"]


def die(url: str) -> None:
    """Add a job of three rows, say which there are, and die with the fourth half written."""
    store = open_store(url)
    job = filled(store, "died")
    with store.reading() as reader:
        told = [str(each.seq) for each in reader.rows(job.number)]
    sys.stdout.write(f"{' '.join(told)}\n")
    sys.stdout.flush()
    with store.writing() as writer:
        writer.add_row(job.number, row(4))
        writer.add_job("never", 5, "digest")
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die(sys.argv[1])
