"""Pages as scripts: the files that a page shows are written, and its commands are run, in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Shell", "check"]

_BLOCK = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")
_NAMED = re.compile(r"# ([\w./-]+\.(?:yaml|py|toml))\n")
_VARYING = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"\b\d+(\.\d+)? (ms|s|m|h)\b( \d+ (s|m))?", "AGE"),
    (r"\bin \d+\.\d+s\b", "in AGE"),
    (r"(?m)^ +\^+\n", ""),
    (r"[ ─-]+", " "),
    (r"\bz3 \d[\d.]*\d", "z3 VERSION"),
    (r"\bas of seq \d+", "as of seq N"),
    (r"\d+ TIME", "SEQ TIME"),
    (r"\b(sound|cannot tell) \d+ \d+", r"\1 COMMITS CHECKPOINTS"),
)
"""What differs from run to run, or from place to place: times, digests, the version of the solver,
how many commits a run of threads makes, and marks below a line of a traceback."""


@dataclass(frozen=True)
class Shell:
    """Runs commands in `folder`, where Python also finds the modules in `paths`."""

    folder: Path
    paths: tuple[Path, ...] = ()
    columns: int = 200

    def run(self, command: str) -> str:
        """What the command prints, on both of its outputs, as one would see it."""
        places = os.pathsep.join(map(str, (*self.paths, os.environ.get("PYTHONPATH", ""))))
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        done = subprocess.run(
            shlex.split(command),
            cwd=self.folder,
            env={
                **_at_a_terminal(),
                "PATH": path,
                "PYTHONPATH": places,
                "COLUMNS": str(self.columns),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout


def _at_a_terminal() -> dict[str, str]:
    """This process's variables, but for those by which pytest tells more than it would."""
    return {
        name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")
    }


def check(page: Path, shell: Shell) -> None:
    """Raise AssertionError unless each command prints what the page says, but for times.

    With MILEPOST_UPDATE_DOCS=1 the page is written anew instead, where it differs.
    """
    text = page.read_text(encoding="utf-8")

    def done(block: re.Match[str]) -> str:
        kind, content = block[1], block[2]
        named = _NAMED.match(content)
        if kind in ("yaml", "py", "toml") and named:
            (shell.folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (shell.folder / named[1]).write_text(content, encoding="utf-8")
        if kind != "console":
            return block[0]
        shown = "".join(_told(command, content, shell) for command in _commands(content))
        return f"```console\n{shown}```"

    shown = _BLOCK.sub(done, text)
    if os.environ.get("MILEPOST_UPDATE_DOCS"):
        page.write_text(shown, encoding="utf-8")
    assert shown == text


def _commands(content: str) -> list[str]:
    return re.findall(r"(?m)^\$ (.*)$", content)


def _told(command: str, content: str, shell: Shell) -> str:
    """The command with what it prints; as the page has it, where only times differ."""
    printed = shell.run(command)
    before = content.split(f"$ {command}\n", 1)[1].split("\n$ ", 1)[0]
    before = before if before.endswith("\n") or not before else before + "\n"
    same = _unvaried(before) == _unvaried(printed)
    return f"$ {command}\n{before if same else printed}"


def _unvaried(text: str) -> str:
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.split("\n"))
