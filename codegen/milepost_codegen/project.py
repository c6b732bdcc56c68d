"""What `[tool.milepost]` of a project's `pyproject.toml` says about its lifecycles."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Project", "ProjectAbsent", "ProjectProblem", "Source", "Target", "find_project"]

_KEYS: Final = ("source", "python", "diagrams", "reference", "earlier", "certificate")


class ProjectProblem(Exception):
    """Why a project's settings cannot be used."""


class ProjectAbsent(ProjectProblem):
    """No settings list any lifecycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A definition file, and its name in headers and findings."""

    source: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A definition file, by its name in headers and findings, and where its outputs go.

    An output without a folder is not written. `earlier` are the definitions of earlier versions
    under which something may still be stored. `certificate` is the file of what is proved of this
    one, by the name that `certificate_name` gives, None if the project keeps none.
    """

    source: Path
    name: str
    python: Path | None
    diagrams: Path | None
    reference: Path | None
    earlier: tuple[Source, ...] = ()
    certificate: Path | None = None
    certificate_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The lifecycles of a project; `root` holds its `pyproject.toml`."""

    root: Path
    targets: tuple[Target, ...]


def find_project(start: Path) -> Project:
    """The project whose `pyproject.toml` is nearest to `start`, upwards.

    Raises ProjectAbsent if there is none, or it lists no lifecycles, and ProjectProblem if its
    settings are wrong.
    """
    for folder in (start, *start.parents):
        settings = folder / "pyproject.toml"
        if settings.is_file():
            return _read(settings)
    raise ProjectAbsent("there is no pyproject.toml here or above; name a definition file")


def _read(settings: Path) -> Project:
    root = settings.parent
    try:
        with settings.open("rb") as file:
            tool = tomllib.load(file).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ProjectProblem(f"{settings}: {problem}") from problem
    entries = tool.get("milepost", {}).get("lifecycles")
    if not isinstance(entries, list) or not entries:
        raise ProjectAbsent(f"{settings}: [tool.milepost] lists no lifecycles")
    return Project(root=root, targets=tuple(_target(root, settings, entry) for entry in entries))


def _target(root: Path, settings: Path, entry: object) -> Target:
    if not isinstance(entry, dict):
        raise ProjectProblem(f"{settings}: a lifecycle is a table of paths")
    unknown = [key for key in entry if key not in _KEYS]
    if unknown or "source" not in entry:
        problem = f"unknown key '{unknown[0]}'" if unknown else "a lifecycle has no 'source'"
        raise ProjectProblem(f"{settings}: {problem} (the keys are: {', '.join(_KEYS)})")
    earlier = entry.get("earlier", [])
    paths = [value for key, value in entry.items() if key != "earlier"]
    if not isinstance(earlier, list) or not all(isinstance(one, str) for one in (*paths, *earlier)):
        raise ProjectProblem(
            f"{settings}: a lifecycle is a table of paths, 'earlier' a list of them"
        )
    folders = {key: root / entry[key] if key in entry else None for key in _KEYS[1:4]}
    return Target(
        source=root / entry["source"],
        name=entry["source"],
        python=folders["python"],
        diagrams=folders["diagrams"],
        reference=folders["reference"],
        earlier=tuple(Source(source=root / one, name=one) for one in earlier),
        certificate=root / entry["certificate"] if "certificate" in entry else None,
        certificate_name=entry.get("certificate", ""),
    )
