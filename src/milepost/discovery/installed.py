"""What installed packages name under a group of entry points, at little cost where none names it.

The standard library's reader of entry points takes longer to import than most commands run. So the
files that it would read are looked through first, for the name of the group alone: the reader is
asked unless no such file has it. A folder is looked through once, until something is put into it or
taken away.
"""

from __future__ import annotations

import os
import sys
import time
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["entries"]

_METADATA: Final = (".dist-info", ".egg-info")
_STEP: Final = 2_000_000_000
"""The longest step in which a file system counts times, in nanoseconds: that of FAT."""


def entries(group: str) -> list[EntryPoint]:
    """The entry points of `group`, sorted by name and value.

    Cost:
        A small file for each installed package, the first time; where one names the group, the
        import of importlib.metadata, and all those files again, each time.
    """
    if not any(hasattr(each, "find_distributions") for each in sys.meta_path if each != PathFinder):
        wanted = group.encode()
        if not any(_may_name(wanted, folder) for folder in sys.path):
            return []
    from importlib.metadata import entry_points  # noqa: PLC0415 slow, and seldom needed

    return sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value))


def _may_name(group: bytes, folder: object) -> bool:
    """False if nothing that is installed in `folder` names the group: True where it is not seen."""
    if not isinstance(folder, str):
        return True
    if folder.lower().rstrip("/\\").endswith(".egg"):
        return True
    try:
        seen = os.stat(folder or os.curdir)  # noqa: PTH116 of all folders, in each command
    except FileNotFoundError:
        return False
    except OSError:
        return True
    # A folder's time goes on in steps: what changed just now may change again, and not show it.
    look = _looked if time.time_ns() - seen.st_mtime_ns > _STEP else _looked.__wrapped__
    return look(group, folder, (seen.st_dev, seen.st_ino, seen.st_mtime_ns))


@lru_cache(maxsize=64)  # of a few folders, for a group or two
def _looked(group: bytes, folder: str, seen: tuple[int, ...]) -> bool:  # noqa: ARG001 is a key
    """As `_may_name` says, of a folder as it was `seen`: what is in it changes its time."""
    try:
        with os.scandir(folder or os.curdir) as listed:
            installed = [each.path for each in listed if each.name.lower().endswith(_METADATA)]
    except OSError:
        return True  # an archive, or nothing that can be listed
    return any(_names(group, f"{each}{os.sep}entry_points.txt") for each in installed)


def _names(group: bytes, path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 a path for each package would cost as much
            return group in file.read()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
