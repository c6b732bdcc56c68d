"""DOT to SVG by the pinned renderer, so that a drawing is the same bytes everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from milepost.machine import MilepostError
from milepost.text.escapes import printable

__all__ = ["RendererFailed", "RendererMissing", "render_svg"]

_PROGRAM: Final = "graphviz-pure"
_VERSION: Final = "0.2.2"  # as pyproject.toml pins it
_TIMEOUT_S: Final = 120
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_BACKSLASH: Final = "\ue000"  # private, so that no text which is safe to show holds it
_PREAMBLE: Final = re.compile(r"\A.*?(?=<svg\b)", re.DOTALL)
_GENERATOR: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)


class RendererMissing(MilepostError):
    """The renderer is not installed."""

    code: ClassVar[str] = "renderer-missing"

    def __str__(self) -> str:
        return f"{_PROGRAM} is not installed; say: pip install {_PROGRAM}=={_VERSION}"


@dataclass(eq=False, kw_only=True)
class RendererFailed(MilepostError):
    """The renderer gave no drawing."""

    code: ClassVar[str] = "renderer-failed"
    problem: str

    def __str__(self) -> str:
        return printable(
            f"{_PROGRAM} gave no drawing: {self.problem}; version {_VERSION} is the one that is"
            f" known to work: pip install {_PROGRAM}=={_VERSION}"
        )


def render_svg(dot: str) -> str:
    """The drawing of `dot`, without declarations and comments.

    Raises RendererMissing or RendererFailed. Starts one process.
    """
    renderer = _renderer()
    if renderer is None:
        raise RendererMissing
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, the drawing on its standard input
            [str(renderer), "-Tsvg"],
            input=_ESCAPE.sub(_hidden, dot).encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RendererFailed(problem=str(error)) from error
    svg = done.stdout.decode(errors="replace")
    if done.returncode != 0 or "<svg" not in svg:
        problem = done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}"
        raise RendererFailed(problem=problem)
    drawn = _GENERATOR.sub("", _PREAMBLE.sub("", svg)).replace("\r\n", "\n")
    return drawn.replace(_BACKSLASH, "\\")


def _renderer() -> Path | None:
    """The renderer beside the running Python, else on the path, else None."""
    beside = Path(sys.executable).parent / _PROGRAM
    if beside.is_file():
        return beside
    found = shutil.which(_PROGRAM)
    return Path(found) if found else None


def _hidden(escape: re.Match[str]) -> str:
    """An escaped backslash as a sign of its own: the renderer reads names into what follows."""
    return _BACKSLASH if escape[1] == "\\" else escape[0]
