"""A small process that has imported everything and opened nothing, and forks children to kill.

It is spoken to in lines of JSON. A request holds a child's work, which signals to send it, and
when: `delay_s` after the start, or after the `nth` time that it said `at`. News come back: that the
signals are sent or the child stands still, and what became of it. The process has one thread, so
forking it is sound.
"""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import spawn
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeAlias

from milepost import arguments
from milepost.text.wording import short_repr

__all__ = ["STOPS", "Child", "Fate", "Nursery", "Work"]

Tell: TypeAlias = Callable[[str], None]
Work: TypeAlias = Callable[[Tell], object]

STOPS: Final = "stands still"
"""What a child says before it stops itself by SIGSTOP."""

_PATIENCE_S: Final = 60.0
_ANSWER_S: Final = 5.0  # for the nursery to say what it has heard, and for stacks to be written
_WHERE: Final = signal.SIGUSR2
"""At this signal a child prints where its threads are."""
_AGAIN_S: Final = 0.1  # between the signals of one who insists, as a person would


@short_repr
class Fate(NamedTuple):
    """How a child ended: `doing` is the last thing that it said."""

    killed: bool
    status: int
    doing: str


class Child:
    """A process that was begun, and is known to have been sent its signals, to stand or to be gone.

    `pid` is its process id, `stands` is true if it stopped itself.
    """

    def __init__(self, nursery: Nursery, number: int) -> None:
        self._nursery = nursery
        self._number = number
        self._fate: Fate | None = None
        self.news: deque[list[Any]] = deque()
        self.stands = False
        _, self.pid = self._next("begun")
        self._next("")

    def end(self) -> Fate:
        """How it ended, once it has: its workers may live for a moment more."""
        while self._fate is None:
            self._next("")
        return self._fate

    def _next(self, awaited: str) -> list[Any]:
        news = self._nursery.news_of(self._number, self)
        assert not awaited or news[0] == awaited, news
        if news[0] == "ended":
            self._fate = Fate(*news[1:])
        self.stands = news[0] == "stopped"
        return news


