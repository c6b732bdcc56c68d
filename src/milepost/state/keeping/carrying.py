"""One job's log as a file of its own: the rows as they are stored, line by line, and back again.

What is derived is left out and made anew, and how long a job is kept is for each store to say.
Nothing is decoded on the way: the digests of the copy are those of the original, and it is verified
as a whole before it is kept. The last line holds a digest of all lines before it; it tells damage,
and is no signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from milepost.errors import (
    ImportFailed,
    JobExists,
    StoreAbsent,
    StoreError,
    StoreNewer,
    StoreUnreadable,
)
from milepost.items.blocks import read_keys
from milepost.items.key_index import segment_of
from milepost.log.facts import check_job_id
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
from milepost.state.reading.verification import Verification, verify_job
from milepost.state.writing.describing import describe
from milepost.state.writing.new_jobs import JobSummary, summary
from milepost.stores.opening import open_store
from milepost.stores.protocol import Reader, Writer

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
    """A line of the file: one of these. The last has the `digest` of the lines before it."""

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
    """What `take_in` would answer; the job is made in memory, and gone. Raises as `take_in`."""
    with _lines_of(path) as lines:
        job_id = _opening(next(lines, None), path).job
    if reader.has_job(job_id):
        raise JobExists(job_id=job_id, url=loader.store.url)
    memory = open_store("memory:")
    with memory.writing() as writer:
        return take_in(Loader(memory, loader.tables, payloads=loader.payloads), writer, path)


def take_in(loader: Loader, writer: Writer, path: Path) -> tuple[Verification, JobSummary]:
    """Make a job of the file, of the same id, held by nobody; verified before the turn ends.

    Returns the verification, and how the job stands.

    Raises JobExists, ImportFailed where it is not whole or does not verify, StoreNewer, OSError.
    Cost: O(file), under the write lock; memory: one row, and what a verification takes.
    """
    with _lines_of(path) as lines:
        told = _opening(next(lines, None), path)
        if writer.has_job(check_job_id(told.job)):
            raise JobExists(job_id=told.job, url=loader.store.url)
        job = writer.add_job(told.job, told.created_at_us, told.lifecycle)
        fence = _put(loader, writer, job, lines, path)
    describe(writer, loader.tables.get(told.lifecycle))  # by tables, not by the file
    if fence:  # the one that the log tells of, held by nobody
        writer.put_lease(job.number, StoredLease("", fence, 0, 0))
    log = JobLog(loader, writer, job)
    found = verify_job(log)
    if found.problems:
        problems = "; ".join(problem.message for problem in found.problems)
        raise ImportFailed(job_id=told.job, problem=f"{path}: it does not verify: {problems}")
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


def _put(loader: Loader, writer: Writer, job: StoredJob, lines: Iterator[_Line], path: Path) -> int:
    """Store what the lines say; the fence of the newest commit. Raises ImportFailed."""
    into = _Into(writer, job, loader.store.url)
    for number, line in enumerate(lines, 2):
        try:
            into.put(line)
        except (StoreError, ValueError, OverflowError) as error:
            if not isinstance(error, StoreError) or type(error) in (StoreError, StoreUnreadable):
                problem = f"line {number} of {path} does not fit: {error}"
                raise ImportFailed(job_id=job.job_id, problem=problem) from error
            raise  # of the store itself
    return into.fence


class _Into:
    """A job that is made line by line; `fence` is that of its newest commit."""

    def __init__(self, writer: Writer, job: StoredJob, url: str) -> None:
        self.fence = 0
        self._writer = writer
        self._job = job.number
        self._lifecycle = job.lifecycle
        self._url = url
        self._seq = self._place = 0

    def put(self, line: _Line) -> None:
        """Store one line. Raises ValueError for what is out of its range, and as the store does."""
        match line:
            case _Line(commit=Row() as row):
                self._writer.add_row(self._job, row)
                self._seq, self.fence = row.seq, row.fence
            case _Line(items=InputBlock() as block):
                self._items(block)
            case _Line(checkpoint=StoredCheckpoint() as checkpoint):
                if not 0 < checkpoint.seq <= self._seq:
                    raise ValueError(f"a checkpoint at {checkpoint.seq} is of no commit")
                self._writer.put_checkpoint(self._job, checkpoint)
            case _Line(lifecycle=StoredLifecycle() as lifecycle):
                if lifecycle.digest != self._lifecycle:
                    raise ValueError("it describes a lifecycle that the job does not run by")
                if self._writer.lifecycle(lifecycle.digest) is None:
                    self._writer.put_lifecycle(lifecycle)

    def _items(self, block: InputBlock) -> None:
        end = block.first + block.count
        if not self._place <= block.first < end <= _PLACES:
            raise ValueError(f"items {block.first} to {end - 1} are out of turn")
        self._place = end
        segment = segment_of(block.first, read_keys(block, self._url))
        self._writer.add_inputs(self._job, [block], [segment.stored()])


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
        except (msgspec.MsgspecError, RecursionError) as error:
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
    if first is None or first.opening is None:
        problem = f"{path} is no log of a job: `milepost export JOB --log --out FILE` writes one"
        raise ImportFailed(job_id=path.name, problem=problem)
    if first.opening.form > FORMAT:
        raise StoreNewer(
            url=str(path),
            problem=f"the log is in form {first.opening.form} and this version reads up to"
            f" {FORMAT}: install a newer milepost",
        )
    return first.opening
