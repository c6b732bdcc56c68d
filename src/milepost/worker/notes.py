"""The way of a note from a process of this machine to the run: a local socket, and JSON on it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from milepost.errors import NoteRefused, NotesAbsent
from milepost.worker.items import WorkItem

__all__ = ["LONGEST_S", "HostWay", "NoWay"]

LONGEST_S: Final = 60.0
"""How long a worker waits to be told that its note is durable."""

_MOST_BYTES: Final = 1 << 16


class NoWay(msgspec.Struct, frozen=True):
    """The NoteWay of an item that its function sent to another process itself: there is none."""

    def note(self, item: WorkItem, note: Any) -> None:  # Any: JSON
        """Raise NotesAbsent.

        Args:
            item: The item whose attempt it is.
            note: Plain JSON.
        """
        del note
        raise NotesAbsent(job_id=item.job_id, key=item.key)


class HostWay(msgspec.Struct, frozen=True):
    """A NoteWay to the socket at `address`, for who has the key.

    Each note goes by a connection of its own. What comes back is decoded as JSON, never unpickled.
    """

    address: str
    key: bytes

    def __repr__(self) -> str:
        return f"HostWay({self.address!r})"  # the key is no matter for logs, in which items stand

    def note(self, item: WorkItem, note: Any) -> None:  # Any: JSON
        """Return once the note is durable; see NoteWay.

        Args:
            item: The item whose attempt it is.
            note: Plain JSON.

        Raises:
            NoteRefused: The run does not take it, or is not there any more.
        """
        from multiprocessing.connection import Client  # noqa: PLC0415 for those who note alone

        try:
            with Client(self.address, authkey=self.key) as connection:
                connection.send_bytes(msgspec.json.encode([item.token, note]))
                told = connection.recv_bytes(_MOST_BYTES) if connection.poll(LONGEST_S) else None
        except (OSError, EOFError) as error:
            problem = f"the run that began the attempt cannot be reached: {error}"
            raise NoteRefused(job_id=item.job_id, key=item.key, problem=problem) from error
        problem = "the run did not answer" if told is None else msgspec.json.decode(told, type=str)
        if problem:
            raise NoteRefused(job_id=item.job_id, key=item.key, problem=problem)
