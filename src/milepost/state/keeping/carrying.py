"""One job's log as a file of its own: the rows as they are stored, line by line, and back again.

What is derived is left out and made anew, and how long a job is kept is for each store to say.
Nothing is decoded on the way: the digests of the copy are those of the original, and it is verified
as a whole before it is kept. The last line holds a digest of all lines before it; it tells damage,
and is no signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from milepost.errors import (
    ImportFailed,
    StoreAbsent,
    StoreError,
    StoreNewer,
    StoreUnreadable,
)
from milepost.items.blocks import read_keys
from milepost.items.key_index import segment_of
from milepost.log.facts import check_job_id
from milepost.log.payloads import CODEC
from milepost.log.rows import (
    InputBlock,
    Row,
    StoredCheckpoint,
    StoredJob,
    StoredLease,
    StoredLifecycle,
)
from milepost.process.files import whole_file
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.naming import Names
from milepost.state.reading.verification import Verification, verify_job
from milepost.state.writing.describing import describe
from milepost.state.writing.new_jobs import JobSummary, check_absent, summary
from milepost.stores.opening import open_store
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.text.keys import key_twice
from milepost.worker.values import UNDECODABLE

__all__ = ["take_in", "tried", "write"]

FORMAT: Final = 1
"""The form of the file; whoever meets a later one says so."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which job it is, in which form. `lifecycle` is a digest."""

    form: int
    job: str
    created_at_us: int
    lifecycle: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A line of the file: just one of these. The last has the `digest` of the lines before it."""

    opening: Opening | None = None
    lifecycle: StoredLifecycle | None = None
    items: InputBlock | None = None
    commit: Row | None = None
    checkpoint: StoredCheckpoint | None = None
    digest: bytes | None = None


_PLACES: Final = 1 << 31
"""More items than any job has; a store has room for as many places of a job."""

_decoder: Final = msgspec.json.Decoder(_Line)


def write(log: JobLog, path: Path) -> int:
    """Write the job's file, as of the moment of its reader; its size in bytes.

    Raises StoreUnreadable for rows that the store does not vouch for, OSError. Cost: O(log and
    items); memory: one row.
    """
    with whole_file(path) as out:
        told = _hasher()
        for line in _lines(log.reader, log.entry):
            text = msgspec.json.encode(line) + b"\n"
            told.update(text)
            out.write(text)
        out.write(msgspec.json.encode(_Line(digest=told.digest())) + b"\n")
        return out.tell()


def tried(loader: Loader, reader: Reader, path: Path) -> tuple[Verification, JobSummary]:
    """What `take_in` would answer; the job is made in a temporary folder, and gone.

    Raises as `take_in`.
    """
    job_id = named_in(path)
    check_absent(loader, reader, job_id)
    with (
        TemporaryDirectory(prefix="milepost-") as folder,
        closing(_for_a_while(folder)) as store,
        store.writing() as writer,
    ):
        own = Loader(store, loader.tables, payloads=loader.payloads)
        return take_in(own, writer, path, job_id)


def named_in(path: Path) -> str:
    """The id of the job of the file. Raises as `take_in`."""
    with _lines_of(path) as lines:
        return check_job_id(_opening(next(lines, None), path).job)


def take_in(
    loader: Loader, writer: Writer, path: Path, job_id: str
) -> tuple[Verification, JobSummary]:
    """Make a job of the file, of the same id, held by nobody; verified before the turn ends.

    The `writer` is for that job, which the file names as `job_id`.

    Returns the verification, and how the job stands.

    Raises JobExists, JobMoved, ImportFailed where it is not whole or does not verify, StoreNewer,
    OSError.
    Cost: O(file), under the write lock; memory: one row, and what a verification takes.
    """
    with _lines_of(path) as lines:
        told = _opening(next(lines, None), path)
        if told.job != job_id:
            raise ImportFailed(job_id=job_id, problem=f"{path} was changed meanwhile: try again")
        check_absent(loader, writer, job_id)
        with _fitting(told.job, 1, path):
            job = writer.add_job(told.job, told.created_at_us, told.lifecycle)
        into = _Into(writer, job, loader.store.url)
        for number, line in enumerate(lines, 2):
            with _fitting(told.job, number, path):
                into.put(line)
    describe(writer, loader.tables.get(told.lifecycle))  # by tables, not by the file
    if into.fence:  # the one that the log tells of, held by nobody
        writer.put_lease(job.number, StoredLease("", into.fence, 0, 0))
    log = JobLog(loader, writer, job)
    found = verify_job(log)
    if found.problems:
        problems = "; ".join(problem.message for problem in found.problems)
        raise ImportFailed(job_id=told.job, problem=f"{path}: it does not verify: {problems}")
    if into.told is not None:
        by_log = Names(loader, writer).by_log(job)
        if (into.told.name, into.told.version) != by_log:
            problem = (
                f"{path}: it describes version {into.told.version} of the lifecycle"
                f" {into.told.name!r}, and by its log the job runs by version {by_log[1]} of"
                f" {by_log[0]!r}"
            )
            raise ImportFailed(job_id=told.job, problem=problem)
    return found, summary(log)


def _lines(reader: Reader, job: StoredJob) -> Iterator[_Line]:
    yield _Line(
        opening=Opening(
            form=FORMAT, job=job.job_id, created_at_us=job.created_at_us, lifecycle=job.lifecycle
        )
    )
    lifecycle = reader.lifecycle(job.lifecycle)
    if lifecycle is not None:
        yield _Line(lifecycle=lifecycle)
    coming = [one for one in reader.staged() if one.number == job.number]
    for block in reader.inputs(job.number):
        if not any(one.first <= block.first < one.first + one.count for one in coming):
            yield _Line(items=block)
    for row in reader.rows(job.number, bodies=True):
        yield _Line(commit=row)
    for checkpoint in reversed(list(reader.checkpoints(job.number))):
        yield _Line(checkpoint=checkpoint)


def _for_a_while(folder: str) -> StateStore:
    return open_store(Path(folder) / "job.db", durability="process", allow_network=True)


@contextmanager
def _fitting(job_id: str, number: int, path: Path) -> Iterator[None]:
    """Raise ImportFailed for what is the matter with the line; what is of the store stays so."""
    try:
        yield
    except (StoreError, ValueError, OverflowError) as error:
        if isinstance(error, StoreError) and type(error) not in (StoreError, StoreUnreadable):
            raise  # of the store itself
        problem = f"line {number} of {path} does not fit: {error}"
        raise ImportFailed(job_id=job_id, problem=problem) from error


class _Into:
    """A job that is made line by line; `fence` is that of its newest commit.

    `told` is the description of its lifecycle, None without one.
    """

    def __init__(self, writer: Writer, job: StoredJob, url: str) -> None:
        self.fence = 0
        self.told: StoredLifecycle | None = None
        self._writer = writer
        self._job = job.number
        self._lifecycle = job.lifecycle
        self._url = url
        self._seq = self._place = self._checkpoint = 0

    def put(self, line: _Line) -> None:
        """Store one line. Raises ValueError for what is out of its range, and as the store does."""
        match line:
            case _Line(commit=Row() as row):
                if row.seq != self._seq + 1:
                    raise ValueError(f"commit {row.seq} follows {self._seq}")
                _check_codec(row.codec)
                if not row.body_digest and (row.body or row.codec[1:] != "j"):
                    raise ValueError(f"commit {row.seq} does not attest its body")
                self._writer.add_row(self._job, row)
                self._seq, self.fence = row.seq, row.fence
            case _Line(items=InputBlock() as block):
                self._items(block)
            case _Line(checkpoint=StoredCheckpoint() as checkpoint):
                if not self._checkpoint < checkpoint.seq <= self._seq:
                    raise ValueError(f"a checkpoint at {checkpoint.seq} is out of turn")
                self._checkpoint = checkpoint.seq
                self._writer.put_checkpoint(self._job, checkpoint)
            case _Line(lifecycle=StoredLifecycle() as lifecycle):
                if lifecycle.digest != self._lifecycle:
                    raise ValueError("it describes a lifecycle that the job does not run by")
                if self.told is not None:
                    raise ValueError("a lifecycle was described before")
                self.told = lifecycle
                if self._writer.lifecycle(lifecycle.digest) is None:
                    self._writer.put_lifecycle(lifecycle)
            case _:
                raise ValueError("an opening is the first line alone")

    def _items(self, block: InputBlock) -> None:
        end = block.first + block.count
        if not self._place <= block.first < end <= _PLACES:
            raise ValueError(f"items {block.first} to {end - 1} are out of turn")
        _check_codec(block.codec)
        self._place = end
        segment = segment_of(block.first, read_keys(block, self._url))
        self._writer.add_inputs(self._job, [block], [segment.stored()])


def _check_codec(codec: str) -> None:
    """Raise ValueError for what no row says: the digests of rows do not attest it."""
    if CODEC.fullmatch(codec) is None:
        raise ValueError(f"{codec!r} is no codec")


@contextmanager
def _lines_of(path: Path) -> Iterator[Iterator[_Line]]:
    """The lines of a file, read as they are asked for. Raises StoreAbsent, OSError."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        problem = "there is no such file to import from: check the path"
        raise StoreAbsent(url=str(path), problem=problem) from None
    with file:
        yield _read(file, path)


