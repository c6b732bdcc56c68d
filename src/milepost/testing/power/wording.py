"""What was done to a medium, and what a cut left undone of it, in words."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.testing.power.images import Choice, Fate, Sectors, names_of
from milepost.testing.power.medium import (
    Change,
    Create,
    Delete,
    Mark,
    Medium,
    Operation,
    Rename,
    Renaming,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)

__all__ = ["kept_by", "missing_from", "told_of"]


def told_of(operation: Operation) -> str:
    """An operation as words that go behind a preposition."""
    match operation:
        case Create(file):
            return f"the creation of {file}"
        case Write(file, offset, data):
            return f"the write of {len(data):,} bytes at {offset:,} to {file}"
        case Truncate(file, size_bytes):
            return f"the truncation of {file} to {size_bytes:,} bytes"
        case Sync(file, folder):
            return f"the sync of {file}" + (" and its folder" if folder else "")
        case SyncFolder():
            return "the sync of the folder"
        case Delete(file, synced):
            return f"the deletion of {file}" + (", and the sync of the folder" if synced else "")
        case Rename(file, to):
            return f"the renaming of {file} to {to}"
        case Mark(number):
            return f"what was promised as number {number}"


def missing_from(medium: Medium, choice: Choice) -> list[str]:
    """What the disk has not, or not as a whole, of what was done: a line each, in order."""
    told = [
        f"undone: {_told_of_renaming(renaming)}"
        for place, renaming in enumerate(medium.renamings)
        if place in choice.undone
    ]
    return told + [
        _told_of_fate(change, fate) for change, fate in _pending(medium, choice) if fate is not None
    ]


def kept_by(medium: Medium, choice: Choice) -> list[str]:
    """What the disk has of what was not durable: a line each, in order."""
    told = [
        f"kept: {_told_of_renaming(renaming)}"
        for place, renaming in enumerate(medium.renamings)
        if place not in choice.undone
    ]
    return told + [
        f"kept: {told_of(change)}" for change, fate in _pending(medium, choice) if fate is None
    ]


def _pending(medium: Medium, choice: Choice) -> Iterator[tuple[Change, Fate | None]]:
    """The changes that are not durable of the files that are there, with what became of them."""
    for number in dict.fromkeys((names_of(medium, choice.undone) or {}).values()):
        for place, change in enumerate(medium.contents[number].pending):
            yield change, choice.fates.get((number, place))


def _told_of_renaming(renaming: Renaming) -> str:
    (name, number), *rest = renaming
    if rest:
        return told_of(Rename(rest[0][0], name))
    return told_of(Create(name) if number is not None else Delete(name, synced=False))


def _told_of_fate(change: Change, fate: Fate) -> str:
    if isinstance(fate, Sectors):
        gone = [str(number) for number, there in enumerate(fate.there, 1) if not there]
        if len(gone) == len(fate.there):
            return f"lost: {told_of(change)}"
        return f"lost: sectors {', '.join(gone)} of {len(fate.there)} of {told_of(change)}"
    behind = "junk" if fate.rest else "nothing"
    return f"torn: {told_of(change)}, with {behind} behind its byte {fate.at:,}"
