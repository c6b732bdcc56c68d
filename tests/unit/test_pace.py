"""The pace of a run: what holds of it whatever the run did and however often one looked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.progress.pace import Pace

steps = st.lists(st.tuples(st.floats(0.01, 500.0), st.integers(0, 1_000)), min_size=1, max_size=40)
"""Seconds between two looks, and how many items were settled in them."""


def paced(looks: list[tuple[float, int]], *, before: int = 0, began_s: float = 0.0) -> Pace:
    """The pace of a run that was looked at so."""
    pace = Pace(before, began_s)
    for span_s, gained in looks:
        began_s += span_s
        before += gained
        pace.saw(before, began_s)
    return pace


def end_of(looks: list[tuple[float, int]]) -> float:
    """When the last of these looks was, to the bit: from Python 3.12 on `sum` rounds but once."""
    now_s = 0.0
    for span_s, _ in looks:
        now_s += span_s
    return now_s


@given(steps)
def test_it_lies_between_the_slowest_and_the_fastest(looks: list[tuple[float, int]]) -> None:
    """A mean, so never out of what was seen; none before anything was settled."""
    rate = paced(looks).rate_per_s
    rates = [gained / span_s for span_s, gained in looks]
    if not any(rates):
        assert rate is None
    else:
        assert rate is not None
        assert min(rates) * 0.999 <= rate <= max(rates) * 1.001


@given(st.floats(0.01, 1_000.0), st.lists(st.floats(0.01, 300.0), min_size=1, max_size=50))
def test_a_steady_run_has_its_rate_however_often_one_looks(rate: float, spans: list[float]) -> None:
    """Exactly, from the first look on; with what is left, the rest of the time."""
    pace = Pace(0, 0.0)
    now_s = 0.0
    for span_s in spans:
        now_s += span_s
        pace.saw(round(rate * now_s * 1_000_000), now_s)
    seen = pace.rate_per_s
    assert seen is None or seen == pytest.approx(rate * 1_000_000, rel=0.01, abs=100)


@given(steps, st.integers(1, 10**6), st.floats(0, 10**6))
def test_a_resumed_run_counts_only_what_it_did(
    looks: list[tuple[float, int]], before: int, began_s: float
) -> None:
    """Whatever was settled before, and whatever its clock said then."""
    fresh, resumed = paced(looks), paced(looks, before=before, began_s=began_s)
    assert (fresh.rate_per_s is None) == (resumed.rate_per_s is None)
    if fresh.rate_per_s is not None:
        assert resumed.rate_per_s == pytest.approx(fresh.rate_per_s, rel=1e-3)


@given(steps, steps, st.floats(0.01, 10_000))
def test_a_pause_takes_no_time(
    looks: list[tuple[float, int]], later: list[tuple[float, int]], pause_s: float
) -> None:
    """Before and after it, items took as long as they took."""
    paused = paced(looks)
    now_s = end_of(looks) + pause_s
    settled = sum(gained for _, gained in looks)
    paused.saw(settled, now_s, paused=True)
    for span_s, gained in later:
        now_s += span_s
        settled += gained
        paused.saw(settled, now_s)
    unpaused = paced(looks + later).rate_per_s
    assert paused.rate_per_s == (None if unpaused is None else pytest.approx(unpaused, rel=1e-3))


@given(steps, st.lists(st.integers(0, 10**6), min_size=2))
def test_more_that_is_left_takes_longer(looks: list[tuple[float, int]], counts: list[int]) -> None:
    """And nothing takes no time."""
    pace = paced(looks)
    assert pace.left_s(0) == 0
    times = [pace.left_s(count) for count in sorted({0, *counts}) if count]
    for shorter, longer in pairwise(times):
        assert (shorter is None and longer is None) or (shorter or 0) < (longer or 0)


@given(steps, st.integers(1, 1_000))
def test_items_that_are_taken_back_slow_nothing_down(
    looks: list[tuple[float, int]], taken: int
) -> None:
    """They are left again; that is all."""
    pace = paced(looks)
    now_s = end_of(looks)
    before = pace.rate_per_s
    pace.saw(-taken, now_s)
    assert pace.rate_per_s == before


def test_a_clock_that_stands_still_divides_nothing() -> None:
    """What was settled meanwhile is counted at the next look."""
    pace = Pace(0, 5.0)
    pace.saw(10, 5.0)
    pace.saw(10, 4.0)
    assert pace.rate_per_s is None
    pace.saw(10, 10.0)
    assert pace.rate_per_s == 2.0


def test_a_lasting_change_shows() -> None:
    """An hour at ten a second, then twenty minutes at one: it is nearer to one."""
    pace = Pace(0, 0.0)
    for second in range(1, 3_601):
        pace.saw(second * 10, float(second))
    for second in range(1, 1_201):
        pace.saw(36_000 + second, 3_600.0 + second)
    assert pace.rate_per_s is not None
    assert 1 < pace.rate_per_s < 5.5
