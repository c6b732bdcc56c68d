"""The Pythons of this machine that the package says it runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["SUPPORTED", "wanted"]

_CLASSIFIER: Final = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_PROJECT: Final = tomllib.loads(
    (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
)["project"]
SUPPORTED: Final = tuple(
    found[1] for line in _PROJECT["classifiers"] if (found := _CLASSIFIER.fullmatch(line))
)
"""The versions that the metadata name."""
_TOLD: Final = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"


def wanted() -> Mapping[str, Path]:
    """A Python of each version to try: that of the tests, or with MILEPOST_PYTHONS=all each one.

    They are looked for where pyenv keeps its own, then on PATH.
    """
    own = {f"{sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}
    if os.environ.get("MILEPOST_PYTHONS") != "all":
        return own
    found: dict[str, Path] = {}
    for python in (*_of_pyenv(), *_on_path()):
        version = _version(python)
        if version in SUPPORTED:
            found.setdefault(version, python)
    return {version: found[version] for version in SUPPORTED if version in found} or own


def _of_pyenv() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(root.glob("versions/*/bin/python"))


def _on_path() -> list[Path]:
    folders = os.environ["PATH"].split(os.pathsep)
    names = [f"python{version}" for version in SUPPORTED]
    return [
        Path(python)
        for folder in folders
        for name in names
        if (python := shutil.which(name, path=folder))
    ]


def _version(python: Path) -> str | None:
    """None where it does not start, or could not make an environment with pip in it."""
    asked = subprocess.run(
        [str(python), "-c", _TOLD], capture_output=True, text=True, timeout=60, check=False
    )
    return asked.stdout.strip() if asked.returncode == 0 else None
