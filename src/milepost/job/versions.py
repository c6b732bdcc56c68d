"""The lifecycles that are at hand, each in its versions, and what is said where one is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from milepost import arguments
from milepost.errors import LifecycleChanged, LifecycleUnfit, LifecycleUnknown
from milepost.lifecycles import mapreduce
from milepost.log.facts import JobCreated
from milepost.machine import Collection, Lifecycle, Machine, frozen
from milepost.text.wording import one_line

__all__ = [
    "Catalogue",
    "absent",
    "catalogue_of",
    "check_fit",
    "described",
    "named",
    "refused_upgrade",
    "version_of",
]

_BREAKING = "the change is breaking: finish the job with the version that it runs by"


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The lifecycles of one manager: the current version of each by name, all tables by digest.

    `current` begins with the default, which new jobs run by. The built-in lifecycle is always
    among them, unless another of its name was given in its place; its earlier versions are read
    when one is met. Jobs of an earlier version go on under the current one of their lifecycle.
    """

    current: Mapping[str, Lifecycle]
    _tables: dict[str, Lifecycle]
    _modules: Mapping[str, str]
    _current_of: Mapping[str, Lifecycle]

    def __repr__(self) -> str:
        return one_line(f"<Catalogue of {len(list(self))} versions>")

    @staticmethod
    def of(lifecycles: Iterable[Lifecycle] = (), earlier: Iterable[Lifecycle] = ()) -> Catalogue:
        """The catalogue of these lifecycles, the first of them the default.

        Tables that `earlier` has are found by their digests. Raises LifecycleUnfit for two
        lifecycles of one name, and as `check_fit` does.
        """
        current: dict[str, Lifecycle] = {}
        earlier = tuple(earlier)
        for one in earlier:
            check_fit(one)
        for one in lifecycles:
            check_fit(one)
            other = current.setdefault(one.name, one)
            if other.digest != one.digest:
                raise LifecycleUnfit(
                    lifecycle=one.name,
                    problem=f"there are two of that name, {described(other)} and {described(one)}:"
                    " give one of them, and the tables of its earlier versions as earlier=[…]",
                )
        current.setdefault(mapreduce.LIFECYCLE.name, mapreduce.LIFECYCLE)
        tables = {one.digest: one for one in current.values()}
        for one in earlier:
            tables.setdefault(one.digest, one)
        modules = {}
        if current[mapreduce.LIFECYCLE.name] is mapreduce.LIFECYCLE:
            modules = {
                digest: f"{mapreduce.__name__}_v{upgrade.version}"
                for digest, upgrade in mapreduce.LIFECYCLE.upgrades.items()
                if digest not in tables
            }
        current_of = {one.digest: current.get(one.name, one) for one in tables.values()}
        for one in current.values():
            current_of.update(dict.fromkeys(one.upgrades, one))
        current_of.update((one.digest, one) for one in current.values())
        return Catalogue(frozen(current), tables, modules, current_of)

    @property
    def default(self) -> Lifecycle:
        """The lifecycle that new jobs run by, unless another is named."""
        return next(iter(self.current.values()))

    @property
    def own(self) -> Lifecycle:
        """The lifecycle that comes with Milepost, or the one that was given in its place."""
        return self.current[mapreduce.LIFECYCLE.name]

    def get(self, digest: str) -> Lifecycle | None:
        """The tables of that digest, None where they are not at hand."""
        found = self._tables.get(digest)
        if found is None and digest in self._modules:
            module = import_module(self._modules[digest])
            found = self._tables.setdefault(digest, cast("Lifecycle", module.LIFECYCLE))
        return found

    def current_of(self, digest: str) -> Lifecycle | None:
        """The current version of the lifecycle that the version of that digest is one of.

        None where nothing at hand knows that digest; it may be of a version that came later.
        """
        return self._current_of.get(digest)

    def knows(self, digest: str) -> bool:
        """True if what a state of that version means is known: by tables, or by an upgrade."""
        if digest in self._tables or digest in self._modules:
            return True
        current = self._current_of.get(digest)
        return current is not None and current.upgrades[digest].verdict != "breaking"

    def __iter__(self) -> Iterator[str]:
        """The digests of all tables at hand, those of the current versions first."""
        yield from dict.fromkeys((*self._tables, *self._modules))


