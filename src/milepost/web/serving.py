"""The server of the pages: a socket that is bound before the address is told, then uvicorn."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from milepost.clock import Clock
from milepost.state.manager import StateManager
from milepost.web.app import application

__all__ = ["listening", "run", "server"]


@contextmanager
def listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """A socket that listens at `host` and `port`, and the address of the pages.

    Raises OSError, which says what to do.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise OSError(f"{host}: no such host is known: name an address of this machine") from error
    family, kind, number, _, address = found[0]
    with socket.socket(family, kind, number) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind(address)
            place.listen()
        except OSError as error:
            raise OSError(f"{host}, port {port}: {_why_not(error)}") from error
        named = f"[{host}]" if ":" in host else host
        yield place, f"http://{named}:{place.getsockname()[1]}/"


def _why_not(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there: choose another port, or 0 for any that is free"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address: name one that it has"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "you may not listen there: choose a port from 1024 on, or 0 for any that is free"
    return f"{(error.strerror or str(error)).lower()}: choose another host or port"


def server(
    manager: StateManager,
    *,
    host: str,
    token: str | None,
    payloads: bool,
    clock: Clock | None = None,
) -> uvicorn.Server:
    """What serves the pages of the store of `manager` to whoever may see them at `host`."""
    pages = application(manager, host=host, token=token, payloads=payloads, clock=clock)
    return uvicorn.Server(
        uvicorn.Config(
            pages,
            log_level="warning",
            server_header=False,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )


def run(
    manager: StateManager,
    place: socket.socket,
    *,
    host: str,
    token: str | None,
    payloads: bool,
    clock: Clock | None = None,
) -> None:
    """Answer at `place` until the process is told to end."""
    serving = server(manager, host=host, token=token, payloads=payloads, clock=clock)
    serving.run(sockets=[place])
