"""Who this process is, so that others of the same machine can tell that it is gone.

Linux alone says what is needed: an id of the boot, namespaces, and when a process began. Where any
of it cannot be read nothing is known, and nothing is claimed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

__all__ = ["Process", "Processes", "SystemProcesses", "boot_timeline"]

_PROC: Final = Path("/proc")
_ENDED: Final = b"ZXx"  # zombie, dead
_STATE, _THREADS, _STARTED = 0, 17, 19  # fields 3, 20 and 22 of proc_pid_stat(5), after the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process: `pid` is a name within `scope` alone, and may be given again.

    `scope` is the boot with the namespaces of pids and of time; `started` is when the process
    began, in clock ticks after the boot, which tells it from a later one of the same pid.
    """

    scope: str
    pid: int
    started: int


class Processes(Protocol):
    """The table of processes that this one can see."""

    @property
    def host(self) -> str:
        """The name of the machine, for people."""
        ...

    def this(self) -> Process | None:
        """The process that asks, None where it cannot be told from others."""
        ...

    def is_gone(self, process: Process) -> bool:
        """True if a process of our own scope has ended for certain. False where it is not known."""
        ...


class SystemProcesses:
    """The machine's own table, by /proc and by signal 0."""

    @property
    def host(self) -> str:
        """The name of the machine, for people."""
        return os.uname().nodename

    def this(self) -> Process | None:
        """The process that asks; None without the /proc of its own pid namespace.

        Cost: five small files are read. Nothing of it is kept: a fork has another pid, and what is
        restored from an image of a process is in another boot.
        """
        pid = os.getpid()
        timeline = boot_timeline()
        try:
            if timeline is None or str((_PROC / "self").readlink()) != str(pid):
                return None  # that /proc tells of another namespace
            pids = (_PROC / "self/ns/pid").readlink()
            started = int(_stat(pid)[_STARTED])
        except (OSError, ValueError, IndexError):
            return None
        return Process(scope=f"{timeline} {pids}", pid=pid, started=started)

    def is_gone(self, process: Process) -> bool:
        """True if there is no such process any more. One that is stopped is there.

        That it cannot be seen in /proc proves nothing (it may be hidden); that no signal can be
        sent to it, since there is no such pid, does.
        """
        try:
            with suppress(PermissionError):  # another user's, so it is there
                os.kill(process.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        try:
            fields = _stat(process.pid)
            began, threads = int(fields[_STARTED]), int(fields[_THREADS])
        except (OSError, ValueError, IndexError):
            return False
        if began != process.started:
            return True
        return fields[_STATE] in _ENDED and threads <= 1  # its first thread may have ended alone


def boot_timeline() -> str | None:
    """What `time.monotonic` of this process is comparable within; None where that is not known.

    On Linux it is shared by all processes of one boot that have the same offset, which is what a
    time namespace gives.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        offset = ""
        with suppress(FileNotFoundError):  # a kernel from before there were time namespaces
            offset = str((_PROC / "self/ns/time").readlink())
    except (OSError, ValueError):
        return None
    return f"linux {boot} {offset}".rstrip()


def _stat(pid: int) -> list[bytes]:
    """What /proc says of a process, from the third field on: the second may hold any sign."""
    return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
