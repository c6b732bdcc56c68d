"""Verification: all that a job's log, checkpoints and inputs promise, checked from the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from milepost.errors import (
    CodecAbsent,
    InvariantBroken,
    LifecycleChanged,
    LogCorrupt,
    MilepostError,
    StateError,
    StoreError,
    StoreUnreadable,
)
from milepost.items.blocks import check_blocks, fingerprint_of
from milepost.items.inputs import Run
from milepost.job.invariants import breaks
from milepost.job.restoring import restore
from milepost.job.state import JobState
from milepost.job.upgrade import upgraded
from milepost.log.codec import digest_of
from milepost.log.facts import Fact, ItemsAdded, ItemsFired, MembersAdded, Migrated
from milepost.log.rows import Row, StoredCheckpoint, StoredJob
from milepost.state.reading.index_check import index_faults, is_state_of
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.meaning import fails_by, result_events
from milepost.state.reading.outline import Outline, outlines
from milepost.stores.protocol import Reader
from milepost.stores.unreadable import is_of_content
from milepost.text.wording import short_repr

__all__ = ["Problem", "Soundness", "Verification", "entry_of", "store_problems", "verify_job"]

NOTHING = "nothing: it is made anew from the log"
_AS_IT_WAS = "nothing: all of it is as it was written, and can be read"


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Problem:
    """One promise that does not hold: its `invariant`, and the commit `seq`, if it has one.

    `lost` says what cannot be had any more because of it, and what can. `repairable` is False
    for what no repair mends: bytes of which there is no second copy, and what has happened.
    Where commit `seq` broke an invariant that the lifecycle declares, `broken` says which, of
    whom, in which state and with what values.
    """

    invariant: str
    seq: int | None
    message: str
    lost: str = ""
    repairable: bool = True
    broken: InvariantBroken | None = None


class Soundness(StrEnum):
    """The verdict on a job, or on a store."""

    SOUND = "sound"
    NOT_SOUND = "not sound"
    CANNOT_TELL = "cannot tell"


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verification:
    """The verification of one job, with the problems found: none, if it is sound.

    `commits` and `items` are of the part of the log that verifies. `unchecked` says which tables
    are not at hand, so that the chain was checked and no step; it is empty where all was checked.
    """

    job_id: str
    commits: int
    checkpoints: int
    items: int
    problems: tuple[Problem, ...]
    unchecked: str = ""

    @property
    def verdict(self) -> Soundness:
        """NOT_SOUND where anything is wrong, else CANNOT_TELL where steps were not checked."""
        if self.problems:
            return Soundness.NOT_SOUND
        return Soundness.CANNOT_TELL if self.unchecked else Soundness.SOUND

    @property
    def sound(self) -> bool:
        """True if everything was checked, and holds."""
        return self.verdict == Soundness.SOUND


def store_problems(loader: Loader, reader: Reader) -> list[str]:
    """The problems of the store as a whole: its medium, its entries, rows of no job.

    Cost: the file is read once.
    """
    found = list(loader.store.check())
    try:
        listed = set(reader.job_ids(""))
        found += [
            f"the index of jobs does not lead to job {job.job_id}"
            for job in reader.entries()
            if job.job_id not in listed
        ]
        found += [
            f"{stray.count} rows of {stray.source} are of the job numbered {stray.number},"
            " of which there is no entry"
            for stray in reader.strays()
        ]
        reader.lifecycles()
    except StoreUnreadable as error:
        found.append(error.problem)
    return found


def verify_job(log: JobLog, *, listed: bool = True) -> Verification:
    """Check the whole of one job, and go on after a problem as far as that means something.

    INV-CHAIN, INV-GAPLESS, INV-FENCE and INV-LEGAL by replaying the log from its first commit;
    each row's tally against the fold, each body against its digest; INV-FOLD for each checkpoint,
    which is what the log folds to and what the commit after it tells of, and for the index of the
    log; INV-HOLDS, what the lifecycle declares, after each commit; the inputs against their
    fingerprints; the entry and the lease against the log. Values that need a codec that is not at
    hand are checked against their digests alone. Cost: the job is read once, every value is
    decoded, and the heads that an index is of, and two for each checkpoint, are read once more;
    memory: one row, one state, and the checkpoints. `listed` is False for a job that has no entry
    yet: then the entry that it is to have is looked at. Raises StoreError where the store cannot
    be looked at now, for a connection that was lost say: that is no damage.
    """
    work = _Work(log, listed=listed)
    work.log()
    work.entry()
    work.bodies()
    work.inputs()
    work.beside()
    work.index()
    state = work.state
    return Verification(
        job_id=log.job_id,
        commits=state.seq if state else 0,
        checkpoints=work.checkpoints,
        items=state.inputs.count if state else 0,
        problems=tuple(work.problems),
        unchecked=work.unchecked,
    )


def entry_of(job: StoredJob, state: JobState | Outline) -> StoredJob:
    """The content that the job's entry should have, by its log."""
    return StoredJob(job.number, job.job_id, state.created_at_us, state.lifecycle.digest)


