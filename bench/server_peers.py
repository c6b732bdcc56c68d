"""Other packages on the same PostgreSQL server: LangGraph's PostgresSaver and DBOS Transact."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from psycopg import Connection

from dbos_process import DbosProcess

__all__ = ["LANGGRAPH", "Savers", "Steps", "installed"]

LANGGRAPH: Final = "langgraph-checkpoint-postgres"


def installed(name: str) -> bool:
    """True if there is such a package; else it is said what is left out."""
    try:
        version(name)
    except PackageNotFoundError:
        print(f"servers: {name} is not installed and is left out: make bench", file=sys.stderr)
        return False
    return True


class Savers:
    """A PostgresSaver for each caller, on a connection of its own: one alone takes turns."""

    def __init__(self, connections: Sequence[Connection[Any]], values: Sequence[Any]) -> None:
        from langgraph.checkpoint.base import empty_checkpoint  # noqa: PLC0415 not always there
        from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415

        self._empty = empty_checkpoint
        self._values = values
        self._savers = [PostgresSaver(connection) for connection in connections]
        self._savers[0].setup()

    def put(self, caller: int, share: range) -> None:
        """A checkpoint for each, as a graph makes one: its channel has a new value."""
        config: Any = {"configurable": {"thread_id": f"job-{caller}", "checkpoint_ns": ""}}
        for at in share:
            checkpoint = self._empty()  # of a new id
            new = {"result": f"{checkpoint['id']}"}
            checkpoint["channel_values"] = {"result": self._values[at]}
            checkpoint["channel_versions"] = new
            metadata: Any = {"source": "loop", "step": at}
            config = self._savers[caller].put(config, checkpoint, metadata, new)


class Steps:
    """Steps of DBOS on the server."""

    def __init__(self, url: str) -> None:
        self._process = DbosProcess("served", url)
        assert self._process.settings == {"synchronous_commit": "on"}, "all promise the same"

    def measure(self, count: int, workflows: int) -> float:
        """Measures one of `count` steps in µs, in as many workflows that run at once."""
        return self._process.run(count // workflows, workflows)

    def close(self) -> None:
        self._process.close()
