"""Results of a job whose lifecycle is not at hand: what its commits carry as results."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, TypeAlias

from pyroaring import BitMap

from milepost.errors import LogCorrupt, RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.versions import Catalogue, absent
from milepost.log.codec import decode_body, decode_facts
from milepost.log.facts import Fact, ItemsFired
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import StoredJob
from milepost.roles import EventField
from milepost.state.reading.naming import Names
from milepost.state.reading.outline import Outline
from milepost.state.reading.spanned import walk
from milepost.state.reading.values import in_order, payloads_of, result_value
from milepost.stores.protocol import Rows

__all__ = ["Fields", "Gives", "fields_of", "recorded", "stored_of"]


class Gives(NamedTuple):
    """The event and field of a result, and the event that takes it back, `""` for none."""

    result: EventField | None
    redo: str


Fields: TypeAlias = Callable[[int, int], Gives | None]
"""What gives and takes back results, by the commit that is read and the item that it is of."""

StoredFields: TypeAlias = Callable[[int, int], EventField | None]
"""Which field says where a result is kept beside the log, by the same two."""


def fields_of(names: Names, stands: Outline, tables: Catalogue) -> Fields:
    """Which events carry results, by the tables of each version, or by what the store tells.

    Raises LifecycleChanged where neither says it, RoleAbsent where no result is in that lifecycle.
    """
    told = {one.digest: names.meaning(one.digest) for _, one in stands.versions}
    newest = stands.lifecycle
    means = told[newest.digest]
    if means is None:
        raise absent(stands.id, newest.name, newest.version, newest.digest, tables)
    fields = {
        digest: {
            name: Gives(machine.result, machine.redo) for name, machine in one.collections.items()
        }
        for digest, one in told.items()
        if one is not None
    }
    if not any(one.result for by_name in fields.values() for one in by_name.values()):
        machine = next(iter(means.owner.collections.values()), "")  # "": no items
        raise RoleAbsent(
            lifecycle=newest.name,
            version=newest.version,
            machine=machine,
            role="result",
            needed_by="results()",
        )

    def field_of(seq: int, ordinal: int) -> Gives | None:
        of_version = fields.get(stands.version_at(seq).digest, {})
        name = stands.collection_of(ordinal)
        return of_version.get(name) if name else next(iter(of_version.values()), None)

    return field_of


def stored_of(names: Names, stands: Outline) -> StoredFields:
    """Which fields say where a result is kept beside the log, by the version that wrote them."""
    told = {one.digest: names.meaning(one.digest) for _, one in stands.versions}
    fields = {
        digest: {name: machine.stored for name, machine in one.collections.items()}
        for digest, one in told.items()
        if one is not None
    }

    def field_of(seq: int, ordinal: int) -> EventField | None:
        of_version = fields.get(stands.version_at(seq).digest, {})
        name = stands.collection_of(ordinal)
        return of_version.get(name) if name else next(iter(of_version.values()), None)

    return field_of


def recorded(
    rows: Rows,
    job: StoredJob,
    stands: Outline,
    field_of: Fields,
    url: str,
    payloads: PayloadCodec | None,
    wanted: BitMap | None,
    *,
    as_recorded: bool,
    stored: StoredFields,
) -> Generator[tuple[int, Any]]:  # Any: JSON
    """Ordinal and newest result of each item that has one no rewind undid, of those `wanted`.

    In the order of items, or `as_recorded`. Cost: one pass over the heads; each body that holds
    results is decoded once, or again where they were recorded far out of order.
    """
    seqs = array("Q", bytes(8 * stands.inputs.count))
    for told in walk(rows, job, stands, url):
        for fact in told.facts:
            if not isinstance(fact, ItemsFired):
                continue
            seq = told.row.seq
            gives = _result_of(fact, seq, field_of) is not None
            if gives or _takes_back(fact, seq, field_of):
                for ordinal in fact.ordinals:
                    if ordinal < len(seqs):
                        seqs[ordinal] = seq if gives else 0
    asked = bitmap(o for o, seq in enumerate(seqs) if seq and (wanted is None or o in wanted))
    order: Iterator[int] = iter(asked)
    if as_recorded:
        order = iter(sorted(asked, key=lambda ordinal: seqs[ordinal]))
    yield from in_order(
        ((ordinal, seqs[ordinal]) for ordinal in order),
        lambda seq: _in(rows, job, seq, asked, field_of, stored, url, payloads),
    )


def _result_of(fact: Fact, seq: int, field_of: Fields) -> EventField | None:
    """The role by which a fact of that commit gives items a result; None if it gives none."""
    if not isinstance(fact, ItemsFired) or not fact.ordinals:
        return None
    found = field_of(seq, fact.ordinals[0])  # a fact is of items of one collection
    result = None if found is None else found.result
    return result if result is not None and result.event == fact.event else None


def _takes_back(fact: ItemsFired, seq: int, field_of: Fields) -> bool:
    """True if by a fact of that commit items have no result any more."""
    found = field_of(seq, fact.ordinals[0]) if fact.ordinals else None
    return found is not None and bool(found.redo) and found.redo == fact.event


def _in(
    rows: Rows,
    job: StoredJob,
    seq: int,
    asked: BitMap,
    field_of: Fields,
    stored: StoredFields,
    url: str,
    payloads: PayloadCodec | None,
) -> dict[int, Any]:
    """The results of one commit, of the items that are `asked` for."""
    for row in rows.rows(job.number, seq - 1, seq, bodies=True):
        facts = decode_facts(row, url=url, job_id=job.job_id)
        body = decode_body(row, url=url, job_id=job.job_id, payloads=payloads)
        found: dict[int, Any] = {}
        for fact, given in zip(facts, body or [None] * len(facts), strict=True):
            result = _result_of(fact, seq, field_of)
            if result is None:
                continue
            assert isinstance(fact, ItemsFired), "no other has results"
            for ordinal, readable, opaque in payloads_of(fact, given):
                if ordinal in asked:
                    # nothing that the store tells of a lifecycle is believed beyond its form
                    brought = {result.field: None, **opaque}
                    try:
                        value = result_value(result, readable, brought, stored(seq, ordinal))
                    except ValueError as error:
                        problem = f"what it says of a result that is kept beside it: {error}"
                        job_id = job.job_id
                        raise LogCorrupt(
                            url=url, job_id=job_id, seq=seq, problem=problem
                        ) from error
                    found[ordinal] = value
        return found
    raise LogCorrupt(url=url, job_id=job.job_id, seq=seq, problem="it was there and is missing")
