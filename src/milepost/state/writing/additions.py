"""More items for a job that has begun: taken in beside it, then part of it by one small commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeAlias

from milepost.clock import Clock
from milepost.errors import CodecAbsent, ItemExists, ItemsRefused, UpdateConflict
from milepost.items.blocks import Entry, read_keys
from milepost.job.state import JobState
from milepost.log.facts import Draft, ItemsAdded, MembersAdded
from milepost.state.limits import Limits, checked_entries
from milepost.state.reading.loading import Loader
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.given import ItemList, entries_for, key_for, one_list, ordinal_of
from milepost.state.writing.lease import Lease, check_lease
from milepost.state.writing.staging import Staging

__all__ = ["Existing", "add_items"]

Existing: TypeAlias = Literal["refuse", "skip"]
"""The choice for an item whose key the job has already."""

_TRIES: Final = 20
_WHAT: Final = "the list of items to be added"


def add_items(
    loader: Loader,
    clock: Clock,
    job_id: str,
    items: ItemList,
    limits: Limits,
    *,
    collection: str | None,
    existing: Existing,
    lease: Lease | None,
    operator: bool,
    newest: Callable[[], JobState],
    append: Callable[[Decision], JobState],
) -> JobState:
    """The state of which `items` are a durable part. See StateManager.add_items."""
    base = newest()
    name = one_list(base.lifecycle, items, collection)
    entries = checked_entries(limits, entries_for(base.lifecycle, name, items, loader.payloads))
    check_takes_items(base, name)
    _check_codec(loader, base)
    with loader.store.reading() as reader:
        log = loader.log(reader, job_id)
    log.check_same(base.number, _WHAT)
    staging, skipped = _taken_in(loader, clock, base, name, entries, existing)
    try:
        for _ in range(_TRIES):
            try:
                return append(
                    _decision(
                        staging,
                        base,
                        collection=name,
                        existing=existing,
                        lease=lease,
                        operator=operator,
                    )
                )
            except UpdateConflict:
                before, base = base, newest()
            log.check_same(base.number, _WHAT)
            if skipped and before.rewinds != base.rewinds:
                break  # what was skipped may be wanted now, and is gone
            again, more = _taken_in(loader, clock, base, name, staging.entries(), existing)
            staging.abandon()
            staging, skipped = again, skipped + more
        raise UpdateConflict(job_id=job_id, tries=_TRIES)
    except BaseException:
        staging.abandon()
        raise


def check_takes_items(state: JobState, collection: str) -> None:
    """Raise ItemsRefused unless items may be added to that collection as the job stands."""
    phases = state.growing_phases_of(collection)
    if state.phase not in phases:
        raise ItemsRefused(job_id=state.id, phase=state.phase, phases=phases)


def _check_codec(loader: Loader, state: JobState) -> None:
    """Raise CodecAbsent if the items are encoded, and those to be added would not be, or otherwise.

    Keys that are digests would be others, too.
    """
    name, payloads = state.inputs.codec, loader.payloads
    if name and (payloads is None or payloads.name != name):
        given = f"the codec {payloads.name}" if payloads is not None else "none"
        problem = (
            f"the items of job {state.id} are encoded by the codec {name} and {given} was given:"
            " open the store with payload_codec=…"
        )
        raise CodecAbsent(url=loader.store.url, codec=name, problem=problem)


def _taken_in(
    loader: Loader,
    clock: Clock,
    base: JobState,
    collection: str,
    entries: Iterator[Entry],
    existing: Existing,
) -> tuple[Staging, int]:
    """`entries` taken in but for those that `base` has, and how many those were."""
    skipped = 0

    def skip(key: str, position: int) -> bool:
        nonlocal skipped
        try:
            ordinal = ordinal_of(base, collection, key)
        except KeyError:
            return False
        if existing != "skip":
            raise ItemExists(job_id=base.id, key=key, ordinal=ordinal, position=position)
        skipped += 1
        return True

    staging = Staging(loader, clock, base.id, base.number)
    try:
        staging.read(entries, skip)
    except BaseException:
        staging.abandon()
        raise
    return staging, skipped


def _decision(
    staging: Staging,
    base: JobState,
    *,
    collection: str,
    existing: Existing,
    lease: Lease | None,
    operator: bool,
) -> Decision:
    """The decision that makes what was taken in, with an eye on `base`, part of the job.

    Raises ItemsRefused; JobReplaced if the job is another's; ItemExists if others added one of the
    keys since `base`, or, if such are to be skipped, UpdateConflict: then, and after a rewind, the
    list has to be looked at again.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        moment.log.check_same(base.number, _WHAT)
        check_lease(moment, lease, operator=operator, wants=lambda: ("add_items", []))
        state = moment.state
        check_takes_items(state, collection)
        if state.rewinds != base.rewinds:
            raise UpdateConflict(job_id=state.id, tries=1)
        for ordinal, key in _keys_since(moment, base.items.count):
            position = staging.position(key)
            if position is None and state.collection_of(ordinal) == collection:
                position = staging.position(key_for(state.lifecycle, collection, key))
            if position is not None and existing == "skip":
                raise UpdateConflict(job_id=state.id, tries=1)
            if position is not None:
                raise ItemExists(job_id=state.id, key=key, ordinal=ordinal, position=position)
        if staging.count:
            first, runs = state.items.count, staging.settle(moment.writer, moment.log.entry)
            told = first, staging.count, staging.fingerprint, runs
            only = len(state.machine.collections) == 1
            yield Draft(ItemsAdded(*told) if only else MembersAdded(collection, *told))

    return decision


def _keys_since(moment: Moment, first: int) -> Iterator[tuple[int, str]]:
    """Ordinals and keys from `first` on, with those that this commit adds: read by its writer."""
    runs = moment.state.inputs.runs(first)
    for block in moment.log.blocks(runs):
        yield from enumerate(read_keys(block, moment.log.url), first)
        first += block.count
