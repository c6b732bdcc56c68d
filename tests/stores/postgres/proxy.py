"""A proxy before a PostgreSQL server: it counts round trips, and cuts a connection where told."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

__all__ = ["Cut", "Proxy"]

Cut: TypeAlias = Literal["before", "after"]
"""Where a message is lost: on its way to the server, or its answer."""

_SOCKET: Final = ".s.PGSQL.5432"
_LOOK_S: Final = 0.05
_NOTICE: Final = b"pg_notify"

_NAMED: Final = re.compile(rb"P...._pg3_", re.DOTALL)
"""Parse, of a statement under one of psycopg's names."""
_KEY: Final = re.compile(rb"K\x00{3}\x0c....(?=....Z\x00{3}\x05)", re.DOTALL)
"""BackendKeyData, which comes with the number of the process just before ReadyForQuery."""
_MADE_UP: Final = b"K\x00\x00\x00\x0c\x7f\xff\xff\xff"


class Proxy:
    """Listens in `folder` for clients of the server at the URL `server`, until it is closed.

    `trips` counts how often somebody asked after the server had answered. Once `cut` is set, the
    next message is the last of its connection. As a `pooler` it makes up the numbers of processes
    that it tells. `prepared` says whether a client had a statement prepared under a name.
    `listening` says whether one wanted to hear of notices. These are passed on and count as no
    message: a thread sends them when it likes.
    """

    def __init__(self, server: str, folder: Path, *, pooler: bool = False) -> None:
        query = parse_qs(urlsplit(server).query)
        self._behind = f"{query['host'][0]}/{_SOCKET}"
        self.url = server.replace(query["host"][0], str(folder))
        self.trips = 0
        self.cut: Cut | None = None
        self.prepared = False
        self.listening = False
        self._pooler = pooler
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/{_SOCKET}")
        self._listener.listen()
        self._open = True
        self._serving: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        """Listen no more, and end what is open."""
        self._open = False
        for thread in [self._accepting, *self._serving]:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            if not select.select([self._listener], [], [], _LOOK_S)[0]:
                continue
            client, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(client,))
            self._serving.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        """Pass on what one client and the server say, until either ends or it is cut."""
        with client, socket.socket(socket.AF_UNIX) as server, suppress(ConnectionError):
            server.connect(self._behind)
            answered, mute = True, False
            while self._open:
                ready = select.select([client, server], [], [], _LOOK_S)[0]
                if client in ready:
                    message = client.recv(1 << 20)
                    self.prepared |= _NAMED.search(message) is not None
                    self.listening |= b"LISTEN" in message
                    if _NOTICE in message:
                        server.sendall(message)
                        continue
                    cut = self._meets(message)
                    if not message or cut == "before":
                        return
                    mute = cut == "after"
                    if answered:
                        self.trips += 1
                        answered = False
                    server.sendall(message)
                if server in ready:
                    message = server.recv(1 << 20)
                    if not message or mute:
                        return
                    answered = True
                    client.sendall(_KEY.sub(_MADE_UP, message) if self._pooler else message)

    def _meets(self, message: bytes) -> Cut | None:
        """Where this message is to be cut, if it is; that happens once."""
        if not message:
            return None
        cut, self.cut = self.cut, None
        return cut
