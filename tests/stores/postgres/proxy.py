"""A proxy before a PostgreSQL server: it counts round trips, and loses what it is told to."""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

__all__ = ["Cut", "Proxy", "Request"]

Cut: TypeAlias = Literal["before", "after", "told"]
"""Where something is lost: on its way to the server, or its answer; a pooler may tell of that."""

_SOCKET: Final = ".s.PGSQL.5432"
_LOOK_S: Final = 0.05
_ENDS: Final = b"QSX"
"""What is answered: a plain query, the end of a prepared one. And the end of the connection."""

_MADE_UP: Final = b"\x7f\xff\xff\xff"
_SAID: Final = b"SFATAL\x00C08P01\x00Mserver conn crashed?\x00\x00"
_CLOSES: Final = b"E" + struct.pack("!i", len(_SAID) + 4) + _SAID
"""What PgBouncer says where it has lost the server."""

_READS: Final = re.compile(
    r"\s*($|BEGIN|ROLLBACK|SHOW|SET|DEALLOCATE|LISTEN|LOCK"
    r"|(SELECT|WITH)(?!.*(\w\.\w+\(|INSERT|UPDATE|DELETE)))",
    re.IGNORECASE | re.DOTALL,
)
"""What changes nothing by itself: a SELECT does where it calls a function of the schema."""


class Request(NamedTuple):
    """What a client asks at once: its statements, whether in a transaction, and its process."""

    statements: tuple[str, ...]
    within: bool
    pid: int

    @property
    def notifies(self) -> bool:
        """True if it only tells those who listen."""
        return any("pg_notify" in text for text in self.statements)

    @property
    def listens(self) -> bool:
        """True if it wants to be told."""
        return any(text.lstrip().upper().startswith("LISTEN") for text in self.statements)

    @property
    def commits(self) -> bool:
        """True if something may be durable once this was answered: a COMMIT, or by itself."""
        texts = self.statements
        if self.notifies:
            return False
        if any(re.search(r"\bCOMMIT\b", text, re.IGNORECASE) for text in texts):
            return True
        return not self.within and any(not _READS.match(text) for text in texts)


Meets: TypeAlias = Callable[[Request, Cut], bool]
"""Called before a request that commits goes on, and before its answer does: True if it is lost."""


class Proxy:
    """Listens in `folder` for clients of the server at the URL `server`, until it is closed.

    `trips` counts how often somebody asked after the server had answered. Once `cut` is set, the
    next request is the last of its connection. `meets` may lose what commits, or keep it waiting.
    As a `pooler` it makes up the numbers of processes that it tells. `prepared` says whether a
    client had a statement prepared under a name, `listening` whether one wanted to hear of notices.
    These are passed on and count as no request: a thread sends them when it likes.
    """

    def __init__(
        self, server: str, folder: Path, meets: Meets | None = None, *, pooler: bool = False
    ) -> None:
        query = parse_qs(urlsplit(server).query)
        self._behind = f"{query['host'][0]}/{_SOCKET}"
        self.url = server.replace(query["host"][0], str(folder))
        self.trips = 0
        self.cut: Cut | None = None
        self.meets = meets
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
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._behind)
            talk = _Talk(client, pooler=self._pooler)
            while self._open:
                ready = select.select([client, server], [], [], _LOOK_S)[0]
                if client in ready:
                    said = client.recv(1 << 20)
                    for message, request in talk.asked(said):
                        self.prepared = self.prepared or any(talk.prepared)
                        self.listening = self.listening or request.listens
                        if not request.notifies:
                            if self._loses(talk, request):
                                return
                            self.trips += not talk.under_way
                        talk.under_way.append(request)
                        server.sendall(message)
                    if not said:
                        return
                if server in ready:
                    said = server.recv(1 << 20)
                    for message, answered in talk.answered(said):
                        if answered is not None and self._is_lost(answered, "after"):
                            return
                        if not talk.mute:
                            client.sendall(message)
                    if not said:
                        return

    def _loses(self, talk: _Talk, request: Request) -> bool:
        """True if this request never comes to the server; its answer may be lost instead."""
        cut, self.cut = self.cut, None
        talk.mute = talk.mute or cut in ("after", "told")
        talk.last_words = _CLOSES if cut == "told" else b""
        return cut == "before" or self._is_lost(request, "before")

    def _is_lost(self, request: Request, cut: Cut) -> bool:
        return self.meets is not None and request.commits and self.meets(request, cut)


class _Talk:
    """One connection: what was asked on it and not answered, and how far it has been read.

    `prepared` are its statements by name; `mute` says that the client hears nothing any more: the
    connection ends with the answer, for which it is told `last_words`.
    """

    def __init__(self, client: socket.socket, *, pooler: bool) -> None:
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self._pid = int(struct.unpack("3i", peer)[0])
        self._pooler = pooler
        self.prepared: dict[str, str] = {}
        self._heard = b""
        self._greeted = False
        self._request = b""
        self._statements: list[str] = []
        self._answer = b""
        self._within = False
        self.under_way: deque[Request] = deque()
        self.mute = False
        self.last_words = b""
        self._client = client

    def asked(self, said: bytes) -> Iterator[tuple[bytes, Request]]:
        """Each whole request with what it says, in order."""
        self._heard += said
        while message := self._message():
            self._request += message
            self._note(message)
            if not self._greeted or message[:1] in _ENDS:
                self._greeted = True
                request = Request(tuple(self._statements), self._within, self._pid)
                whole, self._request, self._statements = self._request, b"", []
                yield whole, request

    def answered(self, said: bytes) -> Iterator[tuple[bytes, Request | None]]:
        """What the server said; with the request, once that is answered to its end.

        The answer to what commits comes as a whole.
        """
        self._answer += said
        at = 0
        while len(self._answer) >= at + 5:
            end = at + 1 + struct.unpack_from("!i", self._answer, at + 1)[0]
            if len(self._answer) < end:
                break
            if self._answer[at : at + 1] == b"K" and self._pooler:
                self._answer = self._answer[: at + 5] + _MADE_UP + self._answer[at + 9 :]
            if self._answer[at : at + 1] == b"Z":
                self._within = self._answer[end - 1 : end] != b"I"
                whole, self._answer, at = self._answer[:end], self._answer[end:], 0
                request = self.under_way.popleft() if self.under_way else None
                yield whole, request
                if self.mute and not self.under_way:
                    self._client.sendall(self.last_words)
                    raise ConnectionError("it is cut")
            else:
                at = end
        waits = self.under_way and self.under_way[0].commits
        if self._answer and (not said or not waits):
            whole, self._answer = self._answer[:at], self._answer[at:]
            yield whole, None

    def _message(self) -> bytes:
        """The next whole message of the client, or nothing. Its first one has no type."""
        typed = 1 if self._greeted else 0
        if len(self._heard) < typed + 4:
            return b""
        end = typed + int(struct.unpack_from("!i", self._heard, typed)[0])
        if len(self._heard) < end:
            return b""
        message, self._heard = self._heard[:end], self._heard[end:]
        return message

    def _note(self, message: bytes) -> None:
        """Note what a message has to do with statements: prepared by name, run by name, plain."""
        if not self._greeted:
            return
        kind, words = message[:1], message[5:].split(b"\0")
        if kind == b"Q":
            self._statements.append(words[0].decode())
        elif kind == b"P":
            self.prepared[words[0].decode()] = words[1].decode()
        elif kind == b"B":
            self._statements.append(self.prepared[words[1].decode()])
