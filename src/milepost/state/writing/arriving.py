"""Jobs on their way in from another store: the mark under which the rows of one arrive.

They have a number and no entry, so that nobody finds the job, and one last commit makes it one. A
mark names the log by the digest of its first commit, whoever brings it. What nobody brings any
further is swept, as staged items are, but for a job that is whole: its store has let go of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from milepost.log.rows import Erased, Staged
from milepost.stores.protocol import Reader, StateStore

__all__ = ["arrival", "erased", "give_up", "is_arrival", "is_given_up", "is_whole", "mark"]

_COMING: Final = "coming:"
_WHOLE: Final = "whole:"
_GIVEN_UP: Final = "given-up:"
_BATCH_BYTES: Final = 16 * 1024 * 1024


def mark(number: int, first: bytes, at_us: int, *, whole: bool = False) -> Staged:
    """The mark of a log that begins with the commit of digest `first`, under `number`."""
    return Staged(number, 0, 0, f"{_WHOLE if whole else _COMING}{first.hex()}", at_us)


def arrival(reader: Reader, first: bytes) -> Staged | None:
    """The mark of that log, None if it is not on its way."""
    wanted = (f"{_COMING}{first.hex()}", f"{_WHOLE}{first.hex()}")
    return next((one for one in reader.staged() if one.token in wanted), None)


def is_arrival(staged: Staged) -> bool:
    """True for the mark of a log, given up or not."""
    return staged.token.startswith((_COMING, _WHOLE, _GIVEN_UP))


def is_whole(staged: Staged) -> bool:
    """True if all of the job is there, so that it may be nowhere else."""
    return staged.token.startswith(_WHOLE)


def is_given_up(staged: Staged) -> bool:
    """True if what is left of it is being taken away."""
    return staged.token.startswith(_GIVEN_UP)


def give_up(
    store: StateStore, staged: Staged, batch_rows: int, rest: Callable[[], None], *jobs: str
) -> None:
    """Take away what has arrived under this mark, unless that has become another since.

    `jobs` names the one that arrives; where that is not known, all jobs are kept waiting.
    """
    token = f"{_GIVEN_UP}{staged.token.rpartition(':')[2]}"
    with store.writing(*jobs) as writer:
        if staged not in writer.staged():
            return
        writer.stage(msgspec.structs.replace(staged, token=token))
    for _ in erased(store, staged.number, batch_rows, rest, *jobs):
        pass


def erased(
    store: StateStore, number: int, batch_rows: int, rest: Callable[[], None], *jobs: str
) -> Iterator[Erased]:
    """Take away all rows of a number that no job has, in as many commits as it takes: each one.

    `rest` is called before each, for writers who wait; `jobs` as for `give_up`.
    """
    part = Erased(0, 0, done=False)
    while not part.done:
        rest()
        with store.writing(*jobs) as writer:
            part = writer.erase(number, batch_rows, _BATCH_BYTES)
        yield part
