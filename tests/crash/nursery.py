"""A small process that has imported everything and opened nothing, and forks children to kill.

It is spoken to in lines of JSON. A request holds the child's work, which signals to send it, and
when: `delay_s` after the start, or after the `nth` time that it said `at`. The first answer says
that the signals are sent, the second what became of the child. The process has one thread, so
forking it is sound.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

with suppress(ImportError):  # where it is installed no child has to import it
    import milepost.stores.postgres.store  # noqa: F401
from tests.crash.work import Spec, wait_until_alone, work

_PATIENCE_S = 60.0
_AGAIN_S = 0.1  # between the signals of one who insists, as a person would


class Request(NamedTuple):
    """A child to raise, and when to send it which signals."""

    spec: Spec
    at: str
    nth: int
    delay_s: float | None
    signals: tuple[int, ...]


class Fate(NamedTuple):
    """What became of a child: `doing` is the last thing that it said."""

    killed: bool
    status: int
    doing: str


class Nursery:
    """The other end: starts the process, asks it for children, ends it."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        with errors.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=Path(__file__).parents[2],
                bufsize=0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0, self._errors.read_text()

    def raise_child(
        self,
        spec: Spec,
        *,
        at: str = "",
        nth: int = 1,
        delay_s: float | None = None,
        signals: Sequence[int] = (signal.SIGKILL,),
    ) -> Fate:
        """What became of a child that did `spec`. Without a delay it is left to end by itself."""
        self.begin_child(spec, at=at, nth=nth, delay_s=delay_s, signals=signals)
        return self.end_child()

    def begin_child(
        self, spec: Spec, *, at: str, nth: int, delay_s: float | None, signals: Sequence[int]
    ) -> int:
        """The process id of a child that has been sent its signals, or has ended before."""
        request = Request(spec, at, nth, delay_s, tuple(signals))
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return int(self._answer())

    def end_child(self) -> Fate:
        """What became of the child that was begun, once it and its workers are gone."""
        fate = Fate(*self._answer())
        assert fate.killed or fate.status == 0, self._errors.read_text()
        return fate

    def _answer(self) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        in_time = select.select([stdout], [], [], _PATIENCE_S)[0]
        assert in_time, "a child does not end, or its workers have outlived it"
        answer = stdout.readline()
        assert answer, self._errors.read_text()
        return json.loads(answer)


def _serve() -> None:
    for line in sys.stdin:
        spec, *when = json.loads(line)
        request = Request(Spec(*spec), *when)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _be_a_child(request.spec, writing)
        os.close(writing)
        fate = _attend(child, reading, request)
        os.close(reading)
        wait_until_alone(request.spec.journal)
        print(json.dumps(fate), flush=True)


def _be_a_child(spec: Spec, writing: int) -> None:
    def tell(said: str) -> None:
        os.write(writing, f"{said}\n".encode())

    status = 1
    try:
        work(spec, tell)
        status = 0
    except BaseException:  # noqa: BLE001  the edge of the child: it must not outlive this
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _attend(child: int, reading: int, request: Request) -> Fate:
    """Listen to a child until it has ended, and signal it when its time has come."""
    said = ""
    heard = b""
    seen = 0
    signalled = False
    due_s = None
    if request.delay_s is not None and not request.at:
        due_s = time.monotonic() + request.delay_s
    while True:
        left_s = None if due_s is None else max(0.0, due_s - time.monotonic())
        if not select.select([reading], [], [], left_s)[0]:
            if not signalled:
                print(child, flush=True)
            os.kill(child, request.signals[-1] if signalled else request.signals[0])
            signalled = True
            due_s = time.monotonic() + _AGAIN_S if len(request.signals) > 1 else None
            continue
        chunk = os.read(reading, 65536)
        if not chunk:
            break
        *lines, heard = (heard + chunk).split(b"\n")
        for line in lines:
            said = line.decode()
            seen += said == request.at
            if said == request.at and seen == request.nth and request.delay_s is not None:
                due_s = time.monotonic() + request.delay_s
    if not signalled:
        print(child, flush=True)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return Fate(code == -signal.SIGKILL, abs(code), said)


if __name__ == "__main__":
    _serve()