class Nursery:
    """The process, from outside: starts it, asks it for children, ends it. For one thread.

    Args:
        errors: A new file for what children write on stderr.
        patience_s: So many seconds of silence, and a child is taken for one that does not end.
    """

    def __init__(self, errors: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._errors = errors
        self._patience_s = arguments.seconds("patience_s", patience_s)
        self._children: dict[int, Child] = {}
        self._begun = 0
        errors.parent.mkdir(parents=True, exist_ok=True)
        with errors.open("w") as file:
            self._process = subprocess.Popen(  # noqa: S603  this Python, and this module
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                bufsize=0,
            )
        prepared = spawn.get_preparation_data("nursery")
        prepared.pop("authkey", None)  # which is a secret of its process, and is not pickled
        self._write(pickle.dumps(prepared).hex())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and with it the children that are left."""
        self._process.communicate(timeout=30)
        assert error or self._process.returncode == 0, self.errors()

    def errors(self) -> str:
        """What the process and its children wrote on stderr."""
        return self._errors.read_text(errors="replace")

    def begin(
        self,
        work: Work,
        *,
        at: str = "",
        nth: int = 1,
        delay_s: float | None = None,
        signals: Sequence[int] = (signal.SIGKILL,),
    ) -> Child:
        """A child that was sent its signals, stands still, or has ended before.

        Args:
            work: What it does, with a function by which it says what it is about. It is pickled:
                a function of a module, or a `partial` of one.
            at: Signals are sent after it said this; with nothing, after its start.
            nth: The so manieth time that it says so.
            delay_s: So many seconds later. Without a delay it is left to end by itself.
            signals: The first of them, and the last again and again until it has ended.
        """
        self._begun += 1
        request = [self._begun, pickle.dumps(work).hex(), at, nth, delay_s, list(map(int, signals))]
        self._write(json.dumps(request))
        return Child(self, self._begun)

    def news_of(self, number: int, child: Child) -> list[Any]:
        """The next that is heard of the child of that number.

        Raises AssertionError where that takes longer than the nursery has patience.
        """
        self._children[number] = child
        while not child.news:
            assert self._hears(self._patience_s), self._unended(number)
        return child.news.popleft()

    def _hears(self, within_s: float) -> bool:
        """Wait for news of any child: true if there were some in time."""
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], within_s)[0]:
            return False
        line = stdout.readline()
        assert line, self.errors()
        whose, *news = json.loads(line)
        self._children[whose].news.append(news)
        return True

    def _unended(self, number: int) -> str:
        """What to say of a child that does not end: what it said last, and where it is."""
        self._write(json.dumps([number]))
        said = "nothing that is known"
        if self._hears(_ANSWER_S):
            match self._children[number].news:
                case [["said", str(last)]]:
                    said = repr(last) if last else "nothing"
        return (
            f"a process does not end: nothing was heard of it for {self._patience_s:g} s, and the"
            f" last that it said was {said}. To wait longer, or not as long, give"
            f" `nursery=Nursery(FILE, patience_s=SECONDS)`. It and those before it printed:\n"
            f"{self.errors()}"
        )

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@dataclass
class _Attended:
    """A child as the nursery has it."""

    number: int
    pid: int
    reading: int
    at: str
    nth: int
    delay_s: float | None
    signals: list[int]
    said: str = ""
    heard: bytes = b""
    seen: int = 0
    signalled: bool = False
    due_s: float | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        if self.delay_s is not None and not self.at:
            self.due_s = time.monotonic() + self.delay_s

    def hears(self, chunk: bytes) -> None:
        *lines, self.heard = (self.heard + chunk).split(b"\n")
        for line in lines:
            said = line.decode()
            if said == STOPS:
                self._stands()
                _say(self.number, "stopped")
                continue
            self.said = said
            self.seen += said == self.at
            if said == self.at and self.seen == self.nth and self.delay_s is not None:
                self.due_s = time.monotonic() + self.delay_s

    def is_due(self) -> None:
        number = self.signals[-1] if self.signalled else self.signals[0]
        os.kill(self.pid, number)
        if number == signal.SIGSTOP:
            self._stands()
        if not self.signalled:
            _say(self.number, "signalled")
        self.signalled = True
        self.due_s = time.monotonic() + _AGAIN_S if len(self.signals) > 1 else None

    def ends(self) -> None:
        os.close(self.reading)
        if self.status is None:
            _, self.status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(self.status)
        _say(self.number, "ended", code == -signal.SIGKILL, abs(code), self.said)

    def _stands(self) -> None:
        """Wait until it has stopped, or has ended before."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.status = status


def _say(*news: object) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def _serve() -> None:
    """Attend to requests and children until nobody asks any more."""
    children: dict[int, _Attended] = {}
    heard = b""
    prepared = False
    while True:
        dues = [child.due_s for child in children.values() if child.due_s is not None]
        left_s = max(0.0, min(dues) - time.monotonic()) if dues else None
        ready = select.select([0, *children], [], [], left_s)[0]
        for reading in ready:
            chunk = os.read(reading, 65536)
            if reading in children and chunk:
                children[reading].hears(chunk)
            elif reading in children:
                children.pop(reading).ends()
            elif chunk:
                *lines, heard = (heard + chunk).split(b"\n")
                for line in lines:
                    if not prepared:  # as a process that multiprocessing spawns
                        spawn.prepare(pickle.loads(bytes.fromhex(line.decode())))  # noqa: S301
                        prepared = True
                        continue
                    request = json.loads(line)
                    if len(request) == 1:
                        _tell_of(request[0], children.values())
                        continue
                    child = _begun(*request)
                    children[child.reading] = child
            else:
                for child in children.values():
                    os.kill(child.pid, signal.SIGKILL)
                return
        for child in children.values():
            if child.due_s is not None and child.due_s <= time.monotonic():
                child.is_due()


def _tell_of(number: int, children: Iterable[_Attended]) -> None:
    """What the child of that number said last, once it has printed where its threads are."""
    for child in children:
        if child.number == number and child.status is None:
            os.kill(child.pid, _WHERE)
            time.sleep(0.5)  # a thread of it writes
            _say(number, "said", child.said)


def _begun(number: int, pickled: str, *when: Any) -> _Attended:
    work = pickle.loads(bytes.fromhex(pickled))  # noqa: S301  what our parent has made
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _be_a_child(work, writing)
    os.close(writing)
    _say(number, "begun", pid)
    return _Attended(number, pid, reading, *when)


def _be_a_child(work: Work, writing: int) -> None:
    def tell(said: str) -> None:
        os.write(writing, f"{said}\n".encode())

    status = 1
    faulthandler.register(_WHERE, all_threads=True)
    try:
        work(tell)
        status = 0
    except BaseException:  # noqa: BLE001  the edge of the child: it must not outlive this
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    with suppress(ImportError):  # where it is installed no child has to import it
        import milepost.stores.postgres.store
    import milepost.state.manager
    import milepost.stores.sqlite.store  # noqa: F401

    _serve()
