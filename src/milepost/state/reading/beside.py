"""What a job has kept beside its log, checked: what its results point to, and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from milepost.errors import MilepostError, StoredResultAbsent, StoredResultDamaged
from milepost.items.inputs import Inputs
from milepost.log.facts import ItemsFired
from milepost.log.rows import StoredJob
from milepost.state.reading.folders import family, folders_named
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.values import payloads_of
from milepost.state.reading.verification import Problem
from milepost.stores.protocol import Reader
from milepost.text.wording import short_repr
from milepost.worker.beside import Stored, as_stored, kept_bytes
from milepost.worker.places import place_at

__all__ = ["KeptBeside", "Reference", "check_kept", "references"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeptBeside:
    """The objects that a job has kept beside its log, checked.

    `objects` are those that its results point to, of `size_bytes` together. `strays` counts those
    in its own folders that no result of any job of its family points to: a worker died between
    writing and recording, or the result is on its way. They go with the job.
    """

    objects: int
    size_bytes: int
    strays: int
    problems: tuple[Problem, ...]


class Reference(NamedTuple):
    """A result that is kept beside the log: the commit and the item that it is of."""

    seq: int
    ordinal: int
    stored: Stored


def references(log: JobLog) -> Iterator[Reference]:
    """Every result that the log says is kept in a folder that it names, rewound ones too.

    Raises LogCorrupt, CodecAbsent. Cost: every body is decoded.
    """
    folders = set(folders_named(log.reader, log.entry, log.url))
    for row in log.rows(bodies=True) if folders else ():
        for fact, body in zip(log.facts(row), log.bodies(row), strict=False):
            if not isinstance(fact, ItemsFired):
                continue
            for ordinal, _, opaque in payloads_of(fact, body):
                for stored in _stored_in(opaque, folders):
                    yield Reference(row.seq, ordinal, stored)


def check_kept(loader: Loader, job: StoredJob, inputs: Inputs) -> KeptBeside:
    """The objects of a job, which has the items `inputs`, each held against its digest.

    Raises JobAbsent, LogCorrupt, CodecAbsent. Nothing is held of the store while they are read.
    """
    with loader.store.reading() as reader:
        log = JobLog(loader, reader, job)
        found = list(references(log))
        folders = _own_folders(log)
        known = {one.stored.uri for one in found}
        for other in _relatives(reader, job) if folders else ():
            known |= {one.stored.uri for one in references(JobLog(loader, reader, other))}
    problems: list[Problem] = []
    checked: dict[str, int] = {}
    for seq, ordinal, stored in found:
        if stored.uri in checked:
            continue
        checked[stored.uri] = stored.size_bytes
        key = inputs.key(ordinal) if ordinal < inputs.count else str(ordinal)
        try:
            kept_bytes(stored, job.job_id, key)
        except (StoredResultAbsent, StoredResultDamaged) as error:
            problems.append(_problem(seq, str(error), key))
    strays = 0
    for folder in folders:
        try:
            strays += sum(f"{folder}/{name}" not in known for name, _ in place_at(folder).names())
        except (OSError, MilepostError) as error:
            problems.append(_problem(None, f"{folder} cannot be listed: {error}", ""))
    return KeptBeside(
        objects=len(checked),
        size_bytes=sum(checked.values()),
        strays=strays,
        problems=tuple(problems),
    )


def _stored_in(opaque: Mapping[str, Any], folders: set[str]) -> Iterator[Stored]:
    for value in opaque.values():
        if isinstance(value, dict) and "uri" in value:
            try:
                stored = as_stored(value)
            except (ValueError, MilepostError):
                continue  # a result of a function's own
            if stored.uri.rpartition("/")[0] in folders:
                yield stored


def _own_folders(log: JobLog) -> list[str]:
    name = f"/{log.job_id}.{family(log.reader, log.number)}"
    found = dict.fromkeys(folders_named(log.reader, log.entry, log.url))
    return [folder for folder in found if folder.endswith(name)]


def _relatives(reader: Reader, job: StoredJob) -> Iterator[StoredJob]:
    mine = family(reader, job.number)
    for other in reader.entries():
        if other.number != job.number and family(reader, other.number) == mine:
            yield other


def _problem(seq: int | None, message: str, key: str) -> Problem:
    lost = f"the result of item {key!r}" if key else ""
    return Problem(invariant="beside", seq=seq, message=message, lost=lost, repairable=False)
