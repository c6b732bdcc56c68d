"""Values come back as they went in; damage is found; decompression is bounded."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import LogCorrupt, StoreNewer, StoreUnreadable, ValueInvalid
from milepost.log import codec
from milepost.log.codec import Tally, decode_body, decode_commit, encode_row
from milepost.log.facts import Draft, ItemsFired, JobFired
from milepost.log.rows import Row
from milepost.worker.values import encode_value

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=values)
def test_values_come_back(value: Any) -> None:
    """What is stored is what is read, and equal values have equal digests."""
    encoded = encode_value(value, "a value")
    assert msgspec.json.decode(encoded) == value
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert codec.value_digest(encode_value(turned, "a value")) == codec.value_digest(encoded)


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ({"a": [1, math.nan]}, "$.a[1]", "nan"),
        (math.inf, "$", "inf"),
        ({"a": {1: 2}}, "$.a", "JSON keys are text"),
        ([b"bytes"], "$[0]", "type bytes"),
        ({"when": {"at": object()}}, "$.when.at", "type object"),
        ("\ud800", "$", "surrogate"),
        ({"\ud800": 1}, "$", "a key with a lone surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, path: str, says: str) -> None:
    """The error says where in the value, and what to do."""
    with pytest.raises(ValueInvalid) as refused:
        encode_value(value, "item 3")
    assert refused.value.path == path
    assert says in str(refused.value)
    assert str(refused.value).startswith("item 3: ")


def test_deep_nesting_is_refused() -> None:
    """A value too deep for any reader is no recursion error."""
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueInvalid, match="nested deeper"):
        encode_value(value, "an item")


def test_tuples_are_taken_for_lists() -> None:
    """What Python code returns most often is stored as JSON has it."""
    assert encode_value({"a": (1, (2,))}, "x") == b'{"a":[1,[2]]}'


def stored(count: int = 100) -> Row:
    facts = [
        Draft(JobFired("start_map", {})),
        Draft(
            ItemsFired("succeed", list(range(count))),
            body=[{"result": f"result {n}"} for n in range(count)],
        ),
    ]
    return encode_row(
        b"before", seq=7, fence=2, at_us=3, drafts=facts, tally=Tally("map", (0,)), count=count
    )


def test_rows_are_readable_when_small_and_compressed_when_large() -> None:
    """A person can read a small row with any SQLite shell."""
    small, large = stored(2), stored(1000)
    assert small.codec == "jj"
    assert small.head == b'[["job","start_map",{}],["items","succeed",[0,1],null]]'
    assert large.codec == "zz"
    assert len(large.head) + len(large.body) < 8_000
    commit = decode_commit(large, previous=b"before", url="u", job_id="j")
    assert commit.facts[1] == ItemsFired("succeed", list(range(1000)))
    assert decode_body(large, url="u", job_id="j")[1][999] == {"result": "result 999"}


@given(data=st.data())
def test_a_flipped_bit_is_found(data: st.DataObject) -> None:
    """Damage anywhere in a row is an error, or provably changes nothing (INV-CHAIN)."""
    row = stored(data.draw(st.sampled_from([1, 1000])))
    name = data.draw(st.sampled_from(["head", "after", "body", "body_digest", "digest"]))
    whole = bytearray(getattr(row, name))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    damaged = msgspec.structs.replace(row, **{name: bytes(whole)})

    def read(stored: Row) -> tuple[Any, ...]:
        commit = decode_commit(stored, previous=b"before", url="u", job_id="j")
        return commit, decode_body(stored, url="u", job_id="j")

    try:
        found = read(damaged)
    except LogCorrupt:
        return
    assert name in ("head", "body"), "only a compressed frame has bits that mean nothing"
    assert row.codec == "zz"
    assert found == read(row)


@pytest.mark.parametrize("name", ["seq", "fence", "at_us", "count"])
def test_a_changed_number_is_found(name: str) -> None:
    """The digest covers the columns too."""
    row = stored()
    changed = msgspec.structs.replace(row, **{name: getattr(row, name) + 1})
    with pytest.raises(LogCorrupt):
        decode_commit(changed, previous=b"before", url="u", job_id="j")


def test_a_newer_row_is_told_from_a_damaged_one() -> None:
    """A newer format asks for a newer version."""
    newer = msgspec.structs.replace(stored(), format=99)
    with pytest.raises(StoreNewer, match="newer milepost"):
        decode_commit(newer, previous=b"before", url="u", job_id="j")


def test_decompression_is_bounded() -> None:
    """A few bytes that would become gigabytes are refused before they do."""
    bomb = codec.zstd.compress(bytes(codec.MAX_BLOCK_BYTES + 1))
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="more than"):
        codec.unpack("z", bomb)
    with pytest.raises(StoreUnreadable):
        codec.decode_snapshot(b"z" + bomb)


@pytest.mark.parametrize("name", ["head", "body"])
def test_what_is_nested_too_deeply_is_damage(name: str) -> None:
    """Also where every digest is right, as whoever made such a file could give it."""
    deep = b"[" * 100_000 + b"]" * 100_000
    if name == "head":
        deep = b'[["job","start_map",{"x":' + deep + b"}]]"
    row = msgspec.structs.replace(stored(2), codec="jj", **{name: deep})
    row = msgspec.structs.replace(row, body_digest=codec.digest_of(row.body))
    row = codec.rechained(row, previous=b"before")
    with pytest.raises(LogCorrupt):
        decode_commit(row, previous=b"before", url="u", job_id="j")
        decode_body(row, url="u", job_id="j")


def test_too_much_for_one_commit_is_refused() -> None:
    """The limit is stated in bytes, with what to do."""
    huge = Draft(JobFired("fail", {}), body={"message": "x" * codec.MAX_BLOCK_BYTES})
    with pytest.raises(ValueInvalid, match="at most"):
        encode_row(b"", seq=1, fence=0, at_us=0, drafts=[huge], tally=Tally("map", ()), count=1)
