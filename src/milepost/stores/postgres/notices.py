"""Changes that are noticed: one statement that says whether a job did, and a call that says look.

Polling is the truth. A notice is a hint without content, which anybody who may connect can send:
it makes a watcher ask sooner, and one that is lost costs the time until the next poll. Inside a
transaction NOTIFY would take a lock of the whole server at its commit, so it is sent after those
of the records, by a thread of its own, for all that were committed meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol, Self

import psycopg
from psycopg_pool import ConnectionPool

from milepost.stores.postgres.address import Address
from milepost.stores.postgres.reading import Connection
from milepost.stores.postgres.schema import statement
from milepost.stores.postgres.sessions import direct

__all__ = ["Notices", "Watch", "sending", "watching"]

EVERY_S: Final = 0.05
"""A process sends one notice in so long at the most."""

POLL_S: Final = 0.5
"""A watcher asks after so long where it hears nothing."""

REST_S: Final = 0.25
"""A watcher is told of a change so long after the one before at the earliest."""

_LAST_S: Final = 1.0  # for the last notice of a store that is closed

# Not waited for on the server's disk: a notice says nothing that is to outlive it.
_NOTIFY: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, '')"

_LOOK: Final = (
    "SELECT number, seq, digest, owner, leases.fence, ttl_us FROM $jobs AS jobs"
    " LEFT JOIN $tips AS tips ON tips.job = number LEFT JOIN $leases AS leases"
    " ON leases.job = number WHERE job_id = %s"
)
"""The name of what is stored of a job, its holder included: another once something was written."""


class Notices:
    """Calls `send` after commits, in a thread, and then not again for `every_s`.

    The thread begins with the first commit and ends with `close`. `rest` is how it lets time pass:
    it returns early once the event is set.
    """

    def __init__(
        self,
        send: Callable[[], None],
        *,
        every_s: float = EVERY_S,
        rest: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._send = send
        self._every_s = every_s
        self._rest = rest
        self._unsaid = False
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def committed(self) -> None:
        """Something was: say so soon. Raises nothing and waits for nothing."""
        if self._unsaid:
            return
        self._unsaid = True
        self._woken.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._closed.is_set():
                    self._begin()

    def close(self) -> None:
        """Send what is due, and end the thread. Closing twice is fine."""
        with self._starting:
            self._closed.set()
            thread = self._thread
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LAST_S)

    def _begin(self) -> None:
        thread = threading.Thread(target=self._tell, name="milepost-notices", daemon=True)
        with suppress(RuntimeError):  # none begins while the interpreter ends: then it is polled
            thread.start()
            self._thread = thread

    def _tell(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._unsaid:
                self._unsaid = False  # before it is said: what is committed now is said again
                self._send()
            if self._closed.is_set():
                return
            self._rest(self._closed, self._every_s)


def sending(pool: ConnectionPool[Connection], schema: str) -> Callable[[], None]:
    """What sends a notice by a connection of `pool`, and lets it go where that cannot be."""

    def send() -> None:
        with suppress(psycopg.Error), pool.connection(_LAST_S) as connection:
            connection.execute(_NOTIFY, (schema,), prepare=False)

    return send


class Watch(Protocol):
    """Waits for a job to change."""

    def __call__(self, seconds: float) -> None:
        """Return once the job may have changed since the last return, or after `seconds`."""
        ...


@contextmanager
def watching(
    address: Address,
    job_id: str,
    *,
    nap: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    poll_s: float = POLL_S,
    rest_s: float = REST_S,
) -> Iterator[Watch]:
    """A way to wait for the job, by a connection of its own, from this moment on.

    Behind a pooler nothing listens: it may lend its connection to another for the next transaction,
    which would listen on and on. Each change is found by the poll then. Where the server cannot be
    asked the time passes: whoever looks then, hears why.
    """
    with _Watcher(address, job_id, nap=nap, clock=clock, poll_s=poll_s, rest_s=rest_s) as watcher:
        yield watcher.wait


class _Watcher:
    """One watched job, and what was seen of it last."""

    def __init__(
        self,
        address: Address,
        job_id: str,
        *,
        nap: Callable[[float], None],
        clock: Callable[[], float],
        poll_s: float,
        rest_s: float,
    ) -> None:
        self._address = address
        self._job_id = job_id
        self._nap = nap
        self._clock = clock
        self._poll_s = poll_s
        self._rest_s = rest_s
        self._connection: Connection | None = None
        self._seen: object = None

    def __enter__(self) -> Self:
        with suppress(psycopg.Error):
            self._seen = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def wait(self, seconds: float) -> None:
        """As Watch."""
        ends_s = self._clock() + seconds
        self._nap(min(self._rest_s, seconds))
        try:
            while (left_s := ends_s - self._clock()) > 0:
                seen = self._look()
                if seen != self._seen:
                    self._seen = seen
                    return
                self._hear(min(left_s, self._poll_s))
            self._seen = self._look()
        except psycopg.Error:
            self._drop()
            self._nap(max(ends_s - self._clock(), 0.0))

    def _look(self) -> object:
        sql = statement(self._address.schema, _LOOK)
        return self._opened().execute(sql, (self._job_id,), prepare=False).fetchone()

    def _hear(self, longest_s: float) -> None:
        """Wait for a notice."""
        for _ in self._opened().notifies(timeout=longest_s, stop_after=1):
            return

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self._address.conninfo, autocommit=True)
            if direct(self._connection):
                with suppress(psycopg.errors.ReadOnlySqlTransaction):  # a standby is polled
                    self._connection.execute(f'LISTEN "{self._address.schema}"'.encode())
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
