"""The parameters of a new job and of its items, told apart in what the caller gave as config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from milepost.machine import ContextInvalid, Lifecycle, Machine, Values

__all__ = ["Params", "counted", "params_of"]

_ROOT: Final = "the job"  # where a collection has the name of the machine that the job runs by


class Params(NamedTuple):
    """The parameters of a new job: its own, and the ones that its items share.

    `of_items` are those of the one collection, or those of each of several by its name. `shares`
    are parameters of the job that were given as shares of its items, which are counted later; until
    then each is 1 in `of_job`.
    """

    of_job: dict[str, Any]
    of_items: dict[str, Any]
    shares: dict[str, float]


def params_of(lifecycle: Lifecycle, config: Values) -> Params:
    """The parameters in `config`, all of them, checked, with defaults for the rest.

    A parameter stands in `config` under its name. Where several machines have one of that name, or
    two collections are of one machine, it stands in a mapping under the name of the collection, or
    of the machine that the job runs by. The one that bounds dead items may be a float, as a share
    of all. Raises ContextInvalid, and InvariantBroken as `Machine.context` does.
    """
    machines = {name: lifecycle.machines[c.machine] for name, c in lifecycle.collections.items()}
    root = lifecycle.root if lifecycle.root not in machines else _ROOT
    machines[root] = lifecycle.machines[lifecycle.root]
    given: dict[str, dict[str, Any]] = {name: {} for name in machines}
    for whose, name, value in _each(root, machines, config):
        if name in given[whose]:
            raise _invalid(machines[whose], name, "is given twice")
        given[whose][name] = value
    shares = _shares(lifecycle, given[root])
    counts = {name: value for name, value in given[root].items() if name not in shares}
    of_job = _checked(machines[root], counts | dict.fromkeys(shares, 1), whole=not shares)
    of_items = {name: _checked(machines[name], given[name]) for name in lifecycle.collections}
    theirs = next(iter(of_items.values())) if len(of_items) == 1 else of_items
    return Params(of_job, theirs, shares)


def counted(lifecycle: Lifecycle, params: Params, count: int) -> dict[str, Any]:
    """The parameters of a job of `count` items, its shares of them rounded down to numbers.

    Raises ContextInvalid.
    """
    if not params.shares:
        return params.of_job
    counts = {name: int(Decimal(repr(share)) * count) for name, share in params.shares.items()}
    return _checked(lifecycle.machines[lifecycle.root], params.of_job | counts)


def _shares(lifecycle: Lifecycle, given: Values) -> dict[str, float]:
    """What is given as a share of the items. Raises ContextInvalid for a float that is none."""
    machine = lifecycle.machines[lifecycle.root]
    found: dict[str, float] = {}
    for name in _bounds_of_dead(lifecycle, machine):
        share = given.get(name)
        if not isinstance(share, float):
            continue
        if not 0 < share < 1:
            advice = "give a number of items, or a share of them above 0 and below 1, as 0.05"
            raise _invalid(machine, name, f"is {share}: {advice}")
        found[name] = float(share)
    return found


def _bounds_of_dead(lifecycle: Lifecycle, machine: Machine) -> list[str]:
    """The parameter that bounds dead items: the only int that guards of the end of work read so.

    That is, beside how many are dead; with several such parameters it is not known which.
    """
    dead = {
        f"{name}.{state}"
        for name, collection in lifecycle.collections.items()
        for state in lifecycle.machines[collection.machine].roles.dead
    }
    ends = {(phase.state, phase.ends_by) for phase in machine.roles.phases}
    read = {
        name
        for row in machine.transitions
        if (row.source, row.event) in ends and not dead.isdisjoint(row.reads)
        for name in row.reads
    }
    found = [one.name for one in machine.variables if one.param and one.type == "int"]
    found = [name for name in found if name in read]
    return found if len(found) == 1 else []


def _each(
    root: str, machines: Mapping[str, Machine], config: Values
) -> Iterator[tuple[str, str, Any]]:
    """Whose each parameter is, its name and its value; what nobody has is the job's to refuse."""
    for name, value in config.items():
        if name in machines and isinstance(value, Mapping):
            for inner, each in value.items():
                yield name, inner, each
            continue
        having = [whose for whose, machine in machines.items() if _has(machine, name)]
        if len(having) > 1:
            listed = " and of ".join(having)
            advice = f"give it under one of these, as in config={{'{having[0]}': {{'{name}': …}}}}"
            raise _invalid(machines[having[0]], name, f"is one of {listed}: {advice}")
        if not having:
            listed = ", ".join(_listed(root, machines)) or "none"
            raise _invalid(machines[root], name, f"no such parameter (there are: {listed})")
        yield having[0], name, value


def _listed(root: str, machines: Mapping[str, Machine]) -> Iterator[str]:
    """All parameters as they may be given, the job's first: `NAME`, or `WHOSE.NAME` if shared."""
    names = {
        whose: [variable.name for variable in machines[whose].variables if variable.param]
        for whose in (root, *machines)
    }
    times = Counter(name for each in names.values() for name in each)
    for whose, each in names.items():
        yield from (name if times[name] == 1 else f"{whose}.{name}" for name in each)


def _has(machine: Machine, name: object) -> bool:
    return any(variable.param and variable.name == name for variable in machine.variables)


def _checked(machine: Machine, given: Values, *, whole: bool = True) -> dict[str, Any]:
    context = machine.context(**given) if whole else machine.fresh(**given)
    return {v.name: context[v.name] for v in machine.variables if v.param}


def _invalid(machine: Machine, name: str, problem: str) -> ContextInvalid:
    return ContextInvalid(machine=machine.name, name=name, problem=problem)
