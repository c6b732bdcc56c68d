"""A lifecycle by the name of its module or the path of its file, imported from there alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from hashlib import blake2b
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from milepost.machine import Lifecycle
from milepost.text.escapes import printable

__all__ = ["DEFAULT", "Target", "UnusableError", "beside", "load", "module_at", "strangers"]

DEFAULT: Final = "LIFECYCLE"
"""The name that a generated module gives its lifecycle."""


class UnusableError(Exception):
    """Why a module gives no lifecycle, in words."""


class Target(NamedTuple):
    """What was named: a module or a file, and the attribute of it that is the lifecycle."""

    module: str
    attribute: str
    file: Path | None

    @staticmethod
    def of(text: str) -> Target:
        """`MODULE[:NAME]`, or `FILE.py[:NAME]`. Raises UnusableError."""
        module, colon, attribute = text.strip().partition(":")
        if not module or (colon and not attribute.isidentifier()):
            raise UnusableError("that names no module: say MODULE or MODULE:NAME")
        if module.endswith(".py") or "/" in module:
            try:
                return Target(module, attribute or DEFAULT, Path(module).expanduser())
            except RuntimeError as error:  # of a ~user that is none
                raise UnusableError(str(error)) from error
        if not all(part.isidentifier() for part in module.split(".")):
            raise UnusableError("that is no name of a module, and no path of a file (FILE.py)")
        return Target(module, attribute or DEFAULT, None)


def load(target: Target, folder: Path | None = None) -> Lifecycle:
    """The lifecycle that `target` names.

    A module is one that Python finds; where it finds none, and a `folder` is given, the one that
    lies there. A file is one by its own path, against `folder` where that is relative. Raises
    UnusableError where it is not there, cannot be imported or is no lifecycle.
    """
    if target.file is not None:
        return _lifecycle_of(_at(_whole(target.file, folder)), target.attribute)
    return _lifecycle_of(_named(target.module, folder), target.attribute)


def beside(target: Target, lifecycle: Lifecycle, folder: Path | None = None) -> Iterator[Lifecycle]:
    """The tables of earlier versions that lie beside the module of `lifecycle`.

    They are where the compiler puts them: NAME_vN for version N. What is not there is left out,
    and so is another version than the one that the lifecycle knows. Raises UnusableError.
    """
    for digest, upgrade in lifecycle.upgrades.items():
        name = f"{lifecycle.name}_v{upgrade.version}"
        if target.file is not None:
            file = _whole(target.file, folder).with_name(f"{name}.py")
            module = _at(file) if file.is_file() else None
        else:
            package = target.module.rpartition(".")[0]
            module = _existing(f"{package}.{name}" if package else name, folder)
        if module is not None:
            found = _lifecycle_of(module, DEFAULT)
            if found.digest == digest:
                yield found


def module_at(file: Path) -> str | None:
    """The name under which Python would import `file` as it is set up; None under none.

    Nothing is imported but the packages around it, and those only where they are found by the
    path of Python, as an installed project is.
    """
    parts = file.with_suffix("").parts
    for at in range(len(parts) - 1, 0, -1):
        top = Path(*parts[: at + 1])
        try:
            spec = find_spec(parts[at]) if parts[at].isidentifier() else None
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            continue
        places = spec.submodule_search_locations
        whole = top.with_suffix(".py") if places is None else top
        found = [spec.origin] if places is None else list(places)
        names = parts[at:]
        if any(place and Path(place).resolve() == whole for place in found) and all(
            name.isidentifier() for name in names
        ):
            return ".".join(names)
    return None


def _whole(file: Path, folder: Path | None) -> Path:
    if file.is_absolute():
        return file
    if folder is None:
        raise UnusableError("a file has to be named by its whole path here")
    return folder / file


def _named(module: str, folder: Path | None) -> ModuleType:
    found = _existing(module, folder)
    if found is None:
        places = "" if folder is None else f", nor in {folder}"
        raise UnusableError(f"there is no such module on Python's path{places}")
    return found


def _existing(module: str, folder: Path | None) -> ModuleType | None:
    """The module of that name, None where there is none. Raises UnusableError."""
    with strangers("it cannot be imported"):
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            missing = error.name
    top = module.partition(".")[0]
    if folder is None or missing != top:
        return None
    spec = PathFinder.find_spec(top, [str(folder)])
    if spec is None or spec.origin is None:
        return None
    if spec.submodule_search_locations is None:
        return _at(Path(spec.origin)) if top == module else None
    package = _run(spec, top)  # its parts find each other by its name
    return package if top == module else _existing(module, None)


def _at(file: Path) -> ModuleType:
    """The module in that file, made anew, under a name that no other file has."""
    if not file.is_file():
        raise UnusableError(f"there is no file {file}")
    digest = blake2b(str(file.resolve()).encode(), digest_size=8).hexdigest()
    spec = spec_from_file_location(f"_milepost_{file.stem}_{digest}", file)
    if spec is None or spec.loader is None:
        raise UnusableError(f"{file} is no Python module")
    return _run(spec, spec.name)


def _run(spec: ModuleSpec, name: str) -> ModuleType:
    """The module of `spec`, run under that name, of which nothing stays where it raises."""
    assert spec.loader is not None, "a spec with an origin has a loader"
    with strangers("it cannot be imported"):
        module = module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their own module up
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
    return module


def _lifecycle_of(module: ModuleType, attribute: str) -> Lifecycle:
    with strangers(f"its {attribute} cannot be read"):  # a module may have a __getattr__
        found = getattr(module, attribute, None)
    if found is None:
        with strangers("what it has cannot be listed"):
            names = vars(module).items()
            listed = [name for name, value in names if isinstance(value, Lifecycle)]
        advice = f": name one of {', '.join(listed)}, as MODULE:NAME" if listed else ""
        raise UnusableError(f"it has no {attribute}{advice}")
    if not isinstance(found, Lifecycle):
        raise UnusableError(f"its {attribute} is a {type(found).__name__}, no compiled lifecycle")
    return found


@contextmanager
def strangers(problem: str) -> Iterator[None]:
    """Runs the code of others: whatever it raises but an interrupt is UnusableError.

    A module that calls sys.exit must not end a command as if it had answered. What the code
    prints goes to stderr: stdout is for the answer, which programs read.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UnusableError(printable(f"{problem}: {_words(error)}")) from error


def _words(error: BaseException) -> str:
    """The class and the message of an error; the class alone where it has no message to give."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 the error's own __str__ is a stranger's too
        return name
    return f"{name}: {message}" if message else name
