"""What tests of every folder share: servers, signals, and what harnesses counted."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.executors import Stop
from tests.evidence import Evidence
from tests.postgres import Server, postgres_server, run_sql

# Hundreds of processes are started: where the shell wants no bytecode, each would compile all anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A process keeps what all of its files made, and each collection walks through it: at the usual
# thresholds that is a fifth of the time.
gc.set_threshold(50_000, 20, 50)

_MEMORY = Path("/dev/shm")  # noqa: S108 it is only taken where it is there
_ROOM = 8 << 30


def _holds_files(folder: Path) -> bool:
    """Whether there is room for all that the tests write, of which some is run as a program."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return False
    runs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs and shutil.disk_usage(folder).free >= _ROOM


# Tests kill processes and never machines: what they tell a disk to keep, memory keeps as well, and
# nobody waits for it. What power cuts do is tried where no file system has a part in it.
if "TMPDIR" not in os.environ and _holds_files(_MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell that began the tests in its background had them, and all their children, ignore it.

    What is tested by a Ctrl-C would then go on for ever.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def late() -> Iterator[Stop]:
    """It stops a run, and so fails its test, that would otherwise go on, or sleep, for ever."""
    stop = Stop()
    timer = threading.Timer(20, stop.request, ("it is late",))
    timer.start()
    yield stop
    timer.cancel()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server, one for each process of the tests."""
    with postgres_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def crashing() -> Iterator[Server]:
    """A server that tests crash. Commits that may wait are written by it only after 10 s."""
    with postgres_server() as opened:
        settings = ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'")
        alter = "".join(f"ALTER SYSTEM SET {setting};\n" for setting in settings)
        run_sql(opened.url, f"{alter}SELECT pg_reload_conf();")
        yield opened


def pytest_configure(config: pytest.Config) -> None:
    """What harnesses count is added up, and held against docs/explanation/evidence.md."""
    config.pluginmanager.register(Evidence())
