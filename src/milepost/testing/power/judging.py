"""What a cut or a fault has left is opened, as after a boot, and held to what was promised."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from reprlib import Repr
from typing import Any, Final, NamedTuple, TypeAlias

import apsw

from milepost.testing.power.images import Files
from milepost.testing.power.playing import Promise, place_of

__all__ = ["Complaint", "Judge", "Judging", "Left", "write"]


class Left:
    """A machine after its next boot: the files that are left, and what was promised by then.

    `looked` is true once the judge has asked for the promises.
    """

    def __init__(self, folder: Path, acknowledged: list[object], refused: list[object]) -> None:
        self._folder = folder
        self._acknowledged = acknowledged
        self._refused = refused
        self.looked = False
        self._connections: list[apsw.Connection] = []

    @property
    def folder(self) -> Path:
        """The folder with the files that are left; what is done to them is nobody else's."""
        return self._folder

    @property
    def acknowledged(self) -> list[object]:
        """The values that were promised to be there, in the order of the promises."""
        self.looked = True
        return list(self._acknowledged)

    @property
    def refused(self) -> list[object]:
        """The values that were promised not to be there."""
        self.looked = True
        return list(self._refused)

    def path(self, name: str) -> Path:
        """The place of a file, by its name in the folder; it may not be there."""
        return place_of(self._folder, name)

    def connect(self, name: str, **options: Any) -> apsw.Connection:
        """A connection to a database, made if it is not there. It ends with the judge.

        Args:
            name: Of the file, in the folder.
            **options: Others of apsw.Connection.
        """
        connection = apsw.Connection(str(self.path(name)), **options)
        self._connections.append(connection)
        return connection

    def end(self) -> None:
        """Close what the judge left open."""
        for connection in self._connections:
            with suppress(apsw.Error):
                connection.close(force=True)


Judge: TypeAlias = Callable[[Left], Container[Any] | None]
"""Opens what is left. It raises if that is not sound, and gives what is there, to look promises up
in it. One that gives None must have looked at those of its machine itself."""


class Complaint(NamedTuple):
    """What is not as it was promised, and the error by which the judge said so, if it did.

    It is `unlooked` if the judge gave None, and had not looked at what was promised.
    """

    text: str
    error: Exception | None = None
    unlooked: bool = False

    @property
    def misses(self) -> bool:
        """True if the judge raised because a file or a table is not there."""
        met: BaseException | None = self.error
        while met is not None:
            if isinstance(met, FileNotFoundError) or str(met).startswith(_NOT_THERE):
                return True
            met = met.__cause__ or met.__context__
        return False


_NOT_THERE: Final = ("no such table", "unable to open database file")
"""So SQLite begins, by whichever module it is asked."""


_UNLOOKED: Final = (
    "the judge gives None and has not looked at `at.acknowledged` or `at.refused`, so it would miss"
    " nothing of what was promised: let it give what is there, [] if there is nothing, or look"
    " itself; `promises=False` says that it looks at nothing but whether what is left is sound"
)


class Judging:
    """Asks a judge about what is left of a playing, about the same files and promises once.

    The files stand where the story had them: SQLite writes whole paths into some. Whatever is in
    that folder is taken away first. Without `promises` the judge need not look at any.
    """

    def __init__(self, judge: Judge, *, promises: bool = True) -> None:
        self.asked = 0
        self._needs_promises = promises
        self._judge = judge
        self._folder = Path()
        self._promises: Sequence[Promise] = ()
        self._known: dict[bytes, Complaint | None] = {}

    def begin(self, folder: Path, promises: Sequence[Promise]) -> None:
        """Go on to another playing, in that folder, and with these promises at its end."""
        self._folder = folder
        self._promises = promises
        self._known.clear()

    def complaint(self, files: Files, promised: int | None = None) -> Complaint | None:
        """What is wrong with these files, after so many promises, or all of them."""
        promises = self._promises[:promised]
        key = _digest(files, len(promises))
        if key not in self._known:
            self._known[key] = self._ask(files, promises)
        return self._known[key]

    def _ask(self, files: Files, promises: Sequence[Promise]) -> Complaint | None:
        self.asked += 1
        shutil.rmtree(self._folder, ignore_errors=True)
        write(files, self._folder)
        acknowledged, refused = _standing(promises)
        left = Left(self._folder, acknowledged, refused)
        try:
            found = self._judge(left)
        except Exception as error:  # noqa: BLE001 it is how a judge complains
            return Complaint(f"{type(error).__name__}: {error}", error)
        finally:
            left.end()
        if found is not None:
            return _held_to(found, acknowledged, refused)
        if left.looked or not promises or not self._needs_promises:
            return None
        return Complaint(_UNLOOKED, unlooked=True)


def write(files: Files, folder: Path) -> None:
    """Make a folder of these files."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _held_to(
    found: Container[Any], acknowledged: list[object], refused: list[object]
) -> Complaint | None:
    if isinstance(found, Iterator):
        found = list(found)
    if not isinstance(found, Container):
        raise TypeError(f"a judge gives what can be looked into, or None, and not {found!r}")
    if isinstance(found, str | bytes):
        problem = "a judge gives values that are there, and not one text, in which any part is"
        raise TypeError(f"{problem}: give a list, such as its lines, instead of {found!r:.80}")
    absent = [value for value in acknowledged if not _is_in(found, value)]
    present = [value for value in refused if _is_in(found, value)]
    told = [f"{value!r} was acknowledged and is not there" for value in absent]
    told += [f"{value!r} was refused and is there" for value in present]
    if absent and isinstance(found, Collection) and found:
        told.append(f"the judge gives {_few.repr(found):.180}")
    return Complaint("\n".join(told)) if told else None


_few = Repr()
_few.maxstring = _few.maxother = 60


def _is_in(found: Container[Any], value: object) -> bool:
    try:
        return value in found
    except (TypeError, ValueError) as error:
        problem = f"{value!r:.80} cannot be looked up in the {type(found).__name__} that the judge"
        raise TypeError(f"{problem} gives ({error}): let it give a list") from error


def _standing(promises: Sequence[Promise]) -> tuple[list[object], list[object]]:
    """The values that are to be there, and those that are not to be."""
    acknowledged = [value for value, is_there in promises if is_there]
    refused = [value for value, is_there in promises if not is_there]
    return acknowledged, [value for value in refused if value not in acknowledged]


def _digest(files: Files, promised: int) -> bytes:
    digest = blake2b(f"{promised}\0".encode(), digest_size=16)
    for name in sorted(files):
        digest.update(f"{name} {len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.digest()
