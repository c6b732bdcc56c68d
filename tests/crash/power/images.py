"""What a power cut may leave of a medium: images, each a folder's files.

What is durable is in all of them. Of the rest an image has all, nothing, all but one change, just
one file's changes, the last write torn, or sectors drawn at random, which is any order that a disk
may choose. Names that are not durable are there or not, in each way that keeps the order of the
changes of one name. Pure; the same `rng` gives the same images.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from tests.crash.power.medium import Change, Medium, Renaming, Write

SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all."""

_LAST: Final = 6  # of the pending changes, each is lost alone in an image of its own
_FOLDERS: Final = 6  # ways to have names or not, at most

Files: TypeAlias = dict[str, bytes]
_Kept: TypeAlias = Callable[[int, list[Change]], list[Change]]


class Image(NamedTuple):
    """One way that a cut can end; `kind` says how it was made."""

    kind: str
    files: Files


def images(medium: Medium, rng: random.Random, draws: int) -> Iterator[Image]:
    """Images of a cut at this moment, `draws` of them at random where anything is pending.

    Many may be alike. Cost: each copies the files.
    """
    folders = _folders(medium)
    newest = folders[-1]
    for names in folders:
        yield _image("all", medium, names, lambda _, changes: changes)
        yield _image("none", medium, names, lambda _, changes: [])
    pending = [
        (number, place)
        for number in dict.fromkeys(newest.values())
        for place in range(len(medium.contents[number].pending))
    ]
    for lost in pending[-_LAST:]:
        yield _image("all but one", medium, newest, _without(lost))
    for number in dict.fromkeys(number for number, _ in pending):
        yield _image("one file", medium, newest, _only(number))
        yield from _torn(medium, newest, number, rng)
    if pending:
        for _ in range(draws):
            likely = rng.choice((0.1, 0.5, 0.9))
            yield _image("sectors", medium, rng.choice(folders), _drawn(rng, likely))


def _image(kind: str, medium: Medium, names: dict[str, int], kept: _Kept) -> Image:
    files = {}
    for name, number in names.items():
        content = medium.contents[number]
        files[name] = content.with_only(kept(number, content.pending))
    return Image(kind, files)


def _folders(medium: Medium) -> list[dict[str, int]]:
    """The names that may be there: from those that are durable to those that programs saw last."""
    found = [medium.durable_names]
    for renaming in medium.renamings[-_FOLDERS:]:
        found += [_renamed(names, renaming) for names in found if _follows(names, medium, renaming)]
    kept = [*found[: _FOLDERS - 1], medium.names]
    return [names for place, names in enumerate(kept) if names not in kept[place + 1 :]]


def _follows(names: dict[str, int], medium: Medium, renaming: Renaming) -> bool:
    """True if the earlier changes of these names are in `names`: those are made in order."""
    state = dict(medium.durable_names)
    touched = {name for name, _ in renaming}
    for earlier in medium.renamings:
        if earlier is renaming:
            break
        if touched.intersection(name for name, _ in earlier):
            state = _renamed(state, earlier)
    return all(names.get(name) == state.get(name) for name in touched)


def _renamed(names: dict[str, int], renaming: Renaming) -> dict[str, int]:
    result = dict(names)
    for name, number in renaming:
        if number is None:
            result.pop(name, None)
        else:
            result[name] = number
    return result


def _without(lost: tuple[int, int]) -> _Kept:
    def kept(number: int, changes: list[Change]) -> list[Change]:
        return [change for place, change in enumerate(changes) if (number, place) != lost]

    return kept


def _only(wanted: int) -> _Kept:
    return lambda number, changes: changes if number == wanted else []


def _torn(
    medium: Medium, names: dict[str, int], wanted: int, rng: random.Random
) -> Iterator[Image]:
    """The file's last write cut short: at a sector, at an odd byte, or with junk behind the cut."""
    *before, last = medium.contents[wanted].pending
    if not isinstance(last, Write):
        return
    length = len(last.data)
    half = length // 2
    for cut in sorted({SECTOR_BYTES, half // SECTOR_BYTES * SECTOR_BYTES, half + 3, length - 1}):
        if not 0 < cut < length:
            continue
        for kind, rest in (("torn", b""), ("junk", rng.randbytes(length - cut))):
            parts = [*before, last._replace(data=last.data[:cut] + rest)]
            yield _image(
                kind,
                medium,
                names,
                lambda number, changes, parts=parts: parts if number == wanted else changes,  # type: ignore[misc]
            )


def _drawn(rng: random.Random, likely: float) -> _Kept:
    def kept(_: int, changes: list[Change]) -> list[Change]:
        return [part for change in changes for part in sectors(change) if rng.random() < likely]

    return kept


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
