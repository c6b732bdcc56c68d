"""What deleted jobs have kept beside their logs, taken away with them.

It goes after the job's entry, which no reader can find then, and before its rows, which say where
it is. So a collector that dies in between leaves what the next one finds again, and nothing that a
log points to is ever gone before that log is.
"""

from __future__ import annotations

from milepost.errors import MilepostError
from milepost.log.rows import StoredJob
from milepost.state.reading.departures import departure_of
from milepost.state.reading.folders import family, folders_named, is_of_family
from milepost.state.reading.loading import Loader
from milepost.stores.protocol import Reader
from milepost.worker.places import place_at

__all__ = ["clear_folders"]


def clear_folders(loader: Loader, number: int, job_id: str) -> tuple[int, str]:
    """How many objects of a buried job were taken away, and why the rest could not be, or `""`.

    What another job of its family names, a fork or the source of one, stays until that goes too,
    and what is named for one that was moved to another store stays for that one. A
    folder is only touched if it is named for the family, and in it only what is named as objects
    are. Cost: one pass over the heads of the job; if they name any folder, one look at the first
    commit of each other job, and a pass over the heads of those of its family.
    """
    url = loader.store.url
    with loader.store.reading() as reader:
        mine = set(folders_named(reader, StoredJob(number, job_id, 0, ""), url))
        if not mine:
            return 0, ""
        of_family = family(reader, number)
        for other in reader.entries():
            if other.number != number and family(reader, other.number) == of_family:
                mine -= set(folders_named(reader, other, url))
        mine = {folder for folder in mine if not _has_moved(reader, folder, of_family)}
    count = 0
    try:
        for folder in sorted(mine):
            if is_of_family(folder, of_family):
                count += place_at(folder).clear()
    except (OSError, MilepostError) as error:
        return count, f"what it kept beside its log cannot be deleted yet: {error}"
    return count, ""


def _has_moved(reader: Reader, folder: str, of_family: str) -> bool:
    """True if the job that the folder is named for has gone to another store."""
    job_id = folder.rpartition("/")[2].removesuffix(f".{of_family}")
    return departure_of(reader.tombstone(job_id)) is not None
