"""Scopes: which items of a job a recovery is about, and from which of its states it begins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final, NamedTuple, Protocol, TypeAlias, get_args

from pyroaring import BitMap

from milepost import arguments
from milepost.errors import ItemAbsent, RoleAbsent, ScopeInvalid
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

__all__ = ["Filter", "LastFailures", "Scope", "select", "select_standing"]

_LISTED: Final = 3


@short_repr
class _Failed(NamedTuple):
    """Items that failed, or are in the dead letter queue."""


@short_repr
class _States(NamedTuple):
    states: frozenset[str]


@short_repr
class _Keys(NamedTuple):
    keys: frozenset[str]


@short_repr
class _Globs(NamedTuple):
    globs: tuple[str, ...]


@short_repr
class _Ordinals(NamedTuple):
    ordinals: frozenset[int]


@short_repr
class _Span(NamedTuple):
    first: int
    last: int


@short_repr
class _Causes(NamedTuple):
    causes: frozenset[str]


@short_repr
class _Kinds(NamedTuple):
    kinds: frozenset[str]


@short_repr
class _AttemptsBelow(NamedTuple):
    attempts: int


Filter: TypeAlias = (
    _Failed | _States | _Keys | _Globs | _Ordinals | _Span | _Causes | _Kinds | _AttemptsBelow
)


_FILTERS: Final = get_args(Filter)


class LastFailures(Protocol):
    """Why the last attempts of items ended without a result, by ordinal."""

    def causes(self) -> Mapping[int, str]:
        """Their causes, from the heads alone."""
        ...

    def kinds(self) -> Mapping[int, str]:
        """Their kinds, from the bodies; `""` where none was recorded."""
        ...


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class Scope:
    """The items that a recovery is about: without more, all items of the job as it stands.

    Scopes are made by the methods below and combined by `&`: an item is in both or in neither.
    Those that undo what was recorded (`again`, and `checkpoint` with `exactly`) are about the
    whole job and stand alone, because a job goes back as a whole.
    Raises ScopeInvalid where scopes do not fit together.
    """

    filters: tuple[Filter, ...] = field(default=())
    phase: str | None = None
    seq: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        filters = arguments.iterable("filters", self.filters, "an iterable of what scopes filter")
        for each in (kept := tuple(filters)):
            arguments.instance("filters", each, _FILTERS, "an iterable of what scopes filter by")
        object.__setattr__(self, "filters", kept)
        if self.phase is not None:
            object.__setattr__(self, "phase", arguments.text("phase", self.phase, least=1))
        if self.seq is not None:
            object.__setattr__(self, "seq", arguments.ordinal("seq", self.seq))
        arguments.flag("exact", self.exact)
        if self.rewinds and self.filters:
            what = f"phase {self.phase!r} again" if self.phase else "a checkpoint exactly"
            raise ScopeInvalid(
                problem=f"{what} undoes the work on all items, and the scope also names some:"
                " leave out the one or the other"
            )
        if self.phase is not None and self.exact:
            raise ScopeInvalid(
                problem="a phase again and a checkpoint exactly are two ways back: name one"
            )

    @property
    def rewinds(self) -> bool:
        """True if what was recorded since is undone."""
        return self.exact or self.phase is not None

    def __and__(self, other: Scope) -> Scope:
        """The items that are in both. Raises ScopeInvalid where they begin at different places."""
        if not isinstance(other, Scope):
            return NotImplemented
        if None not in (self.phase, other.phase) and self.phase != other.phase:
            raise ScopeInvalid(problem=f"phases {self.phase!r} and {other.phase!r}: name one")
        if None not in (self.seq, other.seq) and self.seq != other.seq:
            raise ScopeInvalid(problem=f"checkpoints {self.seq} and {other.seq}: name one")
        return Scope(
            filters=tuple(dict.fromkeys((*self.filters, *other.filters))),
            phase=self.phase or other.phase,
            seq=other.seq if self.seq is None else self.seq,
            exact=self.exact or other.exact,
        )

    def __str__(self) -> str:
        """The scope in words, for people."""
        words = [_words(each) for each in self.filters]
        if self.phase is not None:
            words.append(f"phase {self.phase} again, from before it was entered")
        if self.seq is not None:
            with_log = "exactly" if self.exact else "with the log after it"
            words.append(f"from the checkpoint at seq {self.seq}, {with_log}")
        return printable("; ".join(words)) or "all items"

    @staticmethod
    def all() -> Scope:
        """All items, as the job stands."""
        return Scope()

    @staticmethod
    def failed() -> Scope:
        """The items that failed or are in the dead letter queue."""
        return Scope((_Failed(),))

    @staticmethod
    def states(*states: str) -> Scope:
        """The items in any of these states.

        Args:
            *states: Names of states. A plan raises ScopeInvalid for a state that does not exist.
        """
        return Scope((_States(frozenset(arguments.texts("states", states))),))

    @staticmethod
    def keys(*keys: str) -> Scope:
        """The items of these keys; a plan raises ItemAbsent if the job does not have them all."""
        return Scope((_Keys(frozenset(arguments.texts("keys", keys))),))

    @staticmethod
    def globs(*globs: str) -> Scope:
        """The items whose key fits one of `globs`: `*`, `?` and `[a-z]`, upper case apart."""
        return Scope((_Globs(tuple(arguments.texts("globs", globs))),))

    @staticmethod
    def ordinals(ordinals: Iterable[int]) -> Scope:
        """The items of these ordinals, from 0 in the order in which the job was given them."""
        return Scope((_Ordinals(frozenset(arguments.ordinals("ordinals", ordinals))),))

    @staticmethod
    def span(first: int, last: int) -> Scope:
        """The items of the ordinals from `first` to `last`, both included.

        Args:
            first: The first ordinal, from 0.
            last: The last ordinal.

        Raises:
            ScopeInvalid: The range has no items.
        """
        first, last = arguments.ordinal("first", first), arguments.ordinal("last", last)
        if not 0 <= first <= last:
            raise ScopeInvalid(
                problem=f"the range {first} to {last} has no items: give the lower end first"
            )
        return Scope((_Span(first, last),))

    @staticmethod
    def causes(*causes: str) -> Scope:
        """The items that failed or are dead, if their last attempt ended for one of `causes`.

        Causes are those of the lifecycle, which has one for an executor that was lost.
        """
        return Scope((_Causes(frozenset(arguments.texts("causes", causes))),))

    @staticmethod
    def kinds(*kinds: str) -> Scope:
        """The items that failed or are dead, if their last attempt ended with one of `kinds`.

        Args:
            *kinds: Kinds as they were recorded, `HTTPStatusError 503`, or their first word alone,
                for all that begin with it. There need be no such kind.
        """
        given = [arguments.text("kinds", kind, least=1) for kind in kinds]
        return Scope((_Kinds(frozenset(given)),))

    @staticmethod
    def attempts_below(attempts: int) -> Scope:
        """The items that have used fewer than so many attempts."""
        return Scope((_AttemptsBelow(arguments.ordinal("attempts", attempts)),))

    @staticmethod
    def again(phase: str) -> Scope:
        """The whole of `phase` (setup, map, reduce) once more.

        The plan goes back to the state just before the phase was entered, and enters it again by
        the same event, so that what the phases before it gave is kept.
        """
        return Scope(phase=arguments.text("phase", phase, least=1))

    @staticmethod
    def checkpoint(seq: int, *, exactly: bool = False) -> Scope:
        """The items as of the checkpoint at `seq`, with the log after it.

        Args:
            seq: The commit that the checkpoint is of.
            exactly: Leave the log after it out; the plan then undoes what was recorded since.
        """
        return Scope(seq=arguments.ordinal("seq", seq), exact=arguments.flag("exactly", exactly))


def select(scope: Scope, state: JobState, endings: LastFailures) -> BitMap:
    """The ordinals of the items of `state` that are in `scope`.

    `endings` is asked for causes only if the scope is about these, and so for kinds. Cost: O(cells)
    for states and attempts; by cause, a pass over the heads, and by kind over the bodies in which
    items failed; by key, the index of keys and a block for each; by glob, the blocks of keys that
    may hold one, one at a time. Raises ItemAbsent, ScopeInvalid.
    """
    chosen = bitmap(range(state.items.count))
    for each in sorted(scope.filters, key=lambda one: isinstance(one, _Keys | _Globs)):
        chosen &= _members(each, state, chosen, endings)
    return chosen


def _members(one: Filter, state: JobState, chosen: BitMap, endings: LastFailures) -> BitMap:
    match one:
        case _Failed():
            return _failed(state, "Scope.failed()")
        case _States(states):
            return _in_states(state, states)
        case _Ordinals(ordinals):
            for ordinal in ordinals:
                if not 0 <= ordinal < state.items.count:
                    raise ItemAbsent(job_id=state.id, item=ordinal, count=state.items.count)
            return bitmap(ordinals)
        case _Span(first, last):
            return bitmap(range(first, min(last + 1, state.items.count)))
        case _AttemptsBelow(attempts):
            return _below(state, attempts)
        case _Causes(wanted):
            members = _failed(state, "Scope.causes()")
            _check_causes(state, wanted)
            found = endings.causes()
            return bitmap(o for o in members if found.get(o) in wanted)
        case _Kinds(wanted):
            members = _failed(state, "Scope.kinds()")
            _check_kinds(state)
            found = endings.kinds() if members else {}
            return bitmap(o for o in members if _is_of(found.get(o, ""), wanted))
        case _Globs(globs):
            fits = re.compile("|".join(translate(glob) for glob in globs) or r"(?!)").match
            return bitmap(o for o, key in _entries(state, chosen) if fits(key))
        case _Keys(keys):
            return _of_keys(state, keys)


def _failed(state: JobState, needed_by: str) -> BitMap:
    """Items that failed or are in the dead letter queue."""
    state.require("failure", needed_by)
    return state.failed | state.dead


def _in_states(state: JobState, states: frozenset[str]) -> BitMap:
    """Items in any of these states, of any collection."""
    machines = [ledger.machine for ledger in state.ledgers.values()]
    known = list(dict.fromkeys(name for machine in machines for name in machine.states))
    for name in sorted(states.difference(known)):
        listed = f"only {', '.join(known)}" if known else "and the job has no items"
        raise ScopeInvalid(problem=f"items have no state {name!r}, {listed}: leave it out")
    return state.items.members(*states)


def _below(state: JobState, attempts: int) -> BitMap:
    state.require("attempts", "Scope.attempts_below()")
    found = bitmap()
    for ledger in state.ledgers.values():
        counter = ledger.machine.roles.attempts
        if not counter:
            continue
        place = ledger.machine.owned.index(counter)
        for (_, values), members in ledger.cells.items():
            if values[place] < attempts:
                found |= members
    return found


def select_standing(scope: Scope, state: JobState, endings: LastFailures, what: str) -> BitMap:
    """The ordinals of the items in `scope` for a question about `what` the job is now.

    Raises ScopeInvalid, also for a scope that begins at another state than the newest; ItemAbsent.
    """
    if scope.rewinds or scope.seq is not None:
        raise ScopeInvalid(
            problem=f"{what} is that of the job as it stands: leave out the phase or the checkpoint"
        )
    return select(scope, state, endings)


def _check_causes(state: JobState, wanted: frozenset[str]) -> None:
    known: dict[str, None] = {}
    for ledger in state.ledgers.values():
        failure = ledger.machine.roles.failure
        if failure is None:
            continue
        if not failure.cause:
            raise RoleAbsent.at(state.lifecycle, ledger.machine, "failure.cause", "Scope.causes()")
        fields = ledger.machine.event_specs[failure.event].fields
        known |= dict.fromkeys(next(f.members for f in fields if f.name == failure.cause))
    for cause in sorted(wanted.difference(known)):
        raise ScopeInvalid(
            problem=f"there is no cause {cause!r}, only {', '.join(known)}: leave it out"
        )


def _check_kinds(state: JobState) -> None:
    """Raise RoleAbsent if no failure has a kind on record."""
    failures = [(one.machine, one.machine.roles.failure) for one in state.ledgers.values()]
    if not any(failure and failure.kind for _, failure in failures):
        machine = next(machine for machine, failure in failures if failure)
        raise RoleAbsent.at(state.lifecycle, machine, "failure.kind", "Scope.kinds()")


def _is_of(kind: str, wanted: frozenset[str]) -> bool:
    """True if a kind, or the first word of it, is one of those that are wanted."""
    return bool(kind) and (kind in wanted or kind.partition(" ")[0] in wanted)


def _entries(state: JobState, chosen: BitMap) -> Iterator[tuple[int, str]]:
    """Ordinal and key of the items in `chosen`, one block of keys in memory at a time."""
    for first, keys in state.inputs.blocks_of_keys(chosen):
        for ordinal, key in enumerate(keys, first):
            if ordinal in chosen:
                yield ordinal, key


def _of_keys(state: JobState, keys: frozenset[str]) -> BitMap:
    found = bitmap()
    for key in sorted(keys):
        try:
            found.add(state.inputs.ordinal(key))
        except KeyError:
            count = state.items.count
            names = tuple(state.ledgers)
            raise ItemAbsent(job_id=state.id, item=key, count=count, collections=names) from None
    return found


def _words(one: Filter) -> str:
    match one:
        case _Failed():
            return "failed or dead"
        case _States(states):
            return f"state {_or(sorted(states))}"
        case _Keys(keys):
            return f"key {_or(sorted(keys))}"
        case _Globs(globs):
            return f"key fits {_or(globs)}"
        case _Ordinals(ordinals):
            return f"ordinal {_or([str(o) for o in sorted(ordinals)])}"
        case _Span(first, last):
            return f"ordinals {first} to {last}"
        case _Causes(causes):
            return f"cause {_or(sorted(causes))}"
        case _Kinds(kinds):
            return f"kind {_or(sorted(kinds))}"
        case _AttemptsBelow(attempts):
            return f"fewer than {attempts} attempts"


def _or(words: Iterable[str]) -> str:
    every = list(words)
    more = f" or {len(every) - _LISTED} others" if len(every) > _LISTED else ""
    return " or ".join(every[:_LISTED]) + more
