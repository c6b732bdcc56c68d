"""What a power cut may leave of a medium: choices of what the disk has, and the files of each.

What is durable is in all of them. Of the rest an image has all, nothing, all but one change, just
one file's changes, the last write torn, or sectors drawn at random, which is any order that a disk
may choose. Names that are not durable are there or not, in each way that keeps the order of the
changes of one name. Where little is pending, every subset of it can be had as well. Pure; the same
`rng` gives the same images.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from milepost.testing.power.medium import Change, Medium, Renaming, Write

__all__ = [
    "SECTOR_BYTES",
    "Choice",
    "Fate",
    "Files",
    "Image",
    "Place",
    "Sectors",
    "Torn",
    "choices",
    "files_of",
    "images",
    "lost",
    "names_of",
    "sectors",
    "subsets",
]

SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all."""

_LAST: Final = 6  # of the pending changes, each is lost alone in an image of its own
_FOLDERS: Final = 6  # ways to have names or not, at most

Files: TypeAlias = dict[str, bytes]

Place: TypeAlias = tuple[int, int]
"""A pending change: the number of its file, and its place among those of the file."""


class Sectors(NamedTuple):
    """The disk has some sectors of a change: those that are `there`, in order; maybe none."""

    there: tuple[bool, ...]


class Torn(NamedTuple):
    """The disk has `at` bytes of a write, and `rest` in the place of those behind them."""

    at: int
    rest: bytes


Fate: TypeAlias = Sectors | Torn
"""What became of a change that the disk has not as a whole."""


class Choice(NamedTuple):
    """One way that a cut can end; `kind` says how it was chosen.

    `undone` are the medium's renamings that the disk has not, by their place; `fates`, what became
    of pending changes. Those that are not named are there as a whole.
    """

    kind: str
    undone: frozenset[int]
    fates: Mapping[Place, Fate]


class Image(NamedTuple):
    """The files that are left; `kind` says how they were chosen."""

    kind: str
    files: Files


class _Folder(NamedTuple):
    """Names that may be there, without the renamings that are `undone`."""

    names: Mapping[str, int]
    undone: frozenset[int]


def images(medium: Medium, rng: random.Random, draws: int) -> Iterator[Image]:
    """Images of a cut at this moment, `draws` of them at random where anything is pending.

    Many may be alike. Cost: each copies the files.
    """
    for choice in choices(medium, rng, draws):
        yield Image(choice.kind, files_of(medium, choice))


def choices(
    medium: Medium,
    rng: random.Random,
    draws: int,
    junk: Callable[[int], bytes] | None = None,
) -> Iterator[Choice]:
    """The choices behind `images`. `junk` gives so many bytes of it; without, `rng` does."""
    folders = _folders(medium, len(medium.renamings[-_FOLDERS:]), _FOLDERS)
    newest = folders[-1]
    for folder in folders:
        yield Choice("all", folder.undone, {})
        yield Choice("none", folder.undone, _fates(medium, folder, lambda *_: True))
    pending = _pending(medium, newest)
    for alone in pending[-_LAST:]:
        yield Choice("all but one", newest.undone, {alone: lost(medium, alone)})
    for number in dict.fromkeys(number for number, _ in pending):
        others = _fates(medium, newest, lambda other, _, number=number: other != number)  # type: ignore[misc]
        yield Choice("one file", newest.undone, others)
        yield from _torn(medium, newest, number, junk or rng.randbytes)
    if pending:
        for _ in range(draws):
            likely = rng.choice((0.1, 0.5, 0.9))
            folder = rng.choice(folders)
            yield Choice("sectors", folder.undone, _drawn(medium, folder, rng, likely))


def subsets(medium: Medium, most: int) -> list[Choice] | None:
    """Every subset of the pending changes, in every folder that may be there.

    Changes are lost whole. None if there are more than `most`, which is then not enough.
    """
    if 2 ** len(medium.renamings) > 4 * most:
        return None
    folders = _folders(medium, len(medium.renamings), 4 * most)
    if sum(2 ** len(_pending(medium, folder)) for folder in folders) > most:
        return None
    found = []
    for folder in folders:
        pending = _pending(medium, folder)
        for there in product((True, False), repeat=len(pending)):
            gone = [place for place, kept in zip(pending, there, strict=True) if not kept]
            fates = {place: lost(medium, place) for place in gone}
            found.append(Choice("subset", folder.undone, fates))
    return found


def files_of(medium: Medium, choice: Choice) -> Files:
    """The files that a choice leaves. Raises ValueError for names that cannot come about."""
    names = names_of(medium, choice.undone)
    if names is None:
        raise ValueError("a name is changed before an earlier change of it")
    files = {}
    for name, number in names.items():
        content = medium.contents[number]
        kept: list[Change] = []
        for place, change in enumerate(content.pending):
            kept += _parts(change, choice.fates.get((number, place)))
        files[name] = content.with_only(kept)
    return files


