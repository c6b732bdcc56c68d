"""States that no fold gives: of a job that begins, and of one at a checkpoint."""

from __future__ import annotations

from milepost.items.inputs import Inputs
from milepost.items.ledgers import create_items, restore_items
from milepost.job.state import JobState, own_context
from milepost.job.versions import Catalogue, version_of
from milepost.log.codec import decode_snapshot
from milepost.log.facts import JobCreated
from milepost.machine import frozen

__all__ = ["begin", "restore"]


def restore(
    stored: bytes, tables: Catalogue, inputs: Inputs, noted: tuple[str, int] | None = None
) -> JobState:
    """The state whose `snapshot` gave `stored`.

    `inputs` are those of any state of the job; `noted` is the version that the log says it is of,
    by name and number, where it does. Raises StoreUnreadable where the bytes are damaged,
    ValueError where they are no partition, LifecycleChanged where they are of a version that is
    not among the `tables`.
    """
    snapshot = decode_snapshot(stored)
    created = snapshot.created
    digest = snapshot.lifecycle or created.digest
    lifecycle = version_of(snapshot.job_id, digest, created, tables, noted)
    params = created.item_params if snapshot.item_params is None else snapshot.item_params
    count = created.item_count if snapshot.item_count is None else snapshot.item_count
    spans = tuple((first, place) for first, place in snapshot.spans) or ((0, 0),)
    items = restore_items(lifecycle, params, count, snapshot.cells)
    return JobState(
        id=snapshot.job_id,
        seq=snapshot.seq,
        fence=snapshot.fence,
        phase=snapshot.phase,
        context=frozen(snapshot.context),
        variables=frozen(snapshot.variables),
        items=items,
        created=created,
        created_at_us=snapshot.created_at_us,
        updated_at_us=snapshot.updated_at_us,
        owner=snapshot.owner,
        orphaned=snapshot.orphaned,
        unharmed=snapshot.unharmed,
        checkpoint_fact=snapshot.checkpoint,
        checkpoint_at_us=snapshot.checkpoint_at_us,
        rewinds=tuple((at, to) for at, to in snapshot.rewinds),
        rejected_count=snapshot.rejected_count,
        digest=snapshot.digest,
        fingerprint=snapshot.fingerprint or snapshot.created.fingerprint,
        spans=spans,
        lifecycle=lifecycle,
        tables=tables,
        inputs=inputs.seen_as(count, spans),
    )


def begin(job_id: str, created: JobCreated, tables: Catalogue, inputs: Inputs) -> JobState:
    """The state before the first commit has been folded: seq 0, nothing has happened yet.

    Raises LifecycleChanged where the job was created under a version that is not in `tables`.
    """
    lifecycle = version_of(job_id, created.digest, created, tables)
    machine = lifecycle.machines[lifecycle.root]
    listed = created.item_count if len(lifecycle.collections) == 1 else 0
    return JobState(
        id=job_id,
        seq=0,
        fence=0,
        phase=machine.initial,
        context=own_context(machine, machine.fresh(**created.job_params)),
        variables=frozen(created.variables),
        items=create_items(lifecycle, created.item_params, listed),
        created=created,
        created_at_us=0,
        updated_at_us=0,
        fingerprint=created.fingerprint,
        lifecycle=lifecycle,
        tables=tables,
        inputs=inputs if listed == inputs.count else inputs.seen_as(listed, inputs.spans),
    )
