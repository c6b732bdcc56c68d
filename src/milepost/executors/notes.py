"""Notes of items under way: handed from workers to the run, which makes them durable."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.errors import NoteRefused, NotesAbsent
from milepost.worker.items import NoteWay, WorkItem
from milepost.worker.notes import LONGEST_S, HostWay, NoWay

__all__ = ["Asked", "Notes"]

_MOST_BYTES: Final = 64 << 20
_JOIN_S: Final = 5.0
_PAUSE_S: Final = 0.05
_OVER: Final = "the attempt is over"


@dataclass(slots=True, eq=False)
class Asked:
    """A note that a worker waits for: of which item, what, and what became of it."""

    ordinal: int
    note: Any  # Any: JSON
    told: threading.Event = field(default_factory=threading.Event)
    problem: str = ""

    def answer(self, problem: str = "") -> None:
        """Say that the note is durable, or why it is not."""
        self.problem = problem
        self.told.set()


class Notes:
    """The notes that one run is asked to record. Safe in any thread.

    `wake` makes the run look. A note of an attempt that is over is refused, and so are all once
    the run has ended: no worker waits for nobody.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: list[Asked] = []
        self._under_way: dict[int, WorkItem] = {}
        self._open: dict[str, int] | None = None  # by token, once a note has come
        self._closed = ""
        self._here = _HereWay(self)
        self._server: _Server | None = None

    def way(self, where: str) -> NoteWay | None:
        """The way for workers who are `where`, as Engine.notes says; None where there is none."""
        if where == "here":
            return self._here
        if where == "host":
            if self._server is None:
                self._server = _Server(self)
            return self._server.way
        return None

    def began(self, items: Mapping[int, WorkItem]) -> None:
        """Take notes of the attempts that these are, by ordinal, from now on."""
        with self._lock:
            self._under_way.update(items)
            if self._open is not None:
                self._open.update(_by_token(items))

    def ended(self, ordinals: Iterable[int]) -> None:
        """Take no more notes of the attempts of these items."""
        with self._lock:
            for ordinal in ordinals:
                item = self._under_way.pop(ordinal, None)
                if item is not None and self._open is not None:
                    self._open.pop(item.token, None)

    def take(self) -> list[Asked]:
        """The notes that wait to be recorded, in the order in which they came."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    def ask(self, token: str, note: Any) -> str:  # Any: JSON
        """Why the note is not durable, once that is known; empty if it is."""
        with self._lock:
            if self._closed:
                return self._closed
            if self._open is None:
                self._open = _by_token(self._under_way)
            ordinal = self._open.get(token)
            if ordinal is None:
                return _OVER
            asked = Asked(ordinal, note)
            self._waiting.append(asked)
        self._wake()
        if not asked.told.wait(LONGEST_S):
            return "the run did not answer"
        return asked.problem

    def close(self, problem: str = "the run has ended") -> None:
        """Refuse all notes from now on, and those that wait."""
        with self._lock:
            self._closed = problem
        for asked in self.take():
            asked.answer(problem)
        if self._server is not None:
            self._server.close()


def _by_token(items: Mapping[int, WorkItem]) -> dict[str, int]:
    """The ordinals by the token of each attempt: most runs take no note, and need none."""
    return {item.token: ordinal for ordinal, item in items.items()}


class _HereWay:
    """The way from a thread of this process."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[type[NoWay], tuple[()]]:
        """Pickled by a function that sends its item on, it leads nowhere from there."""
        return NoWay, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> _HereWay:
        del memo
        return self

    def __copy__(self) -> _HereWay:
        return self

    def note(self, item: WorkItem, note: Any) -> None:  # Any: JSON
        if os.getpid() != self._pid:  # of a child that was forked: no run looks at its memory
            raise NotesAbsent(job_id=item.job_id, key=item.key)
        problem = self._notes.ask(item.token, note)
        if problem:
            raise NoteRefused(job_id=item.job_id, key=item.key, problem=problem)


class _Server:
    """Hears processes of this machine on a socket that their user alone can open, with a key."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._folder = None
        address = None
        if os.name == "posix":
            self._folder = tempfile.TemporaryDirectory(prefix="milepost-")
            address = str(Path(self._folder.name) / "notes")
        key = secrets.token_bytes(32)
        self._listener = Listener(address, authkey=key, backlog=128)
        self.way = HostWay(str(self._listener.address), key)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="milepost-notes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more. Who waits for a caller does not notice that his socket is closed: call."""
        self._closed.set()
        if self._folder is not None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(self._listener.address))
            self._thread.join(_JOIN_S)
        with suppress(OSError):
            self._listener.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except Exception:  # noqa: BLE001 it was closed, or somebody came without the key
                if self._closed.wait(_PAUSE_S):
                    return
                continue
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: Connection) -> None:
        with suppress(OSError, EOFError, msgspec.MsgspecError), connection:
            token, note = msgspec.json.decode(
                connection.recv_bytes(_MOST_BYTES), type=tuple[str, Any]
            )
            connection.send_bytes(msgspec.json.encode(self._notes.ask(token, note)))
