"""DOT to SVG by the pinned renderer, so that a drawing is the same bytes everywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Final

from milepost.drawings.arrange import arranged
from milepost.drawings.dress import dressed
from milepost.drawings.layout import Layout, read
from milepost.drawings.spread import spread
from milepost.machine import MilepostError
from milepost.text.escapes import printable

__all__ = ["RendererFailed", "RendererMissing", "render_svg"]

_PROGRAM: Final = "graphviz-pure"
_VERSION: Final = "0.2.2"  # as pyproject.toml pins it
_TIMEOUT_S: Final = 120
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_BACKSLASH: Final = "\ue000"  # private, so that no text which is safe to show holds it
_PREAMBLE: Final = re.compile(r"\A.*?(?=<svg\b)", re.DOTALL)
_SIDE: Final = re.compile(r":[nswe](?=&#45;&gt;|</title>)")  # where an arrow ends, in its title
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

    It is laid out anew with other spacings while labels lie on something; texts are as wide as the
    layout keeps for them, whatever font shows them, and colours change on dark pages.
    Raises RendererMissing or RendererFailed.

    Cost: one process a layout, 2 to 11 for the built-in lifecycle; none for a text drawn of late.
    """
    renderer = _renderer()
    if renderer is None:
        raise RendererMissing
    return _drawn(str(renderer), dot)


@lru_cache(maxsize=16)
def _drawn(renderer: str, dot: str) -> str:
    hidden = _ESCAPE.sub(_hidden, dot)
    best = arranged(hidden, lambda text: _reported(_run(renderer, text, "-Tjson")))
    svg, end, report = _run(renderer, best, "-Tsvg", "-Tjson").partition("</svg>")
    if not end:
        raise RendererFailed(problem="no drawing in its output")
    drawn = _GENERATOR.sub("", _PREAMBLE.sub("", svg + end)).replace("\r\n", "\n")
    drawn = _SIDE.sub("", drawn)
    layout = _reported(report)
    return dressed(spread(f"{drawn}\n", layout), layout.texts).replace(_BACKSLASH, "\\")


def _run(renderer: str, dot: str, *forms: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, the drawing on its standard input
            [renderer, *forms],
            input=dot.encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RendererFailed(problem=str(error)) from error
    if done.returncode != 0:
        problem = done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}"
        raise RendererFailed(problem=problem)
    return done.stdout.decode(errors="replace")


def _reported(report: str) -> Layout:
    try:
        return read(json.loads(report))
    except ValueError as error:
        raise RendererFailed(problem=f"no report of its layout: {error}") from error


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