class _Work:
    """The problems of one job, as they are found; `state` is the last that verifies."""

    def __init__(self, log: JobLog, *, listed: bool) -> None:
        self._log = log
        self._has_entry = listed
        self.problems: list[Problem] = []
        self.state: JobState | Outline | None = None
        self.unchecked = ""
        self.checkpoints = 0
        self._added: list[tuple[int, ItemsAdded | MembersAdded]] = []

    def _add(
        self, invariant: str, seq: int | None, message: str, lost: str, *, mends: bool = True
    ) -> None:
        problem = Problem(
            invariant=invariant, seq=seq, message=message, lost=lost, repairable=mends
        )
        self.problems.append(problem)

    def entry(self) -> None:
        """The job is found by its id, and its entry says what the log does."""
        try:
            reader = self._log.reader
            found = reader.job(self._log.job_id) if self._has_entry else self._log.entry
        except StoreUnreadable as error:
            self._add("entry", None, error.problem, NOTHING)
            return
        if self.state is not None and found != entry_of(self._log.entry, self.state):
            self._add("entry", None, "the entry says otherwise than the log", NOTHING)

    def log(self) -> None:
        """The chain, the fold, and each checkpoint as the fold comes by it."""
        stored = self._log.reader.checkpoints(self._log.number)
        every: dict[int, StoredCheckpoint] = {}
        try:
            every = {checkpoint.seq: checkpoint for checkpoint in stored}
        except StoreUnreadable as error:
            self._add("INV-FOLD", None, error.problem, NOTHING)
        checkpoints = dict(every)  # those that no commit came by yet
        try:
            try:
                self._folded(checkpoints)
            except LifecycleChanged as error:
                told = f"{error.lifecycle} {error.version or '?'} ({error.digest:.12})"
                self.unchecked = f"no table for {told}"
                checkpoints = every  # from the start, as the log is outlined
                self._outlined(checkpoints)
        except LogCorrupt as error:
            invariant = "INV-LEGAL" if "not legal" in error.problem else "INV-CHAIN"
            lost = self._lost_from(error.seq)
            self._add(invariant, error.seq, error.problem, lost, mends=error.seq > 1)
        except MilepostError as error:
            if not is_of_content(error):
                raise
            lost = self._lost_from(self.state.seq + 1) if self.state else ""
            self._add("readable", None, _found(error), lost, mends=self.state is not None)
        else:
            for seq in checkpoints:
                self._add("INV-FOLD", seq, "a checkpoint of no commit of this log", NOTHING)

    def _folded(self, checkpoints: dict[int, StoredCheckpoint]) -> None:
        """Every step by the tables; takes the checkpoints that it comes by out of `checkpoints`."""
        log = self._log
        state = self.state = log.origin()
        for seq in [seq for seq in checkpoints if seq <= state.seq]:
            self._attested(checkpoints.pop(seq), None)
        sound: list[StoredCheckpoint] = []  # without their bytes, which are looked at by then
        known: JobState | None = None  # nobody knows what broke in what came before
        along = set(log.reader.state_ends(log.number))
        for row, after in log.replay(state):
            before, state = state, after
            self.state = after
            self._kept(row.seq, known, after)
            known = after
            if after.lifecycle is not before.lifecycle:
                self._upgrade(row, before, after)
            if log.tally(row) != after.tally:
                message = "the row states another tally than the fold gives"
                self._add("INV-FOLD", row.seq, message, "nothing: the fold is what counts")
            if row.seq in along and not is_state_of(log, after):
                message = "the state along the log is not what the log folds to"
                self._add("INV-FOLD", row.seq, message, NOTHING)
            stored = checkpoints.pop(row.seq, None)
            if stored is None:
                continue
            self.checkpoints += 1
            try:
                if log.verified(stored) != after:
                    message = "the checkpoint is not what the log folds to"
                    self._add("INV-FOLD", row.seq, message, NOTHING)
                else:
                    sound.append(msgspec.structs.replace(stored, snapshot=b""))
            except StateError as error:
                if not is_of_content(error):
                    raise
                self._add("INV-FOLD", row.seq, _found(error), NOTHING)
        log.check_end(state)
        for stored in sound:
            self._told(stored)

    def _told(self, stored: StoredCheckpoint) -> None:
        """The commit after a checkpoint tells of it: its digest, its time and its reason."""
        try:
            self._log.listed(stored)
        except StateError as error:
            if not is_of_content(error):
                raise
            self._add("INV-FOLD", stored.seq, _found(error), NOTHING)

    def _kept(self, seq: int, before: JobState | None, after: JobState) -> None:
        """Declared invariants of the job and its items that the commit broke, proved ones too."""
        for broken in breaks(before, after):
            problem = Problem(
                invariant="INV-HOLDS",
                seq=seq,
                message=str(broken),
                lost=_AS_IT_WAS,
                repairable=False,
                broken=broken,
            )
            self.problems.append(problem)

    def _outlined(self, checkpoints: dict[int, StoredCheckpoint]) -> None:
        """The log without its steps: chain, order, fences, and the bytes of each checkpoint."""
        self.state, self.checkpoints = None, 0
        for row, _, stands in outlines(self._log):
            self.state = stands
            stored = checkpoints.pop(row.seq, None)
            if stored is not None:
                self._attested(stored, row.digest)
        if self.state is not None:
            self._log.check_end(self.state)

    def _attested(self, stored: StoredCheckpoint, chain: bytes | None) -> None:
        """A checkpoint of which only its bytes can be checked, and the commit that it is of."""
        self.checkpoints += 1
        if chain is None:
            rows = self._log.rows(stored.seq - 1, stored.seq)
            chain = next((row.digest for row in rows), b"")
        if digest_of(stored.snapshot) != stored.digest or stored.chain != chain:
            if any((one.invariant, one.seq) == ("INV-FOLD", stored.seq) for one in self.problems):
                return  # the fold had come by it, up to where a table is missing
            self._add("INV-FOLD", stored.seq, "the checkpoint is not of this log", NOTHING)
            return
        self._told(stored)

    def _upgrade(self, row: Row, before: JobState, after: JobState) -> None:
        """A change of version leads where the upgrade leads, as far as that is known here."""
        facts = self._log.facts(row)
        changes = (fact for fact in facts if isinstance(fact, Migrated))
        then = restore(next(changes).snapshot, after.tables, after.inputs)
        try:
            due = upgraded(before, after.lifecycle)
        except LifecycleChanged:
            return  # of versions that have gone, nobody can tell any more
        if (then.phase, then.context, then.items) != (due.phase, due.context, due.items):
            message = "the job was taken to another version otherwise than its upgrade says"
            self._add("INV-LEGAL", row.seq, message, NOTHING, mends=False)

    def _lost_from(self, seq: int) -> str:
        """The loss from `seq` on: commits that cannot be folded any more."""
        last, count = 0, 0
        with suppress(StoreUnreadable):
            for row in self._log.rows(seq - 1):
                last, count = row.seq, count + 1
        with suppress(StoreUnreadable):
            noted = self._log.reader.newest(self._log.number)
            last = max(last, noted[0] if noted else 0)
        kept = f"commits 1 to {seq - 1} are whole" if seq > 1 else "there is none before it"
        return f"commits {seq} to {max(last, seq)}, {count} of them still there; {kept}"

    def index(self) -> None:
        """The index of the log says what the log says, as far as the log verifies."""
        try:
            for seq, message in index_faults(self._log, self.state.seq if self.state else 0):
                self._add("INV-FOLD", seq, message, NOTHING)
        except StoreUnreadable as error:
            self._add("readable", None, error.problem, NOTHING)

    def bodies(self) -> None:
        """Each body that the log attests; on the way, what the log says of added items."""
        last = self.state.seq if self.state else 0
        reached = 0
        try:
            for row in self._log.rows(0, last, bodies=True):
                reached = row.seq
                facts = self._log.facts(row)
                self._added += [
                    (row.seq, fact) for fact in facts if isinstance(fact, ItemsAdded | MembersAdded)
                ]
                try:
                    self._body(row, facts)
                except LogCorrupt as error:
                    lost = self._losses(facts)
                    self._add("INV-CHAIN", row.seq, error.problem, lost, mends=False)
        except StoreUnreadable as error:
            lost = "what that commit carried"
            self._add("INV-CHAIN", reached + 1, error.problem, lost, mends=False)

    def _body(self, row: Row, facts: tuple[Fact, ...]) -> None:
        try:
            body = self._log.bodies(row)
        except CodecAbsent:
            return  # it is what the row attests: more cannot be told
        if body and len(body) != len(facts):
            raise self._log.corrupt(row.seq, "it has bodies for other facts")

    def _losses(self, facts: tuple[Fact, ...]) -> str:
        """Whose payloads are in a body that cannot be read."""
        lost = [
            f"{self._carried(fact.event)} of {_few(self._keys(fact))}"
            for fact in facts
            if isinstance(fact, ItemsFired)
        ]
        what = "; ".join(lost) or "what came with the job's own events"
        return f"{what}; the state is whole"

    def _carried(self, event: str) -> str:
        """The results and messages of an event of items, in words."""
        assert self.state is not None, "a body is looked at once the log was replayed"
        if isinstance(self.state, Outline):
            return f"what came with {event}"
        if event in result_events(self.state):
            return "the results"
        machines = (ledger.machine for ledger in self.state.ledgers.values())
        if any(fails_by(machine.roles, event) for machine in machines):
            return "the causes of failure"
        return f"what came with {event}"

    def _keys(self, fact: ItemsFired) -> Iterator[str]:
        for ordinal in fact.ordinals:
            try:
                assert self.state is not None, "a body is looked at once the log was replayed"
                yield repr(self.state.inputs.key(ordinal))
            except StateError as error:
                if not is_of_content(error):
                    raise
                yield f"item {ordinal}"

    def inputs(self) -> None:
        """The items: each block, and against their fingerprints the first and each addition."""
        if self.state is None:
            return
        lost = "the keys or values of these items; what was recorded of them is whole"
        damaged = False
        try:
            for block in self._log.reader.inputs(self._log.number):
                try:
                    check_blocks([block], self._log.url)
                except StoreUnreadable as error:
                    damaged = True
                    self._add("inputs", None, error.problem, lost, mends=False)
        except StoreUnreadable as error:
            damaged = True
            self._add("inputs", None, error.problem, lost, mends=False)
        if damaged:
            return
        created = self.state.created
        whose = "that the job was created with"
        by_collection = any(seq == 1 for seq, _ in self._added)
        count = 0 if by_collection else created.item_count
        self._listed([(0, count)], created.fingerprint, whose, lost)
        for seq, fact in self._added:
            self._listed(fact.runs, fact.fingerprint, f"that commit {seq} added", lost)

    def _listed(self, runs: list[Run], fingerprint: str, whose: str, lost: str) -> None:
        """The items at the places of `runs` are those that the log speaks of."""
        log = self._log
        try:
            found = fingerprint_of(log.blocks(runs), log.url, log.payloads)
        except CodecAbsent:
            return  # each block is what its digest attests: more cannot be told
        except StoreUnreadable as error:
            self._add("inputs", None, error.problem, lost, mends=False)
            return
        if found != (sum(count for _, count in runs), fingerprint):
            message = f"the items are not those {whose}"
            self._add("inputs", None, message, lost, mends=False)

    def beside(self) -> None:
        """The lease, against the log; what is told of the lifecycle."""
        if self.state is None:
            return
        try:
            self._log.reader.lifecycle(self.state.lifecycle.digest)
        except StoreUnreadable as error:
            self._add("lifecycle", None, error.problem, _TOLD)
        try:
            self._log.lease(self.state.fence)
        except StoreUnreadable as error:
            lost = "until when the holder may be taken for alive; who holds the job is in the log"
            self._add("lease", None, error.problem, lost)


_TOLD = "nothing: it is made anew from the tables, for those without them"
_FEW = 5


def _few(names: Iterator[str]) -> str:
    listed = list(names)
    more = len(listed) - _FEW
    return ", ".join(listed[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _found(error: MilepostError) -> str:
    """What an error found; what to do about it is said of the verification as a whole."""
    return StoreError.__str__(error) if type(error) is StoreUnreadable else str(error)
