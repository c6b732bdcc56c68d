"""Tests of `shipping`, which miss nothing that can be noticed."""

from __future__ import annotations

import pytest

from tests.mutants.control.shipping import Parcel, fee


@pytest.mark.parametrize(
    ("grams", "fragile", "cents"),
    [(0, False, 90), (90, False, 96), (500, True, 506), (501, True, 1207), (501, False, 507)],
)
def test_fee(grams: int, fragile: bool, cents: int) -> None:
    assert fee(Parcel(grams, fragile=fragile), 2, 90) == cents


def test_a_parcel_is_not_fragile_unless_it_is_said() -> None:
    assert fee(Parcel(501), 0, 0) == 501
