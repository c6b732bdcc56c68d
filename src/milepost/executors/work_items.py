"""The items of a job as the function for them gets them, at the attempts that have just begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pyroaring import BitMap

from milepost.executors.vocabulary import ItemWords
from milepost.items.ledger import Ledger, bitmap
from milepost.job.state import JobState
from milepost.worker.items import NoteWay, WorkItem

__all__ = ["work_items"]


def work_items(
    state: JobState,
    words: ItemWords,
    ordinals: Sequence[int],
    noted: Callable[[int], object] | None,
    way: NoteWay | None = None,
) -> Iterator[tuple[int, WorkItem]]:
    """The items, of which `state` says that they have begun, by ordinal.

    The identity of one is of the job and when it was created, and of the item: an attempt more does
    not change it, and no other job has it, not even one of the same id in another store. `noted`
    gives the newest note of work that was begun outside, None where no item has one; `way` is that
    of notes to come. Cost: O(cells) for each run of items that are in the same one.
    """
    ledger, inputs = state.ledgers[words.collection], state.inputs
    job = f"{state.id} {state.number} {state.created_at_us}"
    begun = f"{state.fence} {state.seq}"
    alike, attempt, times = bitmap(), 0, 0
    for ordinal, (key, value) in zip(ordinals, inputs.pairs(ordinals), strict=True):
        if ordinal not in alike:
            alike, attempt, times = _counted(ledger, words, ordinal)
        yield (
            ordinal,
            WorkItem(
                key=key,
                value=value,
                job_id=state.id,
                attempt=attempt,
                noted=None if noted is None else noted(ordinal),
                way=way,
                identity=f"{job} {ordinal} {times}" if times else f"{job} {ordinal}",
                begun=begun,
            ),
        )


def _counted(ledger: Ledger, words: ItemWords, ordinal: int) -> tuple[BitMap, int, int]:
    """The members that are in all as the one is; which attempt it is at, how often it was redone.

    Its whole context is not put together for it.
    """
    owned = ledger.machine.owned
    for (_, values), members in ledger.cells.items():
        if ordinal in members:
            attempt: int = values[owned.index(words.attempts)] if words.attempts else 0
            times: int = values[owned.index(words.redone)] if words.redone else 0
            return members, attempt, times
    raise KeyError(ordinal)
