"""A program on a terminal of its own, and what is seen there when it has ended."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

_SIGN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b[^\[]|([^\x1b])", re.DOTALL)


@dataclass(frozen=True)
class Ended:
    """How a program ended, what it wrote to the terminal, and what is to be seen there."""

    code: int
    written: str
    lines: list[str]

    @property
    def cursor_shown(self) -> bool:
        """True if whoever types next sees where."""
        hidden, shown = self.written.rfind("\x1b[?25l"), self.written.rfind("\x1b[?25h")
        return shown >= hidden


def on_terminal(
    code: str,
    folder: Path,
    *,
    columns: int = 100,
    kill: tuple[str, signal.Signals] | None = None,
    stdout: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Run `code` with a terminal for its outputs; after a text was seen there, `kill` it.

    With `stdout` that output goes into the file instead.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    out = theirs if stdout is None else os.open(stdout, os.O_CREAT | os.O_WRONLY)
    program = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", **(environment or {})},
        stdin=theirs,
        stdout=out,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65_536)
        except OSError:  # nobody holds the other end any more
            break
        if not read:
            break
        written += read
        if kill is not None and kill[0].encode() in written:
            program.send_signal(kill[1])
            kill = None
    os.close(ours)
    code_of_end = program.wait(30)
    text = written.decode()
    return Ended(code_of_end, text, screen(text))


def screen(written: str) -> list[str]:
    """The lines that a terminal shows of what was written: only what our output uses of it."""
    lines = [""]
    row = column = 0
    for match in _SIGN.finditer(written):
        argument, command, char = match[1], match[2], match[3]
        if command == "A":
            row = max(row - int(argument or 1), 0)
        elif command == "K":
            lines[row] = ""
        elif char == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif char == "\r":
            column = 0
        elif char:
            lines[row] = lines[row].ljust(column)[:column] + char + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
