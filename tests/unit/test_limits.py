"""Which limits may be set, which policies make sense, and what of a large value is named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from milepost import Limits, RetentionPolicy
from milepost.errors import Large
from milepost.log.codec import MAX_BLOCK_BYTES
from milepost.worker.sizes import largest_in


@pytest.mark.parametrize("bad", [0, -1, MAX_BLOCK_BYTES + 1])
def test_limits_are_between_one_and_what_is_stored_at_once(bad: int) -> None:
    """Nonsense is refused."""
    with pytest.raises(ValueError, match="commit_max_bytes"):
        Limits(commit_max_bytes=bad)


def test_what_is_named_is_the_part_that_is_large() -> None:
    """A part is looked into as long as something in it is large; none named holds another."""
    value = {"ids": list(range(3_000)), "deep": {"a": [{"text": "x" * 9_000}, 1]}, "small": [1, 2]}
    named = largest_in(value, 2)
    assert [large.place for large in named] == ["$.ids", "$.deep.a[0].text"]
    assert [large.size_bytes for large in named] == [13_891, 9_002]
    assert largest_in("text") == (Large("$", 6),)
    assert largest_in([]) == (Large("$", 2),)


@pytest.mark.parametrize("bad", [{"completed": timedelta(-1)}, {"checkpoints": 0}])
def test_a_policy_that_makes_no_sense_is_refused(bad: dict[str, object]) -> None:
    """Ages are 0 or more, and a checkpoint stays."""
    with pytest.raises(ValueError, match=r"a timedelta of 0 to|an integer from 1"):
        RetentionPolicy(**bad)  # type: ignore[arg-type]  # that is the test
