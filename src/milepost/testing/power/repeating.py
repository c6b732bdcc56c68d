"""A failing case as a short text, by which just that case is tried again."""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

from milepost.testing.power.faults import KINDS, Kind
from milepost.testing.power.images import Choice, Fate, Place, Sectors, Torn, sectors
from milepost.testing.power.medium import Change, Medium, Write

__all__ = ["CutAgain", "FaultAgain", "choice_from", "junk", "read", "text_of"]

_CUT: Final = re.compile(r"(\d+):cut:(\d+):(\S*)")
_FAULT: Final = re.compile(rf"(\d+):fail:({'|'.join(KINDS)}):(\d+):(once|lasting)")
_UNDONE: Final = re.compile(r"n(\d+)")
_FATE: Final = re.compile(r"w(\d+)\.(\d+)(?:/([01]+)|([tj])(\d+))")


class CutAgain(NamedTuple):
    """A cut of the `turn`th cutting or failing of a test, from 1; `choice` is what is left then."""

    turn: int
    position: int
    choice: str


class FaultAgain(NamedTuple):
    """A fault in the `turn`th cutting or failing of a test, from 1."""

    turn: int
    kind: Kind
    at: int
    lasting: bool


def read(text: str) -> CutAgain | FaultAgain | None:
    """What a text says is to be tried alone; None for an empty one. Raises ValueError."""
    if not text:
        return None
    if found := _CUT.fullmatch(text):
        return CutAgain(int(found[1]), int(found[2]), found[3])
    if found := _FAULT.fullmatch(text):
        kind = KINDS[KINDS.index(found[2])]
        return FaultAgain(int(found[1]), kind, int(found[3]), found[4] == "lasting")
    raise ValueError(f"{text!r} is no case of a power cut or a fault, as a failed test shows it")


def text_of(choice: Choice) -> str:
    """A choice as text: `n0` is a name that is undone, `w2.1` the fate of change 1 of file 2.

    Behind that, `/0110` are the sectors that are there, `t513` is where it is torn, and `j513`
    where junk begins, which must be that of `junk`.
    """
    told = [f"n{place}" for place in sorted(choice.undone)]
    for (number, place), fate in sorted(choice.fates.items()):
        if isinstance(fate, Sectors):
            how = "/" + "".join("1" if there else "0" for there in fate.there)
        else:
            how = f"{'j' if fate.rest else 't'}{fate.at}"
        told.append(f"w{number}.{place}{how}")
    return ",".join(told) or "all"


def choice_from(text: str, medium: Medium) -> Choice:
    """The choice that `text_of` gave this text for. Raises ValueError if it is none of `medium`."""
    undone: set[int] = set()
    fates: dict[Place, Fate] = {}
    for part in () if text == "all" else text.split(","):
        if found := _UNDONE.fullmatch(part):
            undone.add(int(found[1]))
        elif found := _FATE.fullmatch(part):
            number, place = int(found[1]), int(found[2])
            if number >= len(medium.contents) or place >= len(medium.contents[number].pending):
                raise ValueError(f"{part!r}: there is no such write; has the story changed?")
            fates[number, place] = _fate(found, medium.contents[number].pending[place])
        else:
            raise ValueError(f"{part!r} says of no write what became of it")
    return Choice("again", frozenset(undone), fates)


def _fate(found: re.Match[str], change: Change) -> Fate:
    if found[3] and len(found[3]) == len(sectors(change)):
        return Sectors(tuple(each == "1" for each in found[3]))
    if found[4] and isinstance(change, Write) and int(found[5]) < len(change.data):
        at = int(found[5])
        return Torn(at, junk(len(change.data) - at) if found[4] == "j" else b"")
    raise ValueError(f"{found[0]!r}: no write of this length; has the story changed?")


def junk(length: int) -> bytes:
    """So many bytes that nobody wrote: the same ones each time."""
    return random.Random(length).randbytes(length)  # noqa: S311 junk is no secret