def check_fit(lifecycle: Lifecycle) -> None:
    """Raise LifecycleUnfit for a lifecycle whose jobs cannot be kept, whatever their states.

    A job is one machine, and owns the members of the collections that this machine has: one that
    no collection is of must be there, and only one; members own nothing themselves.
    """
    machines = lifecycle.machines
    kinds = {c.machine: f"{name}.{c.name}" for name, m in machines.items() for c in _owned(m)}
    roots = [name for name in machines if name not in kinds]
    owners = [name for name in kinds if machines[name].collections]
    problem = ""
    if len(roots) > 1:
        problem = (
            f"each of the machines {', '.join(roots)} is of no collection, and jobs run by one:"
            " keep the others in definitions of their own, or make them collections of it"
        )
    elif not roots:
        problem = (
            "every machine is of a collection, and jobs run by one that is of none: take one out of"
            " all collections"
        )
    elif owners:
        problem = (
            f"the members of {kinds[owners[0]]} own members themselves, and only jobs can: give"
            f" the collections of {owners[0]} to {roots[0]}"
        )
    if problem:
        raise LifecycleUnfit(lifecycle=lifecycle.name, problem=problem)


def _owned(machine: Machine) -> Iterable[Collection]:
    return machine.collections.values()


def catalogue_of(lifecycle: object, lifecycles: object, earlier: object) -> Catalogue:
    """The catalogue of what was given. Raises ArgumentInvalid, LifecycleUnfit."""
    wanted = "an iterable of Lifecycle"
    given = [
        arguments.instance("lifecycles", each, Lifecycle)
        for each in arguments.iterable("lifecycles", lifecycles, wanted)
    ]
    if lifecycle is not None:
        if given:
            arguments.refuse("lifecycle", lifecycle, "None where lifecycles are given:")
        given = [arguments.instance("lifecycle", lifecycle, Lifecycle)]
    before = [
        arguments.instance("earlier", each, Lifecycle)
        for each in arguments.iterable("earlier", earlier, wanted)
    ]
    return Catalogue.of(given, before)


def described(lifecycle: Lifecycle) -> str:
    """A version as messages name it."""
    return named(lifecycle.name, lifecycle.version, lifecycle.digest)


def version_of(
    job_id: str,
    digest: str,
    created: JobCreated,
    tables: Catalogue,
    noted: tuple[str, int] | None = None,
) -> Lifecycle:
    """The version of that digest; `noted` is its name and number where the log says them.

    Raises LifecycleUnknown where nothing is known of that lifecycle, LifecycleChanged where only
    the tables of that version are not at hand.
    """
    found = tables.get(digest)
    if found is not None:
        return found
    if noted is None and digest == created.digest:
        noted = created.lifecycle, created.version
    name, version = noted or (created.lifecycle, 0)
    raise absent(job_id, name, version, digest, tables)


def absent(
    job_id: str, name: str, version: int, digest: str, tables: Catalogue
) -> LifecycleChanged:
    """The error for a job whose tables are not at hand; `version` is 0 where it is not known."""
    current = tables.current_of(digest) or tables.current.get(name)
    if current is None:
        return LifecycleUnknown(
            job_id=job_id,
            lifecycle=name,
            version=version,
            digest=digest,
            stored=named(name, version, digest),
            current=", ".join(described(one) for one in tables.current.values()),
            problem="name its module: as --lifecycle MODULE, in MILEPOST_LIFECYCLES, or as"
            " lifecycles=[…] where the manager is opened",
        )
    known = current.upgrades.get(digest)
    report = ""
    if known is not None:
        version = known.version
        if known.verdict == "breaking":
            problem, report = _BREAKING, known.report
        else:
            module = f"{current.name}_v{known.version}"
            problem = f"give the tables of that version too, as earlier=[{module}.LIFECYCLE]"
    else:
        problem = _not_upgraded(version, current)
    return LifecycleChanged(
        job_id=job_id,
        lifecycle=name,
        version=version,
        digest=digest,
        stored=named(name, version, digest),
        current=described(current),
        problem=problem,
        report=report,
    )


def refused_upgrade(
    job_id: str, before: Lifecycle, current: Lifecycle, problem: str = "", report: str = ""
) -> LifecycleChanged:
    """The error for a job of `before` that cannot go on under `current`.

    Without a `problem` it is that `current` knows no way from there.
    """
    return LifecycleChanged(
        job_id=job_id,
        lifecycle=before.name,
        version=before.version,
        digest=before.digest,
        stored=described(before),
        current=described(current),
        problem=problem or _not_upgraded(before.version, current),
        report=report,
    )


def _not_upgraded(version: int, current: Lifecycle) -> str:
    """Advice on a version that `current` has no upgrade from."""
    if version > current.version:
        return (
            f"that is a later version ({version}) than this code's {current.version}: update the"
            " code, or use the program that runs the job by it"
        )
    if version == current.version:
        return (
            f"that is another definition of version {version}: use the program that runs the job"
            " by it, or give one of the two a number of its own"
        )
    if version == 0:
        return "another program has taken the job to a version that is not known here: use that one"
    return (
        "name its definition as 'earlier' in [tool.milepost] and compile, or finish the job"
        " with the version that began it"
    )


def named(name: str, version: int, digest: str) -> str:
    """A version as messages name it; 0 is one that is not known."""
    number = f"version {version}" if version else "in a version that is not known here"
    return f"{name} {number} ({digest:.12})"
