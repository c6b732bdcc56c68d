"""A limit to how long a test waits for what never comes, which says where it waits."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import ClassVar, Final

import pytest

__all__ = ["Bounded", "bounded", "place_of"]

_LOOKS: Final = 50  # in the time that a test is given
_LOOK_S: Final = 5.0
_CONTRACTS: Final = f"{__package__}."
_OURS: Final = (__name__, f"{__package__}.stores.turns")


class Bounded:
    """Ends a test in which nothing is called any more. It has no tests."""

    patience_s: ClassVar[float] = 120.0
    """Seconds in which nothing happens, after which a test is ended: it waits for what never comes.
    What is known to have to come is waited for half as long."""

    @pytest.fixture(autouse=True)
    def _bounded(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
        """Each call adds to a file below `tmp_path`."""

        def added() -> int:
            found = os.walk(tmp_path)
            return sum(
                _bytes_of(Path(folder, name)) for folder, _, names in found for name in names
            )

        with bounded(request.node.name, self.patience_s, added, lambda: "no call was made"):
            yield


@contextmanager
def bounded(
    test: str, patience_s: float, life: Callable[[], object], silence: Callable[[], str]
) -> Iterator[None]:
    """End what this thread does in the block, where `life` gives the same for so many seconds.

    It is ended by a failure of the test, which no `except Exception` stops, and again and again if
    what cleans up waits as well. Only the main thread can be ended like that.

    Args:
        test: The name of the test.
        patience_s: For so long the same may be given.
        life: What changes as the test goes on; it is asked in another thread.
        silence: What there is to say of it then.
    """
    main = threading.get_ident()
    if main != threading.main_thread().ident or not hasattr(signal, "pthread_kill"):
        yield
        return
    over = threading.Event()

    def ends(number: int, frame: FrameType | None) -> None:
        del number
        if not over.is_set():
            pytest.fail(
                f"{test} waits for what does not come: {silence()} for {patience_s:g} s. It is at"
                f" {place_of(frame)}. To wait longer, or not as long, give the class of the test"
                " `patience_s = SECONDS`"
            )

    def watches() -> None:
        seen, since_s = life(), time.monotonic()
        while not over.wait(min(patience_s / _LOOKS, _LOOK_S)):
            now = life()
            if now != seen:
                seen, since_s = now, time.monotonic()
            elif time.monotonic() - since_s > patience_s:
                signal.pthread_kill(main, signal.SIGUSR2)
                since_s = time.monotonic()

    before = signal.signal(signal.SIGUSR2, ends)
    watch = threading.Thread(target=watches, name="milepost-patience", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()
        signal.signal(signal.SIGUSR2, before or signal.SIG_DFL)


def _bytes_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # it was there a moment ago
        return 0


def place_of(frame: FrameType | None = None) -> str:
    """The line of a contract from which a thread came to `frame`, and its name if it is another."""
    at = frame or sys._getframe(1)  # noqa: SLF001 there is no other way
    innermost = at
    while not _is_of_a_contract(at) and at.f_back is not None:
        at = at.f_back
    at = at if _is_of_a_contract(at) else innermost
    thread = threading.current_thread()
    beside = "" if thread is threading.main_thread() else f" in {thread.name}"
    return f"{Path(at.f_code.co_filename).name}:{at.f_lineno}{beside}"


def _is_of_a_contract(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return name.startswith(_CONTRACTS) and name not in _OURS
