"""The folders that hold results of a job beside its log, as the log names them.

A folder is named for the job and for its family: the digest of the first commit's facts and time,
which a fork shares with its source. So a fork goes on with what its source has put there, and
whoever deletes one of a family asks whether another is left that names the folder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from milepost.log.codec import decode_facts, digest_of, unpack
from milepost.log.facts import FolderNamed
from milepost.log.rows import StoredJob
from milepost.stores.protocol import Rows

__all__ = ["family", "folder_for", "folders_named", "is_of_family"]

_FAMILY_CHARS = 16


def family(rows: Rows, number: int) -> str:
    """The name of the family of the job; "" if its first commit is not there."""
    for row in rows.rows(number, 0, 1):
        head = unpack(row.codec[:1], row.head)
        return digest_of(struct.pack("<q", row.at_us), head).hex()[:_FAMILY_CHARS]
    return ""


def folder_for(base: str, job_id: str, of_family: str) -> str:
    """The URL of the job's own folder at `base`."""
    return f"{base.rstrip('/')}/{job_id}.{of_family}"


def is_of_family(url: str, of_family: str) -> bool:
    """True if the last part of the URL is the name of a folder of that family."""
    return bool(of_family) and url.rpartition("/")[2].endswith(f".{of_family}")


def folders_named(rows: Rows, job: StoredJob, url: str) -> Iterator[str]:
    """The URLs that the log names, also in what a rewind has undone. One pass over the heads."""
    for row in rows.rows(job.number):
        for fact in decode_facts(row, url=url, job_id=job.job_id):
            if isinstance(fact, FolderNamed):
                yield fact.url
