"""What installed packages name under a group of entry points, at little cost where none names it.

The standard library's reader of entry points takes longer to import than most commands run. So the
files that it would read are looked through first, for the name of the group alone: the reader is
asked unless no such file has it.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["entries"]

_METADATA: Final = (".dist-info", ".egg-info")


def entries(group: str) -> list[EntryPoint]:
    """The entry points of `group`, sorted by name and value.

    Cost:
        A small file for each installed package; where one names the group, the import of
        importlib.metadata, and all those files again.
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
        with os.scandir(folder or os.curdir) as listed:
            installed = [each.path for each in listed if each.name.lower().endswith(_METADATA)]
    except FileNotFoundError:
        return False
    except OSError:
        return True  # an archive, or nothing that can be listed
    return any(_names(group, Path(each, "entry_points.txt")) for each in installed)


def _names(group: bytes, path: Path) -> bool:
    try:
        return group in path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
