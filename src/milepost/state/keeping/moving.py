"""Moving jobs to another store: rows and digests as they are, and no moment without a whole job.

A job goes in four acts. Its rows arrive in the other store under a number that has no entry, in
commits of bounded size, so that nobody finds it there. Then all of it is verified there, as
`verify` does. Then it is let go of, under the write locks of both: a tombstone that says where it
has gone takes the place of its entry here, and after that commit an entry there makes it a job.
At last its rows here are erased. A mover that dies leaves what the next one goes on with; once the
tombstone is there nothing takes the rows away, on either side, but a mover who sees that the other
side has all of it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from milepost.defaults import BATCH_ROWS, pause
from milepost.errors import (
    JobAbsent,
    JobExists,
    JobMoved,
    LeaseHeld,
    MoveFailed,
    StateError,
    StoreAbsent,
    StoreError,
    StoreReadOnly,
    StoreUnreadable,
    ValueInvalid,
)
from milepost.log.facts import check_job_id
from milepost.log.rows import Row, Staged, StoredJob
from milepost.state.keeping.arrivals import (
    Carrier,
    Copy,
    OnMove,
    Overtaken,
    Standing,
    beside,
    freed,
)
from milepost.state.keeping.retention import holder_of
from milepost.state.reading.departures import Departure, absence, departure_of
from milepost.state.reading.folders import family, folders_named
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.writing.arriving import arrival, erased, is_whole, mark
from milepost.state.writing.lease import held
from milepost.state.writing.observing import Observer
from milepost.stores.memory import MemoryStore
from milepost.stores.opening import open_store, shown_url
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

__all__ = ["JobMove", "MoveOutcome", "Movement", "OnMove", "StoreMove", "move_jobs"]

_log: Final = logging.getLogger("milepost.state")

_TIMES: Final = 8
"""How often a job is looked at again that goes on, without a lease, while it is copied."""

_ONE: Final = "it is the store that jobs are to be moved out of: name another"
_FILE: Final = "sqlite:///"

MoveOutcome: TypeAlias = Literal["moved", "would-move", "refused"]

_REFUSED: Final = (JobExists, JobMoved, LeaseHeld, MoveFailed, StoreUnreadable, ValueInvalid)
"""What is the matter with one job: others may be moved all the same."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobMove:
    """The outcome for one job: `error` says why it was refused, and stays where it is.

    `commits` and `size_bytes` are of what was to be moved, nothing where it had been before.
    `unchecked` says which tables are not at hand, so that the chain was verified and no step.
    """

    job_id: str
    outcome: MoveOutcome
    commits: int = 0
    size_bytes: int = 0
    unchecked: str = ""
    error: StateError | None = None


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoreMove:
    """The outcome of a move from the store `source` to the store `target`, job by job."""

    source: str
    target: str
    jobs: tuple[JobMove, ...]

    @property
    def whole(self) -> bool:
        """True if no job was refused."""
        return all(job.error is None for job in self.jobs)


class _There(NamedTuple):
    """The job in the target: its entry, or that it was there. Neither where it may yet arrive."""

    job: StoredJob | None = None
    deleted: bool = False


def move_jobs(
    source: Loader,
    to: str | Path,
    observer: Observer,
    now_us: Callable[[], int],
    *,
    job_id: str | None,
    dry_run: bool,
    told: OnMove | None = None,
    forget: Callable[[str], None],
    rest: Callable[[], None] = pause,
) -> StoreMove:
    """Move the job, or every one, to the store `to`, which is made if any can be moved to it.

    `forget` is told of each job that is gone. Raises as Upkeep.move does.
    """
    here = source.store
    with ExitStack() as stack:
        target: StateStore | None = None
        with suppress(StoreAbsent):
            target = open_store(to, create=False, read_only=dry_run)
            stack.callback(target.close)
            _refuse_target(here, target)
        first = Movement(source, target, observer, rest=rest, batch_rows=BATCH_ROWS)
        job_ids = first.job_ids() if job_id is None else [job_id]
        looked = [first.look(each, alone=job_id is not None) for each in job_ids]
        named = shown_url(str(to)) if target is None else target.url
        if dry_run or not looked or all(one.error is not None for one in looked):
            return StoreMove(source=here.url, target=named, jobs=tuple(looked))
        if target is None:
            target = open_store(to)
            stack.callback(target.close)
        _check_apart(here, target, now_us())
        movement = Movement(source, target, observer, rest=rest, batch_rows=BATCH_ROWS, told=told)
        moved = []
        for each in job_ids:
            try:
                moved.append(movement.move(each, alone=job_id is not None))
            except JobAbsent:  # somebody deleted it
                if job_id is not None:
                    raise
            forget(each)
        return StoreMove(source=here.url, target=target.url, jobs=tuple(moved))


