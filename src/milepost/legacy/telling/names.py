"""The ids that old jobs have here: their own where that is legal and no other job's.

Old ids have the time in them to the second, and the repo is only the last part of a project's
path, so an id may be that of several jobs, and may hold any character.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from milepost.errors import JobIdInvalid
from milepost.log.facts import check_job_id
from milepost.text.wording import short_repr

__all__ = ["Named", "names_of"]

_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_MOST_CHARS: Final = 128
_DIGEST_BYTES: Final = 4


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Named:
    """A job of an old home and its id here. `repo` is `""` where no file says it."""

    job_id: str
    old_id: str
    repo: str

    @property
    def renamed(self) -> bool:
        """True if the id here is another than the old one."""
        return self.job_id != self.old_id


def names_of(jobs: Iterable[tuple[str, str]]) -> tuple[Named, ...]:
    """The jobs in their order, each with an id that is legal here and that no other of them has.

    `jobs` has the repo, `""` where there is none, and the old id of each.
    An id that is not legal, or that several repos share, becomes `repo.id`; where that says less
    than the two of them, since characters had to be replaced or another job is called so, the
    digest of both is added.
    """
    known = list(jobs)
    shared = Counter(old_id for _, old_id in known)
    wanted = {
        one: one[1] if shared[one[1]] == 1 and _legal(one[1]) else _joined(*one) for one in known
    }
    taken = Counter(wanted.values())
    return tuple(
        Named(
            job_id=wanted[one] if taken[wanted[one]] == 1 else _with_digest(*one),
            old_id=one[1],
            repo=one[0],
        )
        for one in known
    )


def _legal(job_id: str) -> bool:
    try:
        check_job_id(job_id)
    except JobIdInvalid:
        return False
    return True


def _joined(repo: str, old_id: str) -> str:
    joined = f"{repo}.{old_id}" if repo else old_id
    return joined if _legal(joined) else _with_digest(repo, old_id)


def _with_digest(repo: str, old_id: str) -> str:
    told = f"{len(repo)}:{repo}{old_id}".encode(errors="surrogatepass")
    digest = blake2b(told, digest_size=_DIGEST_BYTES).hexdigest()
    cleaned = _OTHER.sub("-", f"{repo}.{old_id}" if repo else old_id).lstrip("._-")
    return f"{(cleaned or 'job')[: _MOST_CHARS - len(digest) - 1]}-{digest}"