def names_of(medium: Medium, undone: frozenset[int]) -> dict[str, int] | None:
    """The names if the disk has all renamings but those; None if their order forbids it."""
    names = dict(medium.durable_names)
    for place, renaming in enumerate(medium.renamings):
        if place not in undone:
            if not _follows(names, medium, renaming):
                return None
            names = _renamed(names, renaming)
    return names


def lost(medium: Medium, place: Place) -> Sectors:
    """The fate of a pending change that is lost whole."""
    number, at = place
    return Sectors((False,) * _sector_count(medium.contents[number].pending[at]))


def sectors(change: Change) -> list[Change]:
    """The change as the parts that a disk does whole; in order, and together it."""
    if not isinstance(change, Write):
        return [change]
    file, offset, data = change
    parts: list[Change] = []
    done = 0
    while done < len(data):
        length = min(SECTOR_BYTES - (offset + done) % SECTOR_BYTES, len(data) - done)
        parts.append(Write(file, offset + done, data[done : done + length]))
        done += length
    return parts


def _sector_count(change: Change) -> int:
    if not isinstance(change, Write) or not change.data:
        return int(not isinstance(change, Write))
    last = change.offset + len(change.data) - 1
    return last // SECTOR_BYTES - change.offset // SECTOR_BYTES + 1


def _parts(change: Change, fate: Fate | None) -> list[Change]:
    """What the disk has of a change."""
    if fate is None:
        return [change]
    if isinstance(fate, Sectors):
        if not any(fate.there):
            return []
        parts = zip(sectors(change), fate.there, strict=True)
        return [part for part, there in parts if there]
    assert isinstance(change, Write), "writes alone are torn"
    return [change._replace(data=change.data[: fate.at] + fate.rest)]


def _folders(medium: Medium, newest: int, most: int) -> list[_Folder]:
    """The names that may be there: from those that are durable to those that programs saw last.

    Of the `newest` renamings each is there or not; `most` bounds how many ways are given.
    """
    count = len(medium.renamings)
    found = [_Folder(medium.durable_names, frozenset(range(count)))]
    for place in range(count - newest, count):
        renaming = medium.renamings[place]
        found += [
            _Folder(_renamed(names, renaming), undone - {place})
            for names, undone in found
            if _follows(names, medium, renaming)
        ]
    kept = [*found[: most - 1], _Folder(medium.names, frozenset())]
    return [
        folder
        for place, folder in enumerate(kept)
        if folder.names not in [later.names for later in kept[place + 1 :]]
    ]


def _follows(names: Mapping[str, int], medium: Medium, renaming: Renaming) -> bool:
    """True if the earlier changes of these names are in `names`: those are made in order."""
    state = dict(medium.durable_names)
    touched = {name for name, _ in renaming}
    for earlier in medium.renamings:
        if earlier is renaming:
            break
        if touched.intersection(name for name, _ in earlier):
            state = _renamed(state, earlier)
    return all(names.get(name) == state.get(name) for name in touched)


def _renamed(names: Mapping[str, int], renaming: Renaming) -> dict[str, int]:
    result = dict(names)
    for name, number in renaming:
        if number is None:
            result.pop(name, None)
        else:
            result[name] = number
    return result


def _pending(medium: Medium, folder: _Folder) -> list[Place]:
    """The changes that are not durable, of the files that the folder has."""
    return [
        (number, place)
        for number in dict.fromkeys(folder.names.values())
        for place in range(len(medium.contents[number].pending))
    ]


def _fates(
    medium: Medium, folder: _Folder, is_lost: Callable[[int, int], bool]
) -> dict[Place, Fate]:
    places = _pending(medium, folder)
    return {place: lost(medium, place) for place in places if is_lost(*place)}


def _torn(
    medium: Medium, folder: _Folder, number: int, junk: Callable[[int], bytes]
) -> Iterator[Choice]:
    """The file's last write cut short: at a sector, at an odd byte, or with junk behind the cut."""
    pending = medium.contents[number].pending
    last = pending[-1]
    if not isinstance(last, Write):
        return
    length = len(last.data)
    half = length // 2
    for at in sorted({SECTOR_BYTES, half // SECTOR_BYTES * SECTOR_BYTES, half + 3, length - 1}):
        if not 0 < at < length:
            continue
        for kind, rest in (("torn", b""), ("junk", junk(length - at))):
            yield Choice(kind, folder.undone, {(number, len(pending) - 1): Torn(at, rest)})


def _drawn(medium: Medium, folder: _Folder, rng: random.Random, likely: float) -> dict[Place, Fate]:
    fates: dict[Place, Fate] = {}
    for place in _pending(medium, folder):
        number, at = place
        parts = _sector_count(medium.contents[number].pending[at])
        there = tuple(rng.random() < likely for _ in range(parts))
        if not all(there):
            fates[place] = Sectors(there)
    return fates
