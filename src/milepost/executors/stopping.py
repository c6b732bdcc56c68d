"""Stop requests: by a handle, a signal, a future that is cancelled, or the manager being closed.

Whatever asks, the run ends in the same order: nothing begins, what is under way may end, the rest
is handed back. Each of these may come from another thread, and while the run sleeps.
"""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from signal import Signals
from types import FrameType
from typing import Any, Final, Protocol

from milepost.arguments import text
from milepost.state.manager import StateManager
from milepost.text.wording import one_line

__all__ = ["Stop", "Stopping", "following", "listening", "stop_signals"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LEAVING_S: Final = 5.0  # beyond the grace of its calls: for the last commits of a run


class _Tell(Protocol):
    def __call__(self, reason: str, *, hurried: bool) -> None: ...


class Stop:
    """A handle that any thread can stop runs by: give it to `run(..., stop=stop)`.

    It may be asked before the run begins, which then begins nothing, and may be given to several
    runs. It stays asked: for later runs there is another. Safe in a signal handler.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of who listens; `request` takes none
        self._heard: tuple[_Tell, ...] = ()
        self._reason: str | None = None
        self._hurried = False

    def __repr__(self) -> str:
        return one_line(
            f"<stop, {'not asked' if self._reason is None else f'asked: {self._reason}'}>"
        )

    @property
    def requested(self) -> bool:
        """True once it was asked."""
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why, as whoever asked first said; empty before."""
        return self._reason or ""

    def request(self, reason: str = "asked to stop") -> None:
        """Stop the runs that have this handle. Asked again, they wait for no call any more."""
        self.tell(text("reason", reason, least=1), hurried=self._reason is not None)

    def tell(self, reason: str, *, hurried: bool) -> None:
        """As `request`; the same again changes nothing.

        Args:
            reason: The reason, for people; the first one stays.
            hurried: Wait for no call any more.
        """
        if self._reason is None:
            self._reason = reason
        self._hurried = self._hurried or hurried
        for tell in self._heard:
            tell(self._reason, hurried=self._hurried)

    @contextmanager
    def heard_by(self, tell: _Tell) -> Iterator[None]:
        """Call `tell` while the block runs, at each request and for those that came before.

        With the first reason, and whether it was asked again; the same may come twice. It must be
        safe in a signal handler.
        """
        with self._lock:
            self._heard = (*self._heard, tell)
        try:
            if self._reason is not None:
                tell(self._reason, hurried=self._hurried)
            yield
        finally:
            with self._lock:
                self._heard = tuple(one for one in self._heard if one is not tell)


@contextmanager
def following(stop: Stop) -> Iterator[Stop]:
    """A handle of its own that is asked whenever `stop` is, while the block runs."""
    own = Stop()
    with stop.heard_by(own.tell):
        yield own


@dataclass(slots=True, eq=False)
class Stopping:
    """Whether one run was asked to stop, by what, and whether that insists.

    `wake` is called at each request. While `interruptible`, the second signal raises
    KeyboardInterrupt from where the main thread is.
    """

    requested: bool = False
    reason: str = ""
    signal: Signals | None = None
    hurried: bool = False
    interruptible: bool = False
    wake: Callable[[], None] = field(default=lambda: None)

    def tell(self, reason: str, *, hurried: bool = False, number: Signals | None = None) -> None:
        """Stop, at once if it is `hurried`; told of the same again, nothing changes.

        Safe in a signal handler.
        """
        if not self.requested:
            self.reason, self.signal = reason, number
            self.requested = True
        self.hurried = self.hurried or hurried
        self.wake()


@contextmanager
def listening(manager: StateManager, stop: Stop | None, grace_s: float) -> Iterator[Stopping]:
    """What one run has to look at, while the block runs.

    It is told by `stop`, by the manager when that is closed, which waits for the block to end, and
    by the future of the call that this thread is working on, when that is cancelled.
    """
    stopping = Stopping()
    with (
        (stop or Stop()).heard_by(stopping.tell),
        manager.users.present(
            partial(stopping.tell, "its manager is closed"), grace_s + _LEAVING_S
        ),
        _told_by_future(stopping),
    ):
        yield stopping


@contextmanager
def stop_signals(stopping: Stopping) -> Iterator[None]:
    """Note signals while the block runs; the handlers before come back.

    In a thread other than the main one nothing is installed: Python lets no other handle any.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked = Signals(number)
        stopping.tell(asked.name, hurried=stopping.requested, number=asked)
        if stopping.hurried and stopping.interruptible:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told_by_future(stopping: Stopping) -> Iterator[None]:
    """While the block runs, a `cancel` of the future that this thread works for asks to stop.

    `await asyncio.to_thread(run, ...)` is such a future, and asyncio cancels it with the task that
    awaits it: by Ctrl-C, a timeout, or whatever ends the task. A call that runs cannot be
    cancelled, so that this leaves no other trace.
    """
    future = _future_of_this_thread()
    if future is None:
        yield
        return
    before = future.__dict__.get("cancel")
    inner = future.cancel

    def cancel() -> bool:
        stopping.tell("its future was cancelled")
        return inner()

    future.__dict__["cancel"] = cancel
    try:
        yield
    finally:
        if before is None:
            del future.__dict__["cancel"]
        else:
            future.__dict__["cancel"] = before


def _future_of_this_thread() -> Future[Any] | None:
    """The future of the call that a thread pool has this thread work on; None if there is none.

    The pool tells nobody, so it is looked for where the pool calls.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == (
            "concurrent.futures.thread",
            "run",
        ):
            found = getattr(frame.f_locals.get("self"), "future", None)
            if isinstance(found, Future):
                return found  # Python 3.14 has another call of this name below it
        frame = frame.f_back
    return None
