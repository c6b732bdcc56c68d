"""How each state looks: a colour and a glyph, so that colour is never the only signal."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CURRENT", "UNKNOWN", "VISITED", "Look", "look"]


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
    ("job", "setup"): Look(_GREY, "○"),
    ("job", "map"): Look(_BLUE, "▶"),
    ("job", "reduce"): Look(_BLUE, "▷"),
    ("job", "paused"): Look(_ORANGE, "‖"),
    ("job", "failed"): Look(_RED, "✗"),
    ("job", "completed"): Look(_GREEN, "✓"),
    ("job", "cancelled"): Look(_PURPLE, "⊘"),
    ("item", "pending"): Look(_GREY, "○"),
    ("item", "running"): Look(_BLUE, "▶"),
    ("item", "done"): Look(_GREEN, "✓"),
    ("item", "failed"): Look(_RED, "✗"),
    ("item", "dead"): Look(_PURPLE, "■"),
    ("item", "skipped"): Look(_ORANGE, "\N{EN DASH}"),
}

UNKNOWN: Final = Look(_GREY, "·")
"""How a state looks that is not of the built-in lifecycle."""

VISITED: Final = Look(_GREEN, "✓")
"""What a job has been through, in a drawing of its lifecycle."""

CURRENT: Final = Look(_RED, "●")
"""Where a job is now, in a drawing of its lifecycle."""


def look(machine: str, state: str) -> Look:
    """How `state` of `machine` looks."""
    return _LOOKS.get((machine, state), UNKNOWN)
