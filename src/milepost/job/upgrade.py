"""A job that was left under an earlier version of its lifecycle, as it is under this one."""

from __future__ import annotations

from typing import Any

from pyroaring import BitMap

from milepost.errors import ContextInvalid, LifecycleChanged
from milepost.integers import BEYOND, beyond
from milepost.items.ledger import Cell, Ledger, bitmap
from milepost.items.ledgers import Items, Ledgers
from milepost.job.invariants import breaks
from milepost.job.state import JobState, changed, own_context
from milepost.job.versions import refused_upgrade
from milepost.log.facts import Draft, Migrated
from milepost.machine import Lifecycle, Machine, MachineUpgrade, Upgrade, Values
from milepost.text.wording import shown

__all__ = ["migration", "upgraded"]


def upgraded(state: JobState, lifecycle: Lifecycle) -> JobState:
    """`state` as it is under `lifecycle`; itself if that is its own.

    Phase, context and items are those that the lifecycle's upgrade leads to; nothing else
    differs, and what is written next begins with the change (`as_logged`). Raises
    LifecycleChanged where the change is breaking or unknown, or would give a state that the new
    version's parameters or invariants refuse. An invariant that the job has broken under its own
    version already, by the same name, is not the change's to refuse. O(cells).
    """
    if state.lifecycle.digest == lifecycle.digest:
        return state
    upgrade = lifecycle.upgrades.get(state.lifecycle.digest)
    if upgrade is None:
        raise refused_upgrade(state.id, state.lifecycle, lifecycle)
    if upgrade.verdict == "breaking":
        problem = "the change is breaking: finish the job with the version that it runs by"
        raise refused_upgrade(state.id, state.lifecycle, lifecycle, problem, upgrade.report)
    return _Upgrading(state, lifecycle, upgrade).state()


def migration(state: JobState) -> Draft | None:
    """The drafts that a commit on top of `state` begins with: the upgrade, where there was one."""
    if state.as_logged is None:
        return None
    own = state.lifecycle
    return Draft(
        fact=Migrated(
            lifecycle=own.name,
            version=own.version,
            digest=own.digest,
            snapshot=state.snapshot(),
        )
    )


class _Upgrading:
    """One job on its way to another version."""

    def __init__(self, before: JobState, lifecycle: Lifecycle, upgrade: Upgrade) -> None:
        self._before = before
        self._lifecycle = lifecycle
        self._upgrade = upgrade

    def state(self) -> JobState:
        """The job under the new version."""
        before = self._before
        machine = self._lifecycle.machines[self._lifecycle.root]
        if machine.name != before.machine.name:
            problem = f"version {self._upgrade.version} runs jobs by '{before.machine.name}'"
            now = f"version {self._lifecycle.version} by '{machine.name}'"
            raise self._refused(f"{problem}, and {now}")
        part = self._part(machine)
        after = changed(
            before,
            lifecycle=self._lifecycle,
            phase=self._moved(machine, part, before.phase),
            context=own_context(machine, self._context(machine, part, before.context)),
            items=self._items(),
            as_logged=before,
        )
        self._check(machine, after.context)
        for broken in breaks(before, after):
            broken.reason = "the change of version"
            raise self._refused(str(broken)) from broken
        return after

    def _items(self) -> Items:
        """The members under the new version, collection by collection."""
        before = self._before.ledgers
        after: dict[str, Ledger] = {}
        for name, collection in self._lifecycle.collections.items():
            machine = self._lifecycle.machines[collection.machine]
            old = before.get(name)
            same = old is not None and old.machine.name == machine.name
            after[name] = self._ledger(machine, old) if old and same else self._begun(machine)
        for name, old in before.items():
            if old.count and old.machine.name != self._machine_of(name):
                problem = (
                    f"version {self._lifecycle.version} has no place for the {old.count} items"
                )
                raise self._refused(f"{problem} of the machine '{old.machine.name}' in '{name}'")
        return next(iter(after.values())) if len(after) == 1 else Ledgers(after)

    def _machine_of(self, collection: str) -> str:
        found = self._lifecycle.collections.get(collection)
        return found.machine if found else ""

    def _begun(self, machine: Machine) -> Ledger:
        """A collection that the earlier version did not have: no members, parameters by default."""
        try:
            return Ledger.create(machine, {}, bitmap())
        except ContextInvalid as error:
            raise self._refused(str(error)) from error

    def _ledger(self, machine: Machine, before: Ledger) -> Ledger:
        part = self._part(machine)
        cells: dict[Cell, BitMap] = {}
        params: Values | None = None
        for (state, values), members in before.cells.items():
            context = self._context(machine, part, before.context(values))
            to = self._moved(machine, part, state)
            self._check(machine, context)
            cell = to, tuple(context[name] for name in machine.owned)
            cells[cell] = cells[cell] | members if cell in cells else members
            params = context
        if params is None:  # no items: what they would have begun with
            params = self._context(machine, part, before.machine.fresh(**before.params))
        shared = {v.name: params[v.name] for v in machine.variables if v.param}
        return Ledger(machine=machine, params=shared, universe=before.universe, cells=cells)

    def _part(self, machine: Machine) -> MachineUpgrade:
        part = self._upgrade.machines.get(machine.name)
        if part is None:
            raise self._refused(f"version {self._upgrade.version} has no machine '{machine.name}'")
        return part

    def _moved(self, machine: Machine, part: MachineUpgrade, state: str) -> str:
        to = part.states.get(state)
        if to is None:
            raise self._refused(f"{machine.name}: no state is named for '{state}'")
        return to

    def _context(self, machine: Machine, part: MachineUpgrade, old: Values) -> Values:
        """The context of now: values that are given, else carried over, else initial ones."""
        values: dict[str, Any] = {v.name: v.initial for v in machine.variables}
        values.update(machine.entries)
        for name, value in old.items():
            after = part.entries.get(name)
            if after is not None:
                remembered = after.startswith("history.")
                values[after] = self._moved(machine, part, value) if remembered else value
        if part.given is not None:
            values.update(part.given(old))
        return values

    def _check(self, machine: Machine, context: Values) -> None:
        for name in (*machine.owned, *(one.name for one in machine.variables if one.param)):
            if beyond(value := context[name]):
                told = f"{machine.name}: {name} would be {shown(value)}, {BEYOND}"
                raise self._refused(told)
        for variable in machine.variables:
            if variable.param and variable.holds is not None and not variable.holds(context):
                value = f"{machine.name}: {variable.name} is {context[variable.name]!r}"
                raise self._refused(f"{value}, which has to satisfy {variable.where}")

    def _refused(self, problem: str) -> LifecycleChanged:
        advice = "finish the job with the version that it runs by, or mend the migration"
        before = self._before
        return refused_upgrade(before.id, before.lifecycle, self._lifecycle, f"{problem}: {advice}")
