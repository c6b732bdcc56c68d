"""Results of a job whose lifecycle is not at hand: what its commits carry as results."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, TypeAlias

from pyroaring import BitMap

from milepost.errors import LogCorrupt, RoleAbsent
from milepost.items.ledger import bitmap
from milepost.job.versions import Catalogue, absent
from milepost.log.codec import decode_body, decode_facts
from milepost.log.facts import Fact, ItemsFired
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import StoredJob
from milepost.roles import EventField
from milepost.state.reading.locating import walk
from milepost.state.reading.naming import Names
from milepost.state.reading.outline import Outline
from milepost.stores.protocol import Rows

__all__ = ["Fields", "fields_of", "recorded"]

_RESULTS_HELD: Final = 65_536

Fields: TypeAlias = Callable[[int, int], EventField | None]
"""The event and field of a result, by the commit that is read and the item that it is of."""


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
        digest: {name: machine.result for name, machine in one.collections.items()}
        for digest, one in told.items()
        if one is not None
    }
    if not any(field for by_name in fields.values() for field in by_name.values()):
        machine = next(iter(means.owner.collections.values()), "")  # "": no items
        raise RoleAbsent(
            lifecycle=newest.name,
            version=newest.version,
            machine=machine,
            role="result",
            needed_by="results()",
        )

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
) -> Generator[tuple[int, Any]]:  # Any: JSON
    """Ordinal and newest result of each item that has one no rewind undid, of those `wanted`.

    In the order of items, or `as_recorded`. Cost: one pass over the heads; each body that holds
    results is decoded once, or again where they were recorded far out of order.
    """
    seqs = array("Q", bytes(8 * stands.inputs.count))
    for told in walk(rows, job, stands, url):
        for fact in told.facts:
            for ordinal in _of(fact, told.row.seq, field_of):
                if ordinal < len(seqs):
                    seqs[ordinal] = told.row.seq
    asked = bitmap(o for o, seq in enumerate(seqs) if seq and (wanted is None or o in wanted))
    order: Iterator[int] = iter(asked)
    if as_recorded:
        order = iter(sorted(asked, key=lambda ordinal: seqs[ordinal]))
    held: OrderedDict[int, dict[int, Any]] = OrderedDict()
    for ordinal in order:
        seq = seqs[ordinal]
        if seq not in held:
            held[seq] = _in(rows, job, seq, asked, field_of, url, payloads)
            while sum(map(len, held.values())) > _RESULTS_HELD and len(held) > 1:
                held.popitem(last=False)
        yield ordinal, held[seq].pop(ordinal)
        if not held[seq]:
            del held[seq]


def _of(fact: Fact, seq: int, field_of: Fields) -> Iterator[int]:
    """The items that a fact gives a result."""
    if isinstance(fact, ItemsFired):
        for ordinal in fact.ordinals:
            found = field_of(seq, ordinal)
            if found is not None and found.event == fact.event:
                yield ordinal


def _in(
    rows: Rows,
    job: StoredJob,
    seq: int,
    asked: BitMap,
    field_of: Fields,
    url: str,
    payloads: PayloadCodec | None,
) -> dict[int, Any]:
    """The results of one commit, of the items that are `asked` for."""
    for row in rows.rows(job.number, seq - 1, seq, bodies=True):
        facts = decode_facts(row, url=url, job_id=job.job_id)
        body = decode_body(row, url=url, job_id=job.job_id, payloads=payloads)
        found: dict[int, Any] = {}
        for fact, given in zip(facts, body or [None] * len(facts), strict=True):
            if not isinstance(fact, ItemsFired):
                continue
            count = len(fact.ordinals)
            readable, opaque = fact.payloads or [{}] * count, given or [None] * count
            for ordinal, plain, more in zip(fact.ordinals, readable, opaque, strict=True):
                field = field_of(seq, ordinal)
                if ordinal in asked and field is not None and field.event == fact.event:
                    found[ordinal] = {**plain, **(more or {})}.get(field.field)
        return found
    raise LogCorrupt(url=url, job_id=job.job_id, seq=seq, problem="it was there and is missing")
