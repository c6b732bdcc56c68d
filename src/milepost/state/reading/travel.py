"""Time travel: the changes between two moments of a job, and the commit of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from pyroaring import BitMap

from milepost.clock import microseconds
from milepost.errors import CommitAbsent, InputInvalid
from milepost.items.inputs import KeySet
from milepost.items.ledger import Ledger, bitmap
from milepost.job.state import JobState
from milepost.machine import Values
from milepost.state.reading.loading import JobLog
from milepost.text.wording import short_repr

__all__ = ["StateDiff", "diff", "seq_at"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StateDiff:
    """The differences of a job between two commits, `before.seq` and `after.seq`.

    Pairs are what was and what is. `context` holds the changed variables of the job's machine,
    the `variables_…` those of the job itself. `moved` are the items whose state changed, by state
    before and after; `item_context` those for which a variable of their machine changed
    (`attempts`), by its values before and after. An item that went to and fro is in neither.
    `items_added` are those that came in meanwhile, `items_removed` those that a rewind took away.
    `commits` and `events` count what lies between; `rewinds` are those among them: at which
    commit, back to which.
    """

    before: JobState
    after: JobState
    commits: int
    events: int
    rewinds: tuple[tuple[int, int], ...]
    context: Mapping[str, tuple[Any, Any]]  # Any: typed by the lifecycle
    variables_added: Values
    variables_removed: Values
    variables_changed: Mapping[str, tuple[Any, Any]]  # Any: JSON
    items_added: KeySet
    items_removed: KeySet
    moved: Mapping[tuple[str, str], KeySet]
    item_context: Mapping[str, Mapping[tuple[Any, Any], KeySet]]  # Any: typed by the lifecycle

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.after.id

    @property
    def phase(self) -> tuple[str, str]:
        """The job's phase, before and after."""
        return self.before.phase, self.after.phase

    @property
    def empty(self) -> bool:
        """True if phase, context, variables and items are the same."""
        variables = (self.variables_added, self.variables_removed, self.variables_changed)
        items = (self.items_added, self.items_removed, self.moved, self.item_context)
        parts = (self.context, *variables, *items)
        return self.before.phase == self.after.phase and not any(parts)


def diff(log: JobLog, before: int, after: int) -> StateDiff:
    """The work of commits `before + 1` to `after`. Raises CommitAbsent, ValueError if they cross.

    Cost: two states, one look at the rows between, and set operations on cells.
    """
    if before > after:
        problem = f"commit {before} is after commit {after}: give the earlier one first"
        raise InputInvalid(problem)
    logged = log.logged_at(before)
    then, now = map(log.loader.current, (logged, log.logged_at(after, logged)))
    old, new = then.variables, now.variables
    common = then.inputs.in_common(now.inputs)
    stayed = bitmap(range(common))
    return StateDiff(
        before=then,
        after=now,
        commits=after - before,
        events=sum(row.count for row in log.rows(before, after)),
        rewinds=tuple((at, to) for at, to in now.rewinds if before < at),
        context=_changed(then.context, now.context),
        variables_added=_only(new, new.keys() - old.keys()),
        variables_removed=_only(old, old.keys() - new.keys()),
        variables_changed=_changed(old, new),
        items_added=KeySet(bitmap(range(common, now.items.count)), now.inputs),
        items_removed=KeySet(bitmap(range(common, then.items.count)), then.inputs),
        moved=_moved(then, now, stayed),
        item_context=_item_context(then, now, stayed),
    )


def seq_at(log: JobLog, at: datetime) -> int:
    """The newest commit that is not after `at`, which is aware. Raises CommitAbsent, ValueError.

    Times never fall along a log, so it is found in O(log n) look-ups.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: say which, as datetime.now(UTC) does")
    tip = log.reader.tip(log.number)
    last = tip.seq if tip else 0
    first, beyond = 0, last + 1  # the commit sought is not before the one, and before the other
    while beyond - first > 1:
        middle = (first + beyond) // 2
        row = next(iter(log.rows(middle - 1, middle)))
        if row.at_us <= microseconds(at):
            first = middle
        else:
            beyond = middle
    if first == 0:
        raise CommitAbsent(job_id=log.job_id, wanted=at, last=last)
    return first


def _moved(then: JobState, now: JobState, stayed: BitMap) -> Mapping[tuple[str, str], KeySet]:
    found: dict[tuple[str, str], KeySet] = {}
    for prefix, old, new in _pairs(then, now):
        states = new.machine.states
        for before, after in ((a, b) for a in states for b in states if a != b):
            hit = old.members(before) & new.members(after) & stayed
            if hit:
                found[prefix + before, prefix + after] = KeySet(hit, now.inputs)
    return MappingProxyType(found)


def _item_context(
    then: JobState, now: JobState, stayed: BitMap
) -> Mapping[str, Mapping[tuple[Any, Any], KeySet]]:  # Any: typed by the lifecycle
    found: dict[str, Mapping[tuple[Any, Any], KeySet]] = {}
    for prefix, before, after in _pairs(then, now):
        for index, name in enumerate(after.machine.owned):
            old, new = _by_value(before, index), _by_value(after, index)
            pairs = ((was, became) for was in old for became in new if was != became)
            hit = {pair: old[pair[0]] & new[pair[1]] & stayed for pair in pairs}
            changed = {p: KeySet(members, now.inputs) for p, members in hit.items() if members}
            if changed:
                found[prefix + name] = MappingProxyType(changed)
    return MappingProxyType(found)


def _pairs(then: JobState, now: JobState) -> Iterator[tuple[str, Ledger, Ledger]]:
    """The ledgers of each collection, and what its names stand behind where there are several."""
    for name, ledger in now.ledgers.items():
        if name in then.ledgers:
            yield "" if len(now.ledgers) == 1 else f"{name}.", then.ledgers[name], ledger


def _by_value(items: Ledger, index: int) -> dict[Any, Any]:
    """The members by one of their variables."""
    found: dict[Any, Any] = {}
    for (_, values), members in items.cells.items():
        found[values[index]] = found.get(values[index], bitmap()) | members
    return dict(sorted(found.items()))


def _changed(old: Values, new: Values) -> Mapping[str, tuple[Any, Any]]:  # Any: as in Values
    """The names that both have, with values that differ as JSON: 1 and true do."""
    both = [name for name in old if name in new]
    pairs = {name: (old[name], new[name]) for name in both}
    return MappingProxyType({n: (a, b) for n, (a, b) in pairs.items() if _json(a) != _json(b)})


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _only(values: Values, names: Iterable[str]) -> Values:
    return MappingProxyType({name: values[name] for name in sorted(names)})
