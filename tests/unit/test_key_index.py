"""The index of keys against a dictionary: every key is found, and what may be twice is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.items import key_index as module
from milepost.items.key_index import SEGMENT_KEYS, KeyIndex, Seen, Segment, hash_of, segment_of

lists_of_keys = st.lists(
    st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=9, unique=True), max_size=8
)


class FewHashes:
    """A hash function with three values, in place of one that is good."""

    def __init__(self, data: bytes, digest_size: int) -> None:
        self._digest = bytes(digest_size - 1) + bytes([sum(data) % 3])

    def digest(self) -> bytes:
        return self._digest


@pytest.fixture(params=["good", "few"], autouse=True, scope="module")
def _hashes(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "few":
            patch.setattr(module, "blake2b", FewHashes)
        yield


@given(parts=lists_of_keys, gap=st.integers(0, 2))
def test_every_key_is_found_and_gaps_are_told(parts: list[list[str]], gap: int) -> None:
    """Whatever the segments, what is joined and what their hashes have in common."""
    index, there, covered, place = KeyIndex(), {}, set(), 0
    for part in parts:
        index.add(segment_of(place, part))
        there |= {place + offset: key for offset, key in enumerate(part)}
        covered |= set(range(place, place + len(part)))
        place += len(part) + gap
    for at, key in there.items():
        found = list(index.find(hash_of(key)))
        assert at in found
        assert all(hash_of(there[other]) == hash_of(key) for other in found)
        assert len(set(found)) == len(found)
    missing = {at for first, end in index.gaps(0, place + 1) for at in range(first, end)}
    assert missing == set(range(place + 1)) - covered


@given(parts=st.lists(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=9)))
def test_what_is_twice_is_in_one_group(parts: list[list[str]]) -> None:
    """Within a segment and across; a group has all places of one hash, in order."""
    seen, there, place = Seen(), dict[int, str](), 0
    for part in parts:
        there |= {place + offset: key for offset, key in enumerate(part)}
        groups = seen.add(segment_of(place, part))
        for group in groups:
            wanted = hash_of(there[group[0]])
            assert group == [at for at, key in there.items() if hash_of(key) == wanted]
        told = {at for group in groups for at in group}
        twice = {at for at, key in there.items() if list(there.values()).count(key) > 1}
        new = {there[at] for at in range(place, place + len(part))}
        assert {at for at in twice if there[at] in new} <= told
        seconds = [max(group[1], place) for group in groups]
        assert seconds == sorted(seconds)
        place += len(part)


def test_a_segment_comes_back_unless_it_is_damaged() -> None:
    """Its bytes are covered by its digest, and have the same meaning on every machine."""
    segment = segment_of(7, ["b", "a", "c"])
    stored = segment.stored()
    assert Segment.restore(stored) == segment
    assert stored.hashes[:8] == int.to_bytes(segment.hashes[0], 8, "little")
    bad = msgspec.structs.replace(stored, offsets=stored.offsets[::-1])
    assert Segment.restore(bad) is None


def test_many_additions_leave_few_segments_of_bounded_size() -> None:
    """One key at a time: as many segments as the logarithm says, none larger than it may be."""
    index = KeyIndex()
    index.add(segment_of(0, [f"k{n}" for n in range(SEGMENT_KEYS)]))
    for n in range(500):
        index.add(segment_of(SEGMENT_KEYS + n, [f"more-{n}"]))
    sizes = [len(segment.hashes) for segment in index._segments]
    assert max(sizes) == SEGMENT_KEYS
    assert sum(sizes) == SEGMENT_KEYS + 500
    assert len(sizes) < 20
    assert SEGMENT_KEYS + 321 in index.find(hash_of("more-321"))
