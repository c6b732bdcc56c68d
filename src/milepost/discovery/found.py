"""Every lifecycle that is found, in the order in which one stands in the place of another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from milepost.discovery.installed import entries
from milepost.discovery.modules import Target, UnusableError, beside, load
from milepost.discovery.project import listed
from milepost.errors import LifecycleAbsent, LifecycleUnfit
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle
from milepost.text.wording import short_repr

__all__ = ["BUILT_IN", "GROUP", "VARIABLE", "Discovery", "Found", "discover"]

GROUP: Final = "milepost.lifecycles"
"""The entry points of installed packages: the name of a lifecycle, and `module:LIFECYCLE`."""

VARIABLE: Final = "MILEPOST_LIFECYCLES"
"""The variable that names lifecycles, separated by commas."""

_OPTION: Final = "--lifecycle"
_PROJECT: Final = "pyproject.toml"
_PACKAGE: Final = "package"
BUILT_IN: Final = "milepost"
"""The source of the lifecycle that comes with the package."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Found:
    """One lifecycle that something names: where, as what, and what it is.

    `source` is `--lifecycle`, `MILEPOST_LIFECYCLES`, `pyproject.toml`, `package` or `milepost`;
    `named` is what stands there. `lifecycle` is None where it could not be had, and `problem` then
    says why; of one that another of its name stands in the place of, it says so.
    """

    source: str
    named: str
    lifecycle: Lifecycle | None
    earlier: tuple[Lifecycle, ...] = ()
    problem: str = ""
    used: bool = False


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Discovery:
    """All that was found. A manager takes `lifecycles` and `earlier` as they are."""

    found: tuple[Found, ...]

    @property
    def lifecycles(self) -> tuple[Lifecycle, ...]:
        """The lifecycles in use, one of each name."""
        return tuple(one.lifecycle for one in self.found if one.used and one.lifecycle)

    @property
    def earlier(self) -> tuple[Lifecycle, ...]:
        """All other tables: of earlier versions, and of those that are not in use."""
        tables: dict[str, Lifecycle] = {}
        for one in self.found:
            tables.update((each.digest, each) for each in one.earlier)
            if one.lifecycle is not None and not one.used:
                tables.setdefault(one.lifecycle.digest, one.lifecycle)
        return tuple(tables.values())

    @property
    def troubles(self) -> tuple[Found, ...]:
        """What should be there and could not be had; what a project lists may not be."""
        return tuple(one for one in self.found if one.lifecycle is None and one.source != _PROJECT)


def discover(
    named: Iterable[str] = (),
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Discovery:
    """The lifecycles that are named, and those that the surroundings have.

    In this order, and the first of a name is used: those that are `named`; those of the variable
    MILEPOST_LIFECYCLES; those that the project of the `folder` lists, where Python finds their
    modules by itself; those of installed packages, by the entry points milepost.lifecycles; the
    built-in one. With each come the tables of its earlier versions. What the surroundings have
    and cannot be had is in `troubles` of the answer.

    Args:
        named: Each is `MODULE[:NAME]` or `FILE.py[:NAME]`; modules are looked for in the `folder`
            too, after all that Python finds.
        environ: The variables of the process, if they are not given. Files in it need whole paths.
        folder: The current folder, if it is not given.

    Raises:
        LifecycleAbsent: One that was named, or that the variable names, cannot be had.
        LifecycleUnfit: Two that are named in one place have one name.

    """
    folder = Path.cwd() if folder is None else folder
    environ = os.environ if environ is None else environ
    variable = [each for each in environ.get(VARIABLE, "").split(",") if each.strip()]
    found = [
        *_checked([_asked(_OPTION, each, folder) for each in named]),
        *_checked([_asked(VARIABLE, each, None) for each in variable]),
        *_of_project(folder),
        *_of_packages(),
        Found(source=BUILT_IN, named=mapreduce.__name__, lifecycle=mapreduce.LIFECYCLE),
    ]
    return Discovery(found=tuple(_in_use(found)))


def _asked(source: str, text: str, folder: Path | None) -> Found:
    """One that was named. Raises LifecycleAbsent."""
    try:
        target = Target.of(text)
        lifecycle = load(target, folder)
        earlier = tuple(beside(target, lifecycle, folder))
    except UnusableError as error:
        raise LifecycleAbsent(named=text.strip(), source=source, problem=str(error)) from error
    return Found(source=source, named=text.strip(), lifecycle=lifecycle, earlier=earlier)


def _checked(asked: list[Found]) -> list[Found]:
    """Those that were named in one place: two of a name are an earlier and a later version."""
    upgrades = {digest for one in asked if one.lifecycle for digest in one.lifecycle.upgrades}
    later = [one for one in asked if one.lifecycle and one.lifecycle.digest not in upgrades]
    names: dict[str, Found] = {}
    for one in later:
        assert one.lifecycle is not None
        other = names.setdefault(one.lifecycle.name, one)
        if other.lifecycle and other.lifecycle.digest != one.lifecycle.digest:
            raise LifecycleUnfit(
                lifecycle=one.lifecycle.name,
                problem=f"{one.source} names two of that name, {other.named} and {one.named}:"
                " name one of them",
            )
    return later + [one for one in asked if one not in later]


def _of_project(folder: Path) -> Iterator[Found]:
    for one in listed(folder):
        if one.module is None:
            yield Found(source=_PROJECT, named=one.named, lifecycle=None, problem=one.problem)
        else:
            yield _met(_PROJECT, one.module, one.module)


def _of_packages() -> Iterator[Found]:
    for entry in entries(GROUP):
        yield _met(_PACKAGE, f"{entry.name} = {entry.value}", entry.value)


def _met(source: str, named: str, module: str) -> Found:
    """One that the surroundings have."""
    try:
        target = Target.of(module)
        lifecycle = load(target)
        # A manager finds the earlier versions of the built-in one when it meets a job of one.
        built_in = lifecycle is mapreduce.LIFECYCLE
        earlier = () if built_in else tuple(beside(target, lifecycle))
    except UnusableError as error:
        return Found(source=source, named=named, lifecycle=None, problem=str(error))
    return Found(source=source, named=named, lifecycle=lifecycle, earlier=earlier)


def _in_use(found: list[Found]) -> Iterator[Found]:
    """What was found, with which of them are in use."""
    used: dict[str, Found] = {}
    for one in found:
        if one.lifecycle is None:
            yield one
            continue
        other = used.setdefault(one.lifecycle.name, one)
        same = other is one or (other.lifecycle and other.lifecycle.digest == one.lifecycle.digest)
        yield Found(
            source=one.source,
            named=one.named,
            lifecycle=one.lifecycle,
            earlier=one.earlier,
            problem="" if same else f"{other.named} stands in its place",
            used=other is one,
        )
