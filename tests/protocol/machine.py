"""A computer whose power can be cut, and whose time and processes are made up: the real store's.

What a process does to the store's files passes through a VFS that notes it, so that what a cut
leaves is known: just what was synced. Nothing of it is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from threading import Event, get_ident
from types import TracebackType
from typing import Any, Final, Literal

from milepost import StateManager
from milepost.errors import CommitUnknown
from milepost.process.identity import Process
from milepost.state.persistence import Reader, Writer
from milepost.stores.sqlite.store import Durability, SqliteStore
from milepost.testing import FakeClock
from milepost.testing.power.medium import Medium, Sync
from milepost.testing.power.recorder import Recorder

DATABASE: Final = "jobs.db"
_numbers = count(1)

Answer = Literal["there", "absent"]


class KilledError(BaseException):
    """A process ends in the midst of a call: no code of its own that catches errors sees it."""


class Table:
    """The processes of one boot. `of` gives the view of one of them, with a pid of its own."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.living: set[int] = set()

    def begin(self) -> ProcessView:
        """A new process."""
        pid = next(_numbers)
        self.living.add(pid)
        return ProcessView(self, pid)


class ProcessView:
    """What one process knows of those of its machine: a milepost.process.identity.Processes."""

    def __init__(self, table: Table, pid: int) -> None:
        self.pid = pid
        self._table = table

    @property
    def host(self) -> str:
        return "modelled"

    def this(self) -> Process:
        return Process(scope=self._table.boot, pid=self.pid, started=self.pid)

    def is_gone(self, process: Process) -> bool:
        assert process.scope == self._table.boot, "those of another boot are not asked for"
        return process.pid not in self._table.living

    def end(self) -> None:
        """The process is no more."""
        self._table.living.discard(self.pid)


class Store:
    """A SqliteStore of one process, of which one commit may get no answer.

    `hide` says what becomes of the next commit; who made it then waits, before it reads the log
    again, until `answer` is set.
    """

    def __init__(self, store: SqliteStore) -> None:
        self.url = store.url
        self.read_only = False
        self.hide: Answer | None = None
        self.killed = False
        self.waits = Event()
        self.answer = Event()
        self._store = store
        self._asker: int | None = None  # the thread that is to wait

    def __getattr__(self, name: str) -> Any:  # the rest of a store
        return getattr(self._store, name)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        if self._asker == get_ident():
            self.waits.set()
            self.answer.wait()
            self._asker = None
            if self.killed:
                raise KilledError
        with self._store.reading() as reader:
            yield reader

    def writing(self, *jobs: str) -> AbstractContextManager[Writer]:
        if self.hide is None:
            return self._store.writing(*jobs)
        hide, self.hide = self.hide, None
        return _Unanswered(self, self._store.writing(*jobs), hide)

    appending = writing

    def unanswered(self) -> CommitUnknown:
        """The error of a commit of which nobody can say yet whether it took place."""
        self._asker = get_ident()
        return CommitUnknown(url=self.url, problem="it was hidden", may_appear=False)


class _Unanswered:
    """A commit that takes place or not, and ends in an error that does not say."""

    def __init__(self, store: Store, writing: AbstractContextManager[Writer], is_there: Answer):
        self._store = store
        self._writing = writing
        self._is_there = is_there

    def __enter__(self) -> Writer:
        return self._writing.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert error is None, "what is hidden is a commit"
        if self._is_there == "there":
            self._writing.__exit__(None, None, None)
        else:
            undone = KilledError()
            self._writing.__exit__(KilledError, undone, None)
        raise self._store.unanswered()


class Machine:
    """A computer from one boot to the next, with the store's files as that boot finds them."""

    def __init__(
        self, folder: Path, files: dict[str, bytes], durability: Durability, at_us: int
    ) -> None:
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        number = next(_numbers)
        self.clock = FakeClock(at_us, timeline=f"boot {number}")
        self.table = Table(f"boot {number}")
        self._folder = folder
        self._durability: Durability = durability
        self._disk = Recorder(f"protocol-{number}", folder, waits=False)
        self._medium = Medium(files)
        self._stores: list[SqliteStore] = []

    def store(self) -> Store:
        """The store, opened by a process of its own."""
        store = SqliteStore(
            self._folder / DATABASE,
            create=False,
            durability=self._durability,
            vfs=self._disk.name,
        )
        self._stores.append(store)
        return Store(store)

    def manager(self, store: Store, process: ProcessView) -> StateManager:
        """A manager of a process, that has seen nothing yet."""
        return StateManager(store, clock=self.clock, processes=process)

    def reach_disk(self) -> None:
        """The system writes what was not synced: at a moment of its own."""
        self._settle()
        for name in self._medium.names:
            self._medium.do(Sync(name, folder=True))

    def cut(self) -> dict[str, bytes]:
        """The files that are left if the power is cut now and the disk lost all it could lose."""
        self._settle()
        contents = self._medium.contents
        return {n: contents[at].durable for n, at in self._medium.durable_names.items()}

    def end(self) -> None:
        """Let go of everything: what is left of the processes that died is closed."""
        for store in self._stores:
            store.close()
        self._disk.unregister()

    def _settle(self) -> None:
        for operation in self._disk.operations:
            self._medium.do(operation)
        self._disk.operations.clear()


MakeMachine = Callable[[Path, dict[str, bytes], Durability, int], Machine]
