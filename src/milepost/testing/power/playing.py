"""A story is played once, on a medium that notes what is done and fails calls if it is to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import apsw

from milepost.testing.power.faults import Failing, Faults
from milepost.testing.power.findable import findable
from milepost.testing.power.medium import Operation
from milepost.testing.power.recorder import Recorder

__all__ = ["Played", "Promise", "Running", "Story", "play"]

_numbers = count()


class Promise(NamedTuple):
    """What somebody was told of a value: that it is there for good, or that nothing of it is."""

    value: object
    is_there: bool


class Running:
    """The machine that a story runs on: a folder, connections to files in it, and what is promised.

    A story uses it in one thread. All of its files are in `folder`, beside each other; other code
    opens them by `path` and by the VFS named `vfs`.
    """

    def __init__(self, folder: Path, vfs: str | None, promise: Callable[[Promise], None]) -> None:
        self._folder = folder
        self._vfs = vfs
        self._promise = promise
        self._connections: list[apsw.Connection] = []

    @property
    def folder(self) -> Path:
        """The folder that the machine keeps over a power cut."""
        return self._folder

    @property
    def vfs(self) -> str | None:
        """The name of the VFS to open files with; None, which is the system's, while preparing."""
        return self._vfs

    def path(self, name: str) -> Path:
        """The place of a file, by its name in the folder. Raises ValueError for other places."""
        return place_of(self._folder, name)

    def connect(self, name: str, **options: Any) -> apsw.Connection:
        """A connection to a database, made if it is not there. It ends with the machine.

        Args:
            name: Of the file, in the folder.
            **options: Others of apsw.Connection.
        """
        connection = apsw.Connection(str(self.path(name)), vfs=self._vfs, **options)
        self._connections.append(connection)
        return connection

    def acknowledge(self, *values: object) -> None:
        """Promise that these are there from now on, whatever happens.

        Args:
            *values: What the judge has to find in what is left, by `==`. Later changes of a list,
                a dict or a set are no part of the promise.

        Raises:
            TypeError: A value holds what nothing is equal to, as NaN, or is compared bit by bit, as
                an array: no judge could find it.
        """
        for value in values:
            self._promise(Promise(findable(value), is_there=True))

    def refuse(self, *values: object) -> None:
        """Promise that these are not there, unless they are acknowledged later.

        Args:
            *values: What the judge must not find in what is left.

        Raises:
            TypeError: As for `acknowledge`.
        """
        for value in values:
            self._promise(Promise(findable(value), is_there=False))

    def end(self) -> None:
        """Close what the story left open; how that ends is nobody's business any more."""
        for connection in self._connections:
            with suppress(apsw.Error):
                connection.close(force=True)


Story: TypeAlias = Callable[[Running], object]
"""Works with files and says what it promises. What it gives is not looked at."""


class Played(NamedTuple):
    """What came of playing a story in `folder`.

    `before` are the files that it began with. `operations` is what it did, with a mark behind each
    promise that has its number, from 1; the number 0, or that of those made when it was prepared,
    stands first. `error` is what it ended in, `failed_at` how many operations there were when the
    first call failed, and `failed` which one that was.
    """

    folder: Path
    before: dict[str, bytes]
    operations: list[Operation]
    promises: list[Promise]
    error: Exception | None
    failed_at: int | None
    failed: str


def play(
    folder: Path,
    story: Story,
    *,
    prepare: Story | None = None,
    faults: Faults | None = None,
    lies: bool = False,
) -> Played:
    """Play `story` in a new folder, after `prepare` has been played on a medium without fault.

    Args:
        folder: Made, and left as the story leaves it before anything is closed.
        story: What is played; an error that it raises ends it.
        prepare: What is there for good when the story begins.
        faults: Which of its calls fails.
        lies: The medium acknowledges syncs and does none.

    Raises:
        AssertionError: Files were changed in a way that cannot be heard.
    """
    folder.mkdir(parents=True)
    promises: list[Promise] = []
    if prepare is not None:
        before = Running(folder, None, promises.append)
        try:
            prepare(before)
        finally:
            before.end()
    recorder = Recorder(f"power-recorder-{next(_numbers)}", folder, lies=lies, waits=False)
    recorder.mark(len(promises))

    def promise(made: Promise) -> None:
        promises.append(made)
        recorder.mark(len(promises))

    failed: list[tuple[int, str]] = []
    top: apsw.VFS = recorder
    name = recorder.name
    if faults is not None:
        faults.tell = lambda call: failed.append((len(recorder.operations), call))
        name = f"power-failing-{next(_numbers)}"
        top = Failing(name, faults, base=recorder.name)
    machine = Running(folder, name, promise)
    error: Exception | None = None
    try:
        with recorder.listening():
            try:
                story(machine)
            except Exception as raised:  # noqa: BLE001 the caller says which may be
                error = raised
        recorder.check()
        done = list(recorder.operations)
    finally:
        if faults is not None:
            faults.healed = True
        machine.end()
        if not recorder.open_count:  # whoever leaves a file open still needs them
            top.unregister()
            if top is not recorder:
                recorder.unregister()
    failed_at, call = failed[0] if failed else (None, "")
    return Played(folder, recorder.before, done, promises, error, failed_at, call)


def place_of(folder: Path, name: str) -> Path:
    """The place of a file in a folder, and not in one of its own."""
    if Path(name).name != name:
        raise ValueError(f"{name!r}: files stand beside each other in one folder")
    return folder / name
