"""Media that cannot be written, for tests: mounted so, or by permissions; skipped by name else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.stores.full import small_disk

Medium: TypeAlias = Callable[[Path, Path], "Iterator[list[str]]"]


@contextmanager
def mounted_read_only(source: Path, place: Path) -> Iterator[list[str]]:
    """What is in `source` on a disk of its own, mounted without leave to write."""
    with small_disk(place, "8m") as disk:
        shutil.copytree(source, disk, dirs_exist_ok=True)
        _mount("-o", "remount,ro", str(disk))
        yield []


@contextmanager
def bound_read_only(source: Path, place: Path) -> Iterator[list[str]]:
    """`source` itself at another place, where it cannot be written; others still can."""
    place.mkdir()
    _mount("--bind", str(source), str(place))
    try:
        _mount("-o", "remount,ro,bind", str(place))
        yield []
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def by_permissions(source: Path, place: Path) -> Iterator[list[str]]:
    """Files 0444 in a folder 0555, and what has a command obey that where the tests run as root."""
    shutil.copytree(source, place)
    for path in place.iterdir():
        path.chmod(0o444)
    place.chmod(0o555)
    try:
        yield _without_root()
    finally:
        place.chmod(0o755)


MEDIA = {
    "mounted": mounted_read_only,
    "bound": bound_read_only,
    "permissions": by_permissions,
}


def _mount(*args: str) -> None:
    mounted = subprocess.run(["mount", *args], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs root and mount: {mounted.stderr.strip()}")


def _without_root() -> list[str]:
    """The words before a command that take away root's leave to pass over permissions."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root passes over permissions, and there is no setpriv to give that up")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--"]


def python(before: list[str], code: str, *args: str) -> str:
    """What Python prints that runs `code` with `args` under the words `before`."""
    command = [*before, sys.executable, "-c", code, *args]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout
