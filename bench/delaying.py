"""A way to a PostgreSQL server that takes longer: a proxy that adds to every round trip."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Final
from urllib.parse import parse_qs, urlsplit

__all__ = ["delayed"]

_SOCKET: Final = ".s.PGSQL.5432"
_Late = SimpleQueue[tuple[float, bytes]]


@contextmanager
def delayed(server: str, folder: Path, delay_s: float) -> Iterator[str]:
    """A URL at which the server at `server` is reached, each round trip longer by `delay_s`.

    The delay is on the way there: what is said goes on so much later than it came, in order, and
    nothing that was said meanwhile waits for it. Answers are passed on as they come.
    """
    host = parse_qs(urlsplit(server).query)["host"][0]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/{_SOCKET}")
        listener.listen()
        threading.Thread(
            target=_accept, args=(listener, f"{host}/{_SOCKET}", delay_s), daemon=True
        ).start()
        yield server.replace(host, str(folder))
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, behind: str, delay_s: float) -> None:
    with suppress(OSError):  # it was closed
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(behind)
            late: _Late = SimpleQueue()
            for target, arguments in (
                (_hear, (client, late, delay_s)),
                (_pass_late, (late, server)),
                (_pass_on, (server, client)),
            ):
                threading.Thread(target=target, args=arguments, daemon=True).start()


def _hear(client: socket.socket, late: _Late, delay_s: float) -> None:
    """Note what the client says, and when it is due; nothing at all is its end."""
    said = b"-"
    while said:
        try:
            said = client.recv(1 << 20)
        except OSError:
            said = b""
        late.put((perf_counter() + delay_s, said))


def _pass_late(late: _Late, server: socket.socket) -> None:
    while True:
        due, said = late.get()
        if not said:
            break
        left_s = due - perf_counter()
        if left_s > 0:
            time.sleep(left_s)
        with suppress(OSError):
            server.sendall(said)
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with server, client, suppress(OSError):
        while said := server.recv(1 << 20):
            client.sendall(said)
        client.shutdown(socket.SHUT_RDWR)
