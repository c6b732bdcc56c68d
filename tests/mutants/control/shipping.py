"""What the tool of mutants is tried on: `checks` notices all of its changes but one."""

from __future__ import annotations

__all__ = ["Parcel", "fee"]


class Parcel:
    """Something of a weight that is sent."""

    def __init__(self, grams: int, *, fragile: bool = False) -> None:
        self.grams = grams
        self.fragile = fragile

    @property
    def is_letter(self) -> bool:
        """True up to 500 g."""
        return self.grams <= 500


def fee(parcel: Parcel, distance_km: int, least_cents: int) -> int:
    """In cents. Which of two equal numbers is the larger is a change that nobody can notice."""
    cents = parcel.grams + 3 * distance_km
    if parcel.fragile and not parcel.is_letter:
        cents += 700
    return cents if cents > least_cents else least_cents