def _read(lines: Iterable[bytes], path: Path) -> Iterator[_Line]:
    """The lines before the last, which must have their digest and be the last.

    Raises ImportFailed, for a line that is none of such a file too.
    """
    told, whole = _hasher(), False
    for number, text in enumerate(lines, 1):
        try:
            line = _decoder.decode(text)
            if sum(part is not None for part in msgspec.structs.astuple(line)) != 1:
                raise ValueError("a line is one thing")
            if (twice := key_twice(text.decode())) is not None:
                raise ValueError(f"it has an object with the key {twice[:40]!r} twice")
        except UNDECODABLE as error:
            problem = f"line {number} of {path} is not of the log of a job: {error}"
            raise ImportFailed(job_id=path.name, problem=problem) from error
        if whole:
            break
        if line.digest is None:
            told.update(text)
            yield line
        else:
            whole = line.digest == told.digest()
    else:
        if whole:
            return
    raise ImportFailed(job_id=path.name, problem=f"{path} is not whole, or not as it was written")


def _hasher() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=32)


def _opening(first: _Line | None, path: Path) -> Opening:
    if first is None or first.opening is None or first.opening.form < 1:
        writes = "`milepost export JOB --log --out FILE --db STORE` writes one"
        problem = f"{path} is no log of a job: {writes}"
        raise ImportFailed(job_id=path.name, problem=problem)
    if first.opening.form > FORMAT:
        raise StoreNewer(
            url=str(path),
            problem=f"the log is in form {first.opening.form} and this version reads up to"
            f" {FORMAT}: install a newer milepost",
        )
    return first.opening
