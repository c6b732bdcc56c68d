"""The versions of a lifecycle that are at hand, and what is said where one is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TypeAlias, cast

from milepost.errors import LifecycleChanged
from milepost.facts import JobCreated
from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle

__all__ = ["Tables", "described", "tables_of", "version_of"]

Tables: TypeAlias = Mapping[str, Lifecycle]
"""The versions whose tables are at hand, by digest; the first is that of this code."""


def tables_of(current: Lifecycle, earlier: Iterable[Lifecycle]) -> Tables:
    """The versions by digest, the current one first.

    The earlier versions of the lifecycle that comes with Milepost are always among them.
    """
    given = {one.digest: one for one in (current, *earlier)}
    return _WithOwn(given) if current is mapreduce.LIFECYCLE else given


class _WithOwn(Mapping[str, Lifecycle]):
    """The versions that were given, and those of our own lifecycle: read when one is met."""

    def __init__(self, given: Mapping[str, Lifecycle]) -> None:
        self._known = dict(given)
        self._modules = {
            digest: f"{mapreduce.__name__}_v{upgrade.version}"
            for digest, upgrade in mapreduce.LIFECYCLE.upgrades.items()
            if digest not in given
        }

    def __getitem__(self, digest: str) -> Lifecycle:
        found = self._known.get(digest)
        if found is None:
            module = import_module(self._modules[digest])
            found = self._known.setdefault(digest, cast("Lifecycle", module.LIFECYCLE))
        return found

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._known, *self._modules))

    def __len__(self) -> int:
        return len(dict.fromkeys((*self._known, *self._modules)))


def described(lifecycle: Lifecycle) -> str:
    """A version as messages name it."""
    return f"{lifecycle.name} version {lifecycle.version} ({lifecycle.digest:.12})"


def version_of(job_id: str, digest: str, created: JobCreated, tables: Tables) -> Lifecycle:
    """The version of that digest. Raises LifecycleChanged where its tables are not at hand."""
    found = tables.get(digest)
    if found is not None:
        return found
    current = next(iter(tables.values()))
    known = current.upgrades.get(digest)
    report = ""
    if known is not None:
        stored = f"{current.name} version {known.version} ({digest:.12})"
        if known.verdict == "breaking":
            problem = "the change is breaking: finish the job with the version that it runs by"
            report = known.report
        else:
            module = f"{current.name}_v{known.version}"
            problem = f"give the tables of that version too, as earlier=[{module}.LIFECYCLE]"
    elif digest == created.digest:
        stored = f"{created.lifecycle} version {created.version} ({digest:.12})"
        problem = (
            "name its definition as 'earlier' in [tool.milepost] and compile, or finish the job"
            " with the version that began it"
        )
    else:
        stored = f"a version that this code does not know ({digest:.12})"
        problem = "another program has taken the job to it: use that program's version"
    raise LifecycleChanged(
        job_id=job_id, stored=stored, current=described(current), problem=problem, report=report
    )
