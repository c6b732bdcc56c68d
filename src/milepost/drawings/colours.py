"""The colours of drawings on light pages, and what each of them becomes on dark ones.

Every text has a contrast of 4.5 and more to all grounds here, on light pages and on dark ones, and
the signs of states have inks of their own for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from milepost.drawings.looks import CURRENT, VISITED, Look, Meaning, look

__all__ = [
    "AMBER_FILL",
    "AMBER_LINE",
    "AMBER_TEXT",
    "BLUE_FILL",
    "BLUE_LINE",
    "CREAM_FILL",
    "CREAM_LINE",
    "DARK",
    "GREEN_FILL",
    "GREEN_LINE",
    "GREEN_TEXT",
    "GREY",
    "INK",
    "LINE",
    "MIST_LINE",
    "PALE",
    "PAPER",
    "RED_FILL",
    "RED_LINE",
    "RED_TEXT",
    "ROSE_LINE",
    "SHEET",
    "SNOW",
    "SOFT",
    "sign_ink",
]

PAPER: Final = "white"
SHEET: Final = "#f5f5f5"
SNOW: Final = "#fafafa"
BLUE_FILL: Final = "#e3f2fd"
CREAM_FILL: Final = "#fffdf5"
GREEN_FILL: Final = "#e8f5e9"
RED_FILL: Final = "#fdecea"
AMBER_FILL: Final = "#fff3e0"

INK: Final = "#37474f"
SOFT: Final = "#546e7a"  # of what stands back: captions, names of groups, what was never done
GREEN_TEXT: Final = "#1f7a33"
RED_TEXT: Final = "#c62828"
AMBER_TEXT: Final = "#8f5000"

GREY: Final = "#78909c"  # of arrows
LINE: Final = "#b0bec5"  # of frames
PALE: Final = "#cfd8dc"  # of frames and arrows that stand back
BLUE_LINE: Final = "#1e88e5"
CREAM_LINE: Final = "#8d8468"
GREEN_LINE: Final = "#43a047"
RED_LINE: Final = "#d32f2f"
ROSE_LINE: Final = "#d9736b"
AMBER_LINE: Final = "#e08600"
MIST_LINE: Final = "#90a4ae"

_SIGNS: Final[Mapping[Look, tuple[str, str]]] = {  # their inks on light pages, and on dark ones
    look(Meaning.WAITING): ("#666666", "#b0b0b0"),
    look(Meaning.WORKING): ("#1f6cb0", "#7ab8f5"),
    look(Meaning.CLOSING): ("#1f6cb0", "#7ab8f5"),
    look(Meaning.RESTING): ("#8a5a00", "#f0a94a"),
    look(Meaning.DONE): ("#007a55", "#4fd1a5"),
    look(Meaning.FAILED): ("#b34700", "#ff9057"),
    look(Meaning.DEAD): ("#9a4a80", "#e29bc9"),
    look(Meaning.SKIPPED): ("#8a5a00", "#f0a94a"),
    look(Meaning.CANCELLED): ("#9a4a80", "#e29bc9"),
    CURRENT: ("#b34700", "#ff9057"),
}

DARK: Final[Mapping[str, str]] = {
    PAPER: "#161b22",
    SHEET: "#23282f",
    SNOW: "#1f242b",
    BLUE_FILL: "#12304d",
    CREAM_FILL: "#2b2a22",
    GREEN_FILL: "#15341d",
    RED_FILL: "#44201f",
    AMBER_FILL: "#3d2c10",
    INK: "#e6edf3",
    SOFT: "#a9b8c0",
    GREEN_TEXT: "#56c46c",
    RED_TEXT: "#ff8f87",
    AMBER_TEXT: "#f0a94a",
    GREY: "#9fb3bd",
    LINE: "#5c6b73",
    PALE: "#4a565c",
    BLUE_LINE: "#4b9fea",
    CREAM_LINE: "#a39a7c",
    GREEN_LINE: "#56b35a",
    RED_LINE: "#ff7b72",
    ROSE_LINE: "#d9736b",
    AMBER_LINE: "#e08600",
    MIST_LINE: "#8296a0",
    VISITED.colour: "#2fbf91",
    CURRENT.colour: "#ff7f2a",
    **dict(_SIGNS.values()),
}
"""By the colour on light pages; a drawing has no other colours."""


def sign_ink(sign: Look) -> str:
    """The colour of a sign that is read as text: darker than that of lines and fields."""
    return _SIGNS[sign][0] if sign in _SIGNS else SOFT