def _refuse_target(source: StateStore, target: StateStore) -> None:
    """Raise StoreError for a store that nothing is to be moved to, by what it is called."""
    problem = ""
    if isinstance(target, MemoryStore):
        problem = "it is gone with its process: name another"
    elif _place(source) == _place(target):
        problem = _ONE
    if problem:
        raise StoreError(url=shown_url(target.url), problem=problem)


def _place(store: StateStore) -> str:
    """The store as it is named from any folder, without a password."""
    url = store.url
    if url.startswith(_FILE):
        return f"{_FILE}{Path(url.removeprefix(_FILE)).resolve()}"
    return shown_url(url)


def _check_apart(source: StateStore, target: StateStore, now_us: int) -> None:
    """Raise StoreError where both are one store, however they are named. Two short commits."""
    probe = Staged(0, 0, 0, f"probe:{secrets.token_hex(8)}", now_us)
    with target.writing() as writer:
        writer.stage(probe)
    try:
        with source.reading() as reader:
            same = probe in reader.staged()
    finally:
        with target.writing() as writer:
            writer.unstage(probe.token)
    if same:
        raise StoreError(url=shown_url(target.url), problem=_ONE)


class Movement:
    """A move of jobs from one store to another, of which `target` is None where it is not made yet.

    Movers may work at once: they share what has arrived. A commit writes `batch_rows` rows at
    most; `rest` is called between two erasing ones.
    """

    def __init__(
        self,
        source: Loader,
        target: StateStore | None,
        observer: Observer,
        *,
        rest: Callable[[], None],
        batch_rows: int,
        told: OnMove | None = None,
    ) -> None:
        self._source = source
        self._observer = observer
        self._rest = rest
        self._batch_rows = batch_rows
        self._url = "another store"
        self._target: Loader | None = None
        self._families: dict[str, list[StoredJob]] = {}
        self._whole: dict[str, tuple[int, bytes]] = {}  # to which commit, of those with a fork
        if target is not None:
            self._target = Loader(target, source.tables, payloads=source.payloads)
            self._url = _place(target)
            self._carrier = Carrier(
                source,
                self._target,
                self._url,
                observer.now_us if target.clock is None else target.clock.now_us,
                rest=rest,
                batch_rows=batch_rows,
                told=told,
            )

    def job_ids(self) -> list[str]:
        """The jobs of the source: those whose move was begun, then all others in their order."""
        with self._source.store.reading() as reader:
            begun = [one.job_id for one in reader.tombstones_left() if departure_of(one)]
            return list(dict.fromkeys([*begun, *(job.job_id for job in reader.entries())]))

    def look(self, job_id: str, *, alone: bool) -> JobMove:
        """What a move of the job would come to; nothing is changed. Raises JobAbsent.

        `alone` says that no other job is to be moved with it.
        """
        try:
            standing = self._standing(job_id)
            self._refuse_parting(standing, alone=alone, copied=False)
            if self._target is not None:
                self._there(standing)
            elif standing.departure is not None:
                raise self._gone(standing)
        except _REFUSED as error:
            return JobMove(job_id=job_id, outcome="refused", error=error)
        return self._outcome("moved" if standing.erased else "would-move", standing)

    def move(self, job_id: str, *, alone: bool) -> JobMove:
        """Move the job, or go on where another mover was. Raises JobAbsent, the stores' errors.

        Cost: the job is read and written once, verified in the target and erased in the source;
        memory: a batch, and what a verification takes.
        """
        if self._source.store.read_only:
            raise StoreReadOnly(
                url=self._source.store.url,
                problem="it was opened for reading only, and a move takes jobs out of it: open it"
                " to write, or copy a job with `export --log` and `import log`",
            )
        try:
            for _ in range(_TIMES):
                standing = self._standing(job_id)
                with suppress(Overtaken):
                    self._refuse_parting(standing, alone=alone, copied=True)
                    return self._moved(standing)
            problem = "it went on while it was copied, again and again: stop what writes to it"
            raise self._failed(job_id, problem)
        except _REFUSED as error:
            self._leave(job_id)
            return JobMove(job_id=job_id, outcome="refused", error=error)

    def _moved(self, standing: Standing) -> JobMove:
        """Move the job that stands so. Raises Overtaken where it does not any more."""
        try:
            return self._carried(standing)
        except (JobAbsent, MoveFailed, StoreUnreadable) as error:
            if self._stands(standing):
                raise
            raise Overtaken from error  # what was missed is in the other store by now

    def _stands(self, standing: Standing) -> bool:
        """True if the job is, or is not, in the source as it was."""
        with self._source.store.reading() as reader:
            if standing.departure is None:
                return reader.job(standing.job.job_id) == standing.job
            tombstone = reader.tombstone(standing.job.job_id)
            return tombstone is not None and tombstone.erased == standing.erased

    def _carried(self, standing: Standing) -> JobMove:
        there = self._there(standing)
        if standing.erased:
            return self._outcome("moved", standing)  # all of it was done before
        unchecked = ""
        if not there.deleted:
            copy = self._carrier.copied(standing, there.job)
            self._let_go(standing, copy)
            unchecked = copy.unchecked
        job, store = standing.job, self._source.store
        for _ in erased(store, job.number, self._batch_rows, self._rest, job.job_id):
            pass
        _log.info("job %s moved to %s", standing.job.job_id, printable(self._url))
        return self._outcome("moved", standing, unchecked)

    # What is in the source, and in the target

    def _standing(self, job_id: str) -> Standing:
        """How the job stands in the source.

        Raises JobAbsent, LeaseHeld, MoveFailed, StoreUnreadable.
        """
        with self._source.store.reading() as reader:
            job = reader.job(check_job_id(job_id))
            if job is not None:
                log = JobLog(self._source, reader, job)
                tip = reader.tip(job.number)
                if tip is None:
                    raise log.corrupt(1, "it is missing")
                self._refuse_held(log, tip)
                size_bytes = reader.sizes(job.number).total_bytes
                return Standing(job, tip, size_bytes=size_bytes)
            tombstone = reader.tombstone(job_id)
            departure = departure_of(tombstone)
            if tombstone is None or departure is None:
                raise absence(reader, job_id, self._source.store.url)
            job = StoredJob(tombstone.number, job_id, 0, "")
            size_bytes = 0 if tombstone.erased else reader.sizes(job.number).total_bytes
            tip = reader.tip(job.number)
            return Standing(job, tip, departure, tombstone.erased, size_bytes)

    def _refuse_held(self, log: JobLog, tip: Row) -> None:
        """Raise LeaseHeld while somebody who seems alive works on the job."""
        lease = holder_of(log, tip, self._observer)
        if lease is None:
            return
        raise held(log.job_id, lease, self._observer.judge(log.number, lease))

    def _sharing(self, reader: Reader, job: StoredJob) -> list[str]:
        """Other jobs here that have results in a folder of this one, as the first look found them.

        Whoever deletes one of them asks whether another is left, in the store that it is in. Cost:
        the first commit of each job, once; a pass over the heads of those that have a fork.
        """
        if not self._families:
            for one in reader.entries():
                with suppress(StoreUnreadable):  # such a job is not moved, nor its forks known
                    self._families.setdefault(family(reader, one.number), []).append(one)
        url = self._source.store.url
        others = [
            one
            for one in self._families.get(family(reader, job.number), [])
            if one.number != job.number and reader.job(one.job_id) == one
        ]
        mine = set(folders_named(reader, job, url)) if others else set()
        found = []
        for one in others:
            try:
                is_shared = bool(mine & set(folders_named(reader, one, url)))
            except StoreUnreadable:
                is_shared = bool(mine)  # who can tell
            if is_shared:
                found.append(one.job_id)
        return found

    def _refuse_parting(self, standing: Standing, *, alone: bool, copied: bool) -> None:
        """Raise MoveFailed where another that has results in a folder of the job would stay.

        With `copied` it is not let go of before those others have arrived and verify, too.
        """
        if standing.departure is not None:
            return  # it has gone
        job = standing.job
        with self._source.store.reading() as reader:
            sharing = self._sharing(reader, job)
        for other in sharing:
            shared = (
                f"the folder of its results is one of {other} too, since one of them is a fork:"
            )
            if alone:
                problem = f"{shared} move all jobs of the store, or delete that one first"
                raise self._failed(job.job_id, problem)
            try:
                its = self._standing(other)
                there = None if self._target is None else self._there(its)
                if copied and there is not None and self._whole.get(other) != its.end:
                    self._carrier.copied(its, there.job)
                    self._whole[other] = its.end
            except JobAbsent:
                continue  # another mover was faster, or somebody deleted it
            except _REFUSED as error:
                problem = f"{shared} that one stays ({error}), and so does this"
                raise self._failed(job.job_id, problem) from error

    def _there(self, standing: Standing) -> _There:
        """What the target has of the job, which may be nothing.

        Raises JobExists where it has another of that id, JobMoved for one that has gone to a store
        that is not this, or on from there.
        """
        store, job_id, departure = self._store, standing.job.job_id, standing.departure
        with store.reading() as reader:
            job = reader.job(job_id)
            if job is not None:
                seq, digest = standing.end
                if any(row.digest == digest for row in reader.rows(job.number, seq - 1, seq)):
                    return _There(job=job)
                if departure is None:
                    raise JobExists(job_id=job_id, url=store.url)
                if departure.url != self._url or standing.erased:
                    raise self._gone(standing)
                problem = (
                    f"{self._url} has another job of that id since its move was begun: move or"
                    " delete that one"
                )
                raise self._failed(job_id, problem)
            if departure is None:
                return _There()
            found = None if standing.erased else arrival(reader, self._carrier.first(standing))
            if found is not None and reader.newest(found.number) == standing.end:
                return _There()
            if departure.url == self._url:
                before = reader.tombstone(job_id)  # it was there, if it was under that number
                if before is not None and before.number == departure.number:
                    return _There(deleted=True)
                later = before is not None and before.number > departure.number
                if not standing.erased and not later:
                    return _There()
            raise self._gone(standing)

    # Letting go

    def _let_go(self, standing: Standing, copy: Copy) -> None:
        """Make the copy the job, and let go of it here. Raises Overtaken where either has changed.

        The source commits first. Between the two commits the job is in neither, and its rows are
        in both.
        """
        if standing.departure is not None:
            with self._store.writing(standing.job.job_id) as writer:
                self._publish(writer, copy)
            return
        number, job_id = standing.job.number, standing.job.job_id
        with (
            self._store.writing(job_id) as writer,
            self._source.store.writing(job_id) as leaving,
        ):
            job, tip = leaving.job(standing.job.job_id), leaving.tip(number)
            if job is None or tip is None or job != standing.job:
                raise Overtaken
            if (tip.seq, tip.digest) != (copy.seq, copy.digest):
                raise Overtaken
            self._refuse_held(JobLog(self._source, leaving, job), tip)
            here = beside(leaving, number)
            if copy.first and beside(writer, copy.job.number) != freed(here):
                raise Overtaken
            self._publish(writer, copy)
            left = Departure(self._url, copy.job.number, copy.seq, copy.digest)
            leaving.bury(job, self._observer.now_us(), left.reason())

    def _publish(self, writer: Writer, copy: Copy) -> None:
        """Give what arrived its entry. Raises Overtaken where it is not there as it was."""
        job, there = copy.job, writer.job(copy.job.job_id)
        if not copy.first:
            rows = writer.rows(job.number, copy.seq - 1, copy.seq)
            if there != job or [row.digest for row in rows] != [copy.digest]:
                raise Overtaken
            return
        found = arrival(writer, copy.first)
        if there is not None or found is None or found.number != job.number or not is_whole(found):
            raise Overtaken
        if writer.newest(job.number) != (copy.seq, copy.digest):
            raise Overtaken
        writer.add_job(job.job_id, job.created_at_us, job.lifecycle, job.number)
        writer.unstage(found.token)

    def _leave(self, job_id: str) -> None:
        """After a refusal: what arrived of a job that stays is not said to be whole any more.

        So it is swept if nobody goes on with it.
        """
        with self._source.store.reading() as reader:
            job = reader.job(job_id)
            rows = [] if job is None else list(reader.rows(job.number, 0, 1))
        for row in rows:
            with self._store.reading() as reader:
                found = arrival(reader, row.digest)
            if found is None or not is_whole(found):
                continue
            with self._store.writing(job_id) as writer, self._source.store.reading() as reader:
                if reader.job(job_id) == job and found in writer.staged():
                    writer.stage(mark(found.number, row.digest, found.touched_at_us))

    # What is said, and small things

    @property
    def _store(self) -> StateStore:
        assert self._target is not None, "there is a target to look at"
        return self._target.store

    def _gone(self, standing: Standing) -> StateError:
        with self._source.store.reading() as reader:
            return absence(reader, standing.job.job_id, self._source.store.url)

    def _failed(self, job_id: str, problem: str) -> MoveFailed:
        source = self._source.store.url
        return MoveFailed(job_id=job_id, url=source, target=self._url, problem=problem)

    def _outcome(self, outcome: MoveOutcome, standing: Standing, unchecked: str = "") -> JobMove:
        return JobMove(
            job_id=standing.job.job_id,
            outcome=outcome,
            commits=0 if standing.erased else standing.end[0],
            size_bytes=standing.size_bytes,
            unchecked=unchecked,
        )
