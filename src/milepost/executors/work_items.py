"""The items of a job as the function for them gets them, at the attempt that has just begun."""

from __future__ import annotations

from hashlib import blake2b

from milepost.executors.vocabulary import ItemWords
from milepost.job.state import JobState
from milepost.worker.items import WorkItem

__all__ = ["work_item"]

_KEY_BYTES = 16


def work_item(state: JobState, words: ItemWords, ordinal: int) -> WorkItem:
    """The item, of which `state` says that it has begun. O(cells).

    Its idempotency key is of the job and when it was created, and of the item: an attempt more
    does not change it.
    """
    _, context = state.ledgers[words.collection].member(ordinal)
    job = f"{state.id} {state.number} {state.created_at_us}"
    same = f"{job} {ordinal}"
    return WorkItem(
        key=state.inputs.key(ordinal),
        value=state.inputs.value(ordinal),
        job_id=state.id,
        attempt=context[words.attempts] if words.attempts else 0,
        idempotency_key=blake2b(same.encode(), digest_size=_KEY_BYTES).hexdigest(),
        token=f"{job} {ordinal} {state.fence} {state.seq}",
    )
