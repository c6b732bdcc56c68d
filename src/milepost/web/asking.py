"""What a request asks for, by its query: numbers within bounds, names as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.datastructures import QueryParams

from milepost.arguments import MAX_COUNT
from milepost.inspect.moments import MomentUnfitError, age_of, seq_of
from milepost.state.manager import StateManager

__all__ = ["MOST_ROWS", "Asked", "QueryUnfitError", "require_among"]

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
        return tuple(text for each in self.query.getlist(name) if (text := each.strip()))

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

    def choice(self, name: str, among: Collection[str]) -> str:
        """The text of that name, "" where it is left out. Raises QueryUnfitError for another."""
        given = self.text(name) or ""
        require_among(name, (given,) if given else (), among)
        return given

    def since(self, name: str, now: datetime) -> datetime | None:
        """The time so long ago as the age of that name says. Raises QueryUnfitError."""
        given = self.text(name)
        if given is None:
            return None
        try:
            return now - age_of(given)
        except MomentUnfitError as error:
            raise QueryUnfitError(f"{name}: {error}") from error
        except OverflowError:
            return None

    def moment(self, name: str, manager: StateManager, job: str) -> int | None:
        """The commit of a moment of the job. Raises QueryUnfitError, CommitAbsent."""
        given = self.text(name)
        try:
            return None if given is None else seq_of(manager, job, given)
        except MomentUnfitError as error:
            raise QueryUnfitError(f"{name}: {error}") from error

    def limit(self, default: int) -> int:
        """How many rows to show: `limit`, within what one page holds."""
        return self.number("limit", default, least=1, most=MOST_ROWS)

    def told(self, names: Mapping[str, str], *, flag: str = "") -> str:
        """What was chosen by the parts of the query, each in its own words; "" where nothing was.

        `names` are the words for each part. The part `flag` is one: it is told by its words alone.
        """
        chosen = (
            words if name == flag else f"{words} {text}"
            for name, words in names.items()
            for text in self.texts(name)
            if name != flag or self.flag(name)
        )
        return ", ".join(chosen)


def require_among(name: str, given: Iterable[str], among: Collection[str]) -> None:
    """Raise QueryUnfitError, with the words that there are, for one `given` that is none."""
    if any(each not in among for each in given):
        there = f"one of {', '.join(among)}" if among else "left out: there are none"
        raise QueryUnfitError(f"{name} must be {there}")
