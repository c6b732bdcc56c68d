"""The lifecycles of the project that a folder is in, by the [tool.milepost] of its pyproject.toml.

Nothing in such a folder is run because a command is called there: a module of the project is
imported only where Python finds it without the folder, as it does once the project is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from milepost.discovery.modules import module_at

__all__ = ["Listed", "definitions_listed", "listed"]

_NAME: Final = re.compile(r"(?m)^lifecycle:[ \t]*([a-z][a-z0-9_]{0,38})[ \t]*(?:#.*)?$")
_NAME_IT: Final = "say --lifecycle"
_ADVICE: Final = (
    "is not on Python's path, and nothing is imported from a folder because a command is called in"
    " it: install the project, or say --lifecycle"
)
_MOST_BYTES: Final = 1_000_000
_UNREADABLE: Final = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    RecursionError,
)


class Listed(NamedTuple):
    """A lifecycle that a project lists: its module where Python finds it, else why it does not.

    `named` is the name of the lifecycle or, where that is not known, of what lists it.
    """

    named: str
    file: Path | None
    module: str | None
    problem: str


def listed(folder: Path) -> Iterator[Listed]:
    """The lifecycles that the nearest pyproject.toml from `folder` upwards lists, in order."""
    for place in (folder, *folder.parents):
        project = place / "pyproject.toml"
        if project.is_file():
            yield from _listed(project)
            return


def definitions_listed(folder: Path) -> Iterator[Path]:
    """The definitions that the nearest pyproject.toml from `folder` upwards lists, in order.

    Each with those of its earlier versions behind it. Nothing of one that cannot be read.
    """
    for place in (folder, *folder.parents):
        project = place / "pyproject.toml"
        if project.is_file():
            try:
                named = [
                    name
                    for each in _entries(project)
                    for name in (each["source"], *each.get("earlier", ()))
                ]
                yield from [place / name for name in named]
            except _UNREADABLE:
                pass
            return


def _entries(project: Path) -> list[dict[str, Any]]:  # Any: as TOML has it
    import tomllib  # noqa: PLC0415 few folders are of a project

    told = tomllib.loads(_text(project)).get("tool", {}).get("milepost", {})
    entries: list[dict[str, Any]] = told.get("lifecycles", [])
    return entries


def _listed(project: Path) -> Iterator[Listed]:
    try:
        entries = _entries(project)
        pairs = [(each["source"], each["python"]) for each in entries if "python" in each]
        files = [(project.parent / source, project.parent / python) for source, python in pairs]
    except _UNREADABLE as error:
        yield Listed(str(project), None, None, f"it cannot be read: {error}")
        return
    for source, python in files:
        yield _of(source, python, project.parent.resolve())


def _of(source: Path, python: Path, project: Path) -> Listed:
    try:
        name = _NAME.search(_text(source))
    except (OSError, ValueError) as error:
        return Listed(str(source), None, None, f"it cannot be read: {error}")
    if name is None:
        return Listed(str(source), None, None, "it does not begin with the name of a lifecycle")
    file = (python / f"{name[1]}.py").resolve()
    if not file.is_relative_to(project):
        return Listed(name[1], file, None, f"{file} is not in the project: {_NAME_IT} {file}")
    if not file.is_file():
        return Listed(name[1], file, None, f"{file} is not there yet: `milepost compile` writes it")
    module = module_at(file)
    problem = "" if module else f"{file} {_ADVICE} {file}"
    return Listed(name[1], file, module, problem)


def _text(path: Path) -> str:
    if not path.is_file():  # a pipe would be waited for
        raise OSError(f"{path} is no file")
    with path.open(encoding="utf-8") as file:
        return file.read(_MOST_BYTES)
