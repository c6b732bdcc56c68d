"""The looks of states by their meaning: a colour and a glyph, so that colour is never alone."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from milepost.roles import Outcome, Roles

__all__ = ["CURRENT", "UNKNOWN", "VISITED", "Look", "Meaning", "look", "meaning_of"]


class Meaning(Enum):
    """The meaning of a state to people who look at a job, by its role."""

    WAITING = auto()  # an item that waits; a phase before the first in which items are worked on
    WORKING = auto()  # an item in an executor's hands; a phase in which items are worked on
    CLOSING = auto()  # a phase of work in which no item is worked on
    RESTING = auto()
    DONE = auto()  # an item with a result; a job that succeeded
    FAILED = auto()
    DEAD = auto()
    SKIPPED = auto()
    CANCELLED = auto()
    NONE = auto()  # a state without a role

    @property
    def worked(self) -> bool:
        """True for a phase in which a job, or for an item with which, work goes on."""
        return self in (Meaning.WAITING, Meaning.WORKING, Meaning.CLOSING)


class Look(NamedTuple):
    """`colour` is `#rrggbb`, readable on white and on black; `glyph` is one character."""

    colour: str
    glyph: str


# Hues of Okabe and Ito, which people with any colour vision tell apart.
_BLUE: Final = "#3a86c8"
_GREEN: Final = "#009e73"
_ORANGE: Final = "#c98a00"
_RED: Final = "#d55e00"
_PURPLE: Final = "#b05a8f"
_GREY: Final = "#7f7f7f"

_LOOKS: Final = {
    Meaning.WAITING: Look(_GREY, "○"),
    Meaning.WORKING: Look(_BLUE, "▶"),
    Meaning.CLOSING: Look(_BLUE, "▷"),
    Meaning.RESTING: Look(_ORANGE, "‖"),
    Meaning.DONE: Look(_GREEN, "✓"),
    Meaning.FAILED: Look(_RED, "✗"),
    Meaning.DEAD: Look(_PURPLE, "■"),
    Meaning.SKIPPED: Look(_ORANGE, "\N{EN DASH}"),
    Meaning.CANCELLED: Look(_PURPLE, "⊘"),
}

_OUTCOMES: Final = {
    Outcome.SUCCEEDED: Meaning.DONE,
    Outcome.FAILED: Meaning.FAILED,
    Outcome.CANCELLED: Meaning.CANCELLED,
}

UNKNOWN: Final = Look(_GREY, "·")
"""The look of a state without a role."""

VISITED: Final = Look(_GREEN, "✓")
"""The look of states and arrows that a job went through, in a drawing of its lifecycle."""

CURRENT: Final = Look(_RED, "●")
"""Where a job is now, in a drawing of its lifecycle."""


def look(meaning: Meaning) -> Look:
    """The look of a state of that meaning."""
    return _LOOKS.get(meaning, UNKNOWN)


def meaning_of(roles: Roles, state: str) -> Meaning:
    """The meaning of `state` in a machine with these roles."""
    if state in roles.outcomes:
        return _OUTCOMES[roles.outcomes[state]]
    if state in roles.working:
        return _phase(roles, state)
    by_role = (
        (roles.waiting, Meaning.WAITING),
        (roles.held, Meaning.WORKING),
        (roles.done, Meaning.DONE),
        (roles.failed, Meaning.FAILED),
        (roles.dead, Meaning.DEAD),
        (roles.skipped, Meaning.SKIPPED),
        (roles.paused, Meaning.RESTING),
    )
    return next((meaning for states, meaning in by_role if state in states), Meaning.NONE)


def _phase(roles: Roles, state: str) -> Meaning:
    place = roles.working.index(state)
    worked = [bool(phase.works) for phase in roles.phases]
    if worked[place]:
        return Meaning.WORKING
    return Meaning.WAITING if any(worked[place:]) and not any(worked[:place]) else Meaning.CLOSING
