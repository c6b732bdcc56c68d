"""The items of a job as the function for them gets them, at the attempt that has just begun."""

from __future__ import annotations

from milepost.executors.vocabulary import ItemWords
from milepost.items.ledger import Ledger
from milepost.job.state import JobState
from milepost.worker.items import NoteWay, WorkItem

__all__ = ["work_item"]


def work_item(
    state: JobState,
    words: ItemWords,
    ordinal: int,
    noted: object = None,
    way: NoteWay | None = None,
) -> WorkItem:
    """The item, of which `state` says that it has begun. O(cells).

    Its identity is of the job and when it was created, and of the item: an attempt more does not
    change it, and no other job has it, not even one of the same id in another store. `noted` is the
    newest note of work that was begun outside, `way` that of notes to come.
    """
    ledger = state.ledgers[words.collection]
    attempt = _value(ledger, ordinal, words.attempts) if words.attempts else 0
    identity = f"{state.id} {state.number} {state.created_at_us} {ordinal}"
    if words.redone and (times := _value(ledger, ordinal, words.redone)):
        identity = f"{identity} {times}"
    inputs = state.inputs
    return WorkItem(
        key=inputs.key(ordinal),
        value=inputs.value(ordinal),
        job_id=state.id,
        attempt=attempt,
        noted=noted,
        way=way,
        identity=identity,
        begun=f"{state.fence} {state.seq}",
    )


def _value(ledger: Ledger, ordinal: int, name: str) -> int:
    """The variable of one member; its whole context is not put together for it."""
    place = ledger.machine.owned.index(name)
    for (_, values), members in ledger.cells.items():
        if ordinal in members:
            count: int = values[place]
            return count
    raise KeyError(ordinal)
