"""What was done to a medium, and what a cut left undone of it, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from milepost.testing.power.images import Choice, Fate, Sectors, names_of
from milepost.testing.power.medium import (
    Change,
    Create,
    Delete,
    Link,
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

__all__ = ["kept_by", "lossy_in", "missing_from", "promised_by", "told_of"]

_NAMES: Final = "the names in the folder"
_MOST_CHARS: Final = 80


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
        case Link(file, to):
            return f"the linking of {file} to {to}"
        case Mark(number):
            return f"what was promised as number {number}" if number else "the start"


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


def lossy_in(medium: Medium, choice: Choice) -> set[str]:
    """The files that the disk lacks something of, and the names in the folder if one is undone."""
    names = {number: name for name, number in medium.names.items()}
    found = {
        names.get(number, change.file)
        for number, change, fate in _numbered(medium, choice)
        if fate is not None
    }
    return found | ({_NAMES} if choice.undone else set())


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


def promised_by(
    operations: Sequence[Operation],
    position: int,
    promises: Sequence[tuple[object, bool]],
    lossy: Collection[str],
) -> list[str]:
    """What was promised last by a position, and what of the work before it was not synced by then.

    Nothing where nothing was promised. `promises` are a value each, and whether it is there.
    `lossy` are the files that lack something: whether others were synced does not matter.
    """
    marks = [at for at in range(position + 1) if _is_promise(operations[at])]
    if not marks:
        return []
    at = marks[-1]
    told = operations[at]
    assert isinstance(told, Mark), "it is a promise"
    value, is_there = promises[told.number - 1]
    what = "acknowledged" if is_there else "refused"
    lines = [f"promised last: {repr(value)[:_MOST_CHARS]} was {what} at position {at}"]
    unsynced = _unsynced(operations[: position + 1])
    early = [(since, name) for name, since in unsynced.items() if since < at and name in lossy]
    for since, name in sorted(early):
        lines.append(
            f"not synced by position {position}: {name}, changed since position {since}"
            f" by {told_of(operations[since])}"
        )
    return lines


def _is_promise(operation: Operation) -> bool:
    return isinstance(operation, Mark) and operation.number > 0


def _unsynced(operations: Sequence[Operation]) -> dict[str, int]:
    """By file, and for the names in the folder, where the first change that is not synced is."""
    since: dict[str, int] = {}
    for place, operation in enumerate(operations):
        match operation:
            case Write(file) | Truncate(file):
                since.setdefault(file, place)
            case Sync(file, folder):
                since.pop(file, None)
                if folder:
                    since.pop(_NAMES, None)
            case SyncFolder():
                since.pop(_NAMES, None)
            case Create() | Link():
                since.setdefault(_NAMES, place)
            case Delete(file, synced):
                since.pop(file, None)
                since.setdefault(_NAMES, place)
                if synced:
                    del since[_NAMES]
            case Rename(file, to):
                since.pop(to, None)
                if file in since:
                    since[to] = since.pop(file)
                since.setdefault(_NAMES, place)
            case Mark():
                pass
    return since


def _pending(medium: Medium, choice: Choice) -> Iterator[tuple[Change, Fate | None]]:
    """The changes that are not durable of the files that are there, with what became of them."""
    return ((change, fate) for _, change, fate in _numbered(medium, choice))


def _numbered(medium: Medium, choice: Choice) -> Iterator[tuple[int, Change, Fate | None]]:
    """The same, each with the number of its file."""
    for number in dict.fromkeys((names_of(medium, choice.undone) or {}).values()):
        for place, change in enumerate(medium.contents[number].pending):
            yield number, change, choice.fates.get((number, place))


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
