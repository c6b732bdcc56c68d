"""Rows of a log: an error by name, or the very commit again, also where somebody resealed it."""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from milepost.errors import MilepostError
from milepost.log import codec
from milepost.log.codec import (
    Tally,
    decode_body,
    decode_commit,
    decode_snapshot,
    decode_tally,
    encode_row,
    encode_snapshot,
    rechained,
)
from milepost.log.facts import Draft, ItemsFired, JobFired
from milepost.log.rows import Row
from tests.fuzz.target import Answer, Target, shape

__all__ = ["ROWS"]

_BEFORE: Final = b"before"
_EXPECTED: Final = (MilepostError,)

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(["", "job", "items"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=10,
)
_head = st.lists(
    st.tuples(
        st.sampled_from(
            ["job", "items", "created", "lease", "released", "checkpoint", "rejected", "rewound",
             "added", "migrated", "forked", "repaired", "folder", "imported", "?"]
        ),
        _json,
        _json,
        _json,
    ).map(list),
    max_size=3,
)  # fmt: skip
_cases = st.one_of(
    st.fixed_dictionaries(
        {
            "items": st.sampled_from([1, 2, 200]),
            "column": st.sampled_from(["head", "after", "body", "body_digest", "digest", "codec"]),
            "at": st.integers(0, 4000),
            "xor": st.integers(1, 255),
            "resealed": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "column": st.sampled_from(["seq", "fence", "at_us", "count", "format"]),
            "number": st.integers(-(2**70), 2**70),
        }
    ),
    st.fixed_dictionaries({"head": _head | _json}),
    st.fixed_dictionaries({"body": _json}),
    st.fixed_dictionaries({"after": _json}),
    st.fixed_dictionaries(
        {
            "deep": st.sampled_from(["head", "after", "body", "snapshot"]),
            "levels": st.sampled_from([1, 150, 100_000]),
        }
    ),
    st.fixed_dictionaries({"snapshot": st.binary(max_size=40).map(bytes.hex)}),
    st.fixed_dictionaries({"snapshot_of": _json}),
)


@functools.cache
def _stored(items: int) -> Row:
    facts = [
        Draft(JobFired("start_map", {})),
        Draft(
            ItemsFired("succeed", list(range(items))),
            body=[{"result": f"result {n}"} for n in range(items)],
        ),
    ]
    return encode_row(
        _BEFORE, seq=7, fence=2, at_us=3, drafts=facts, tally=Tally("map", (0,)), count=items
    )


def _resealed(row: Row) -> Row:
    """With the digests that the row should have, as whoever writes such a file would give it."""
    with_body = msgspec.structs.replace(row, body_digest=codec.digest_of(row.body))
    return rechained(with_body, previous=_BEFORE)


def _row_of(case: Any) -> Row:
    row = _stored(case.get("items", 2))
    if "number" in case:
        return msgspec.structs.replace(row, **{case["column"]: case["number"]})
    if "xor" in case:
        held = getattr(row, case["column"])
        whole = bytearray(held.encode() if isinstance(held, str) else held)
        whole[case["at"] % len(whole)] ^= case["xor"]
        changed: Any = whole.decode("latin-1") if isinstance(held, str) else bytes(whole)
        row = msgspec.structs.replace(row, **{case["column"]: changed})
        return _resealed(row) if case["resealed"] and _can_be_resealed(row) else row
    for name in ("head", "body", "after"):
        if name in case:
            return _with(row, name, msgspec.json.encode(case[name]))
    return _with(row, case["deep"], b"[" * case["levels"] + b"]" * case["levels"])


def _can_be_resealed(row: Row) -> bool:
    try:
        codec.unpack(row.codec[:1], row.head)
    except ValueError:
        return False
    return True


def _with(row: Row, name: str, content: bytes) -> Row:
    return _resealed(msgspec.structs.replace(row, codec="jj", **{name: content}))


def _read(row: Row) -> tuple[Any, ...]:
    told = {"url": "u", "job_id": "j"}
    commit = decode_commit(row, previous=_BEFORE, **told)
    return commit, decode_body(row, **told), decode_tally(row, **told)


def _snapshot(case: Any) -> bytes | None:
    if "snapshot" in case:
        return bytes.fromhex(case["snapshot"])
    if "snapshot_of" in case:
        try:
            return b"j" + msgspec.msgpack.encode(case["snapshot_of"])
        except OverflowError:  # MessagePack has no such integer
            return b"j"
    if case.get("deep") == "snapshot":
        return b"j" + b"\x91" * case["levels"] + b"\xc0"
    return None


def _answer(case: Any) -> Answer:
    stored = _snapshot(case)
    try:
        if stored is not None:
            again = encode_snapshot(decode_snapshot(stored))
            assert decode_snapshot(again) == decode_snapshot(stored)
            return Answer("a checkpoint", frozenset(("a checkpoint",)))
        row = _row_of(case)
        commit, bodies, tally = _read(row)
    except _EXPECTED as error:
        name = type(error).__name__
        assert 0 < len(str(error)) < 2_000
        return Answer(name, frozenset((f"{name} {shape(str(error))}",)))
    assert list(commit.facts) == list(codec.decode_facts(row, url="u", job_id="j"))
    drafts = [
        Draft(fact, body=bodies[at] if at < len(bodies) else None)
        for at, fact in enumerate(commit.facts)
    ]
    if "deep" not in case and 0 <= row.at_us < 2**58 and min(row.seq, row.fence, row.count) >= 0:
        again = encode_row(
            _BEFORE, seq=row.seq, fence=row.fence, at_us=row.at_us, drafts=drafts, tally=tally,
            count=row.count,
        )  # fmt: skip
        facts, told, _ = _read(again)
        assert facts.facts == commit.facts, "what is read is not what was written"
        given = [draft.body for draft in drafts]
        assert told == (given if given.count(None) < len(given) else [])
    kinds = {type(fact).__name__ for fact in commit.facts}
    return Answer("a commit", frozenset(f"a {each}" for each in kinds))


ROWS: Final = Target(name="rows", cases=_cases, answer=_answer, examples=150)
