"""The walk over one log: each fact asked of the definition, each commit held against the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from milepost.conformance.comparing import (
    Found,
    check_found,
    check_tally,
    of_snapshot,
    of_state,
)
from milepost.conformance.departures import (
    Departs,
    Departure,
    Kind,
    Remark,
    StepSaid,
    ValueSaid,
)
from milepost.conformance.holding import Holding
from milepost.conformance.members import ordinal_set
from milepost.conformance.standing import Standing, Stepped
from milepost.conformance.tracing import Traced
from milepost.conformance.upgrading import upgraded
from milepost.definition import Definition, NotUnderstood
from milepost.errors import (
    LifecycleChanged,
    LogCorrupt,
    StateError,
    StoreUnreadable,
    TransitionRefused,
)
from milepost.items.inputs import Inputs
from milepost.job.fold import advance
from milepost.job.state import JobState
from milepost.log.codec import chain_start, decode_snapshot
from milepost.log.facts import (
    Commit,
    Fact,
    ItemsAdded,
    ItemsFired,
    JobCreated,
    JobFired,
    MembersAdded,
    Migrated,
    Rewound,
    Snapshot,
)
from milepost.log.rows import Row
from milepost.state.reading.loading import JobLog, span_state
from milepost.stores.unreadable import is_of_content
from milepost.text.wording import short_repr

__all__ = ["Conformance", "Definitions", "walked"]

Definitions: TypeAlias = Mapping[tuple[str, int], Definition]
"""Definitions by the name and the version of their lifecycle."""

_REMARKS: Final = 20


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Conformance:
    """What came of one job: its first departure, or None.

    `commits` and `facts` were looked at, `steps` of the facts are steps, which the definition was
    asked for. `untold` says why of some of it nothing can be told; it is empty where all was looked
    at. `by_tables` says whether every state was held against what the generated tables give.
    """

    job_id: str
    commits: int
    facts: int
    steps: int
    items: int
    departure: Departure | None
    untold: str
    by_tables: bool
    remarks: tuple[Remark, ...] = ()

    @property
    def conforms(self) -> bool | None:
        """True if all was looked at and nothing departs, False if something does, else None."""
        if self.departure is not None:
            return False
        return None if self.untold else True


def walked(log: JobLog, definitions: Definitions, *, tables: bool = True) -> Conformance:
    """What comes of a log by those definitions, up to its first departure.

    With `tables`, each state is also held against what the tables at hand fold to, as far as there
    are any. Memory: the job's members by state and context, and as much for each commit that it
    went back to. Cost: the heads are read twice; one question to the definition for each event, and
    for those of its items that share state, context and payload.
    """
    return _Walk(log, definitions, tables=tables).whole()


class _Walk:
    """One walk. `upto` and `traced` are of the second one, which looks who set a value."""

    def __init__(
        self,
        log: JobLog,
        definitions: Definitions,
        *,
        tables: bool,
        upto: int | None = None,
        traced: Traced | None = None,
    ) -> None:
        self._log = log
        self._definitions = definitions
        self._upto = upto
        self._traced = traced
        self._held = Holding()
        self._standing: Standing | None = None
        self._inputs: Inputs = log.inputs(0)
        self._untold: dict[str, None] = {}
        self._remarks: list[Remark] = []
        self._commits = self._facts = self._steps = 0
        self._taken: list[Stepped] = []
        self._kept: dict[int, Standing | None] = {}
        self._tables: JobState | None = None
        self._with_tables = tables
        self._by_tables = tables

    def whole(self) -> Conformance:
        """The log from its first commit to its last, or to the first departure."""
        departure: Departure | None = None
        try:
            self._kept = dict.fromkeys(_went_back_to(self._log))
            if self._with_tables:
                self._tables = self._begun_tables()
            departure = self._walk()
        except LogCorrupt as error:
            self._untold[f"commit {error.seq} cannot be read: {error.problem}"] = None
        except StoreUnreadable as error:
            self._untold[f"the log cannot be read: {error.problem}"] = None
        except NotUnderstood as error:
            self._untold[f"at commit {self._commits} the definition says nothing: {error}"] = None
        standing = self._standing
        return Conformance(
            job_id=self._log.job_id,
            commits=self._commits,
            facts=self._facts,
            steps=self._steps,
            items=standing.count if standing else self._inputs.count,
            departure=departure,
            untold="; ".join(self._untold),
            by_tables=self._by_tables and self._with_tables,
            remarks=tuple(self._remarks),
        )

    def _walk(self) -> Departure | None:
        log = self._log
        stored = {one.seq: one for one in log.reader.checkpoints(log.number)} if self._all else {}
        along = set(log.reader.state_ends(log.number)) if self._all else set()
        previous, seq = chain_start(log.job_id), 0
        for row in log.rows(upto=self._upto):
            commit = log.commit(row, previous)
            if commit.seq != seq + 1:
                raise log.corrupt(row.seq, f"it follows {seq} in the log")
            departure = self._commit(row, commit)
            if departure is not None:
                return departure
            standing = self._standing
            if standing is not None and self._all:
                kept = stored.get(row.seq)
                if kept is not None:
                    departure = self._stored(commit, kept.snapshot, "checkpoint")
                if departure is None and row.seq in along:
                    departure = self._stored(commit, self._along(row.seq), "state")
                if departure is None:
                    departure = self._by_fold(commit)
                if departure is not None:
                    return departure
            previous, seq = row.digest, row.seq
            if seq in self._kept:
                self._kept[seq] = standing.copy() if standing else None
        if self._all:
            log.check_end(_End(seq, previous))
        return None

    @property
    def _all(self) -> bool:
        return self._traced is None

    def _commit(self, row: Row, commit: Commit) -> Departure | None:
        """Look at one commit."""
        index, fact = -1, None
        self._commits += 1
        self._taken = []
        try:
            self._held.begin(commit)
            for index, fact in enumerate(commit.facts):
                self._facts += 1
                self._held.take(fact, commit.seq, index)
                self._take(commit, fact)
            index, fact = -1, None
            self._held.end(commit)
            if self._standing is not None and self._all:
                check_tally(self._standing, self._log.tally(row), lambda: self._folded(commit))
        except Departs as found:
            return self._departure(commit, found, index, fact)
        return None

    def _take(self, commit: Commit, fact: Fact) -> None:
        match fact:
            case JobCreated():
                self._created(commit, fact)
            case Migrated():
                self._migrated(commit, fact)
            case Rewound():
                self._rewound(commit, fact)
            case JobFired() | ItemsFired() | ItemsAdded() | MembersAdded():
                self._stepped(commit, fact)

    def _stepped(
        self, commit: Commit, fact: JobFired | ItemsFired | ItemsAdded | MembersAdded
    ) -> None:
        standing = self._standing
        if standing is not None:
            self._steps += 1
            standing.take(fact)
            self._taken += standing.steps
            for told in standing.remarks:
                self._remark(commit.seq, told)
            standing.remarks.clear()
            if self._traced is not None:
                self._traced.look(commit.seq, standing)
        if isinstance(fact, ItemsAdded | MembersAdded):
            self._inputs = self._inputs.grown(fact.runs)

    def _remark(self, seq: int, text: str) -> None:
        if len(self._remarks) < _REMARKS:
            self._remarks.append(Remark(seq=seq, text=text))

    def _created(self, commit: Commit, fact: JobCreated) -> None:
        several = any(isinstance(one, MembersAdded) for one in commit.facts)
        self._inputs = self._log.inputs(0 if several else fact.item_count)
        definition = self._definition(fact.lifecycle, fact.version, commit.seq)
        if definition is not None:
            self._standing = Standing.begun(definition, fact)
            if not several:
                self._standing.check_begun()

    def _definition(self, name: str, version: int, seq: int) -> Definition | None:
        """The definition of a version, which commits from `seq` on are of; None is told of."""
        found = self._definitions.get((name, version))
        if found is None:
            told = f"from commit {seq} on it ran by {name} {version}"
            given = _given(name, self._definitions)
            self._untold[f"{told}, whose definition was not given (given: {given})"] = None
        return found

    def _migrated(self, commit: Commit, fact: Migrated) -> None:
        snapshot = decode_snapshot(fact.snapshot)
        definition = self._definition(fact.lifecycle, fact.version, commit.seq)
        before, self._standing = self._standing, None
        if definition is None:
            return
        if before is None:  # whatever it was before, that is what it is from here on
            self._standing = Standing.of(definition, snapshot)
            return
        after = upgraded(before, definition)
        check_found(after, of_snapshot(snapshot, after), "migration", "the change of version")
        self._standing = after

    def _rewound(self, commit: Commit, fact: Rewound) -> None:
        if not 0 < fact.to_seq < commit.seq:
            raise Departs("rewind", f"it goes back to seq {fact.to_seq}")
        snapshot = decode_snapshot(fact.snapshot)
        before, then = self._standing, self._kept.get(fact.to_seq)
        if self._traced is not None:
            self._traced.back(fact.to_seq)
        if before is None:
            pass
        elif then is None:
            self._standing = Standing.of(before.definition, snapshot)
        else:
            if then.definition is not before.definition:  # it was of an earlier version then
                then = upgraded(then, before.definition)
            whose = f"the state of seq {fact.to_seq} in it"
            check_found(then, of_snapshot(snapshot, then), "rewind", whose)
            self._standing = then.copy()
        self._inputs = _inputs_of(self._inputs, snapshot)

    def _stored(self, commit: Commit, found: bytes, kind: Kind) -> Departure | None:
        """Hold the state against one that is stored: of a checkpoint, or along the log."""
        standing = self._standing
        assert standing is not None, "it was looked at before"
        whose = "the checkpoint" if kind == "checkpoint" else "the state along the log"
        if not found:
            return None
        try:
            snapshot = decode_snapshot(found)
        except StateError as error:
            if not is_of_content(error):
                raise
            self._remark(commit.seq, f"{whose} cannot be read: {error}")
            return None
        try:
            check_found(standing, of_snapshot(snapshot, standing), kind, whose)
        except Departs as other:
            return self._departure(commit, other, -1, None)
        return None

    def _along(self, seq: int) -> bytes:
        for span in self._log.reader.states(self._log.number, seq):
            return span_state(span).snapshot if span.last == seq else b""
        return b""

    def _begun_tables(self) -> JobState | None:
        try:
            return self._log.origin()
        except LifecycleChanged:
            self._by_tables = False
            return None

    def _folded(self, commit: Commit) -> Found | None:
        """The job after a commit as the tables have it, None if they are not at hand or object."""
        state = self._tables
        if state is None or state.seq != commit.seq - 1:
            return None
        try:
            return of_state(advance(state, commit))
        except (LifecycleChanged, TransitionRefused, ValueError, KeyError):
            return None

    def _by_fold(self, commit: Commit) -> Departure | None:
        """Hold the state against what the tables give, where there are any."""
        state, standing = self._tables, self._standing
        if state is None or state.seq != commit.seq - 1:
            return None
        assert standing is not None, "it was looked at before"
        try:
            state = self._tables = advance(state, commit)
        except LifecycleChanged:
            self._tables, self._by_tables = None, False
            return None
        except (TransitionRefused, ValueError, KeyError) as error:
            found = Departs("tables", f"the tables refuse it: {error}", state=standing.phase)
            return self._departure(commit, found, -1, None)
        try:
            check_found(standing, of_state(state), "tables", "the state by the tables")
        except Departs as other:
            return self._departure(commit, other, -1, None)
        return None

    def _departure(
        self, commit: Commit, found: Departs, index: int, fact: Fact | None
    ) -> Departure:
        return Departure(
            kind=found.kind,
            seq=commit.seq,
            at_us=commit.at_us,
            fence=commit.fence,
            owner=self._held.owner,
            index=index,
            fact=_told(fact),
            subject=self._subject(found.ordinals),
            state=found.state,
            problem=found.problem,
            allowed=found.allowed,
            guards=found.guards,
            values=self._set_by(commit.seq, found) if self._all else found.values,
            steps=self._led(found) if found.kind == "tally" else (),
        )

    def _led(self, found: Departs) -> tuple[StepSaid, ...]:
        """The steps of the commit that led to what its row states otherwise, each once."""
        of_job = any(one.name == "phase" for one in found.values)
        who = ordinal_set(found.ordinals)
        steps = (
            step.taken
            for step in self._taken
            if (step.ordinals is None if of_job else step.ordinals is not None)
            and (not who or step.ordinals is None or step.ordinals & who)
        )
        told = (
            StepSaid(event=one.event, row=one.row, source=one.source, target=one.target)
            for one in steps
        )
        return tuple(dict.fromkeys(told))

    def _set_by(self, seq: int, found: Departs) -> tuple[ValueSaid, ...]:
        """The values that differ, each with the step that set it last, by a walk up to there."""
        standing = self._standing
        if not found.values or found.kind in ("tally", "migration", "rewind") or standing is None:
            return found.values
        ordinal = found.ordinals[0] if found.ordinals else None
        traced = Traced(ordinal)
        again = _Walk(self._log, self._definitions, tables=False, upto=seq, traced=traced)
        again._kept = dict.fromkeys(self._kept)
        again._walk()
        told = []
        for value in found.values:
            last = traced.last(value.name)
            told.append(
                replace(value, seq=last.seq, row=last.row, text=last.text) if last else value
            )
        return tuple(told)

    def _subject(self, ordinals: tuple[int, ...]) -> str:
        if not ordinals:
            return "the job"
        first = self._key(ordinals[0])
        more = len(ordinals) - 1
        return f"item {first}" + (f" and {more} more" if more else "")

    def _key(self, ordinal: int) -> str:
        try:
            return repr(self._inputs.key(ordinal))
        except StateError as error:
            if not is_of_content(error):
                raise
            return str(ordinal)
        except (KeyError, IndexError):
            return str(ordinal)


def _given(wanted: str, definitions: Definitions) -> str:
    """The definitions that were given, and in which of them the name may be misspelt."""
    from difflib import get_close_matches  # noqa: PLC0415 seldom needed

    told = ", ".join(f"{name} {version}" for name, version in sorted(definitions)) or "none"
    names = {name for name, _ in definitions}
    near = [] if wanted in names else get_close_matches(wanted, names, n=1)
    return told + (f"; did you mean 'lifecycle: {wanted}' for '{near[0]}'?" if near else "")


class _End:
    """Where a walk ended, as the check of a log's end asks for it."""

    def __init__(self, seq: int, digest: bytes) -> None:
        self.seq = seq
        self.digest = digest


def _went_back_to(log: JobLog) -> set[int]:
    """The commits that the job went back to."""
    facts = (fact for row in log.rows() for fact in log.facts(row))
    return {fact.to_seq for fact in facts if isinstance(fact, Rewound)}


def _inputs_of(inputs: Inputs, snapshot: Snapshot) -> Inputs:
    count = snapshot.created.item_count if snapshot.item_count is None else snapshot.item_count
    spans = tuple((first, place) for first, place in snapshot.spans) or ((0, 0),)
    return inputs.seen_as(count, spans)


def _told(fact: Fact | None) -> str:
    """A fact in words."""
    match fact:
        case None:
            return "the commit"
        case JobFired():
            return f"job '{fact.event}'"
        case ItemsFired():
            return f"items '{fact.event}'"
        case _:
            return str(type(fact).__struct_config__.tag)
