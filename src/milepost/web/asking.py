"""What a request asks for, by its query: numbers within bounds, names as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.datastructures import QueryParams

from milepost.arguments import MAX_COUNT

__all__ = ["MOST_ROWS", "Asked", "QueryUnfitError"]

MOST_ROWS: Final = 1_000
"""The most rows of a table on one page."""


class QueryUnfitError(ValueError):
    """A part of the query that cannot be what it should be; its text says what it should."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The query of one request."""

    query: QueryParams

    def text(self, name: str) -> str | None:
        """The text of that name, None where it is empty or left out."""
        return self.query.get(name, "").strip() or None

    def texts(self, name: str) -> tuple[str, ...]:
        """All texts of that name that are not empty."""
        return tuple(each for each in self.query.getlist(name) if each)

    def flag(self, name: str) -> bool:
        """True if `name` is there, and is not 0."""
        return self.query.get(name, "0") not in ("", "0")

    def number(self, name: str, default: int, *, least: int = 0, most: int = MAX_COUNT) -> int:
        """The whole number of that name, within bounds. Raises QueryUnfitError."""
        given = self.text(name)
        if given is None:
            return default
        try:
            number = int(given) if len(given) <= 20 else most + 1
        except ValueError:
            number = most + 1
        if not least <= number <= most:
            raise QueryUnfitError(f"{name} must be a whole number from {least} to {most}")
        return number

    def limit(self, default: int) -> int:
        """How many rows to show: `limit`, within what one page holds."""
        return self.number("limit", default, least=1, most=MOST_ROWS)
