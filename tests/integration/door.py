"""Calls of the public surface with values of any types, and what may come of each.

Either an error of Milepost, short and complete, or an effect that a second manager on the same
file reads whole. What a stranger's own object raises is his, and may come through.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from milepost import (
    AsyncStateManager,
    ItemEvent,
    JobEvent,
    MilepostError,
    Scope,
    StateManager,
    Write,
)
from milepost.testing import FakeClock


class Theirs(Exception):
    """What a stranger's object raises: it is not ours to hide."""


class Hostile:
    """Whatever is asked of it raises."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def _raise(self, *_: object) -> Any:
        raise Theirs

    __repr__ = __str__ = __eq__ = __index__ = __float__ = __int__ = __len__ = __iter__ = _raise
    __contains__ = __getitem__ = __call__ = __enter__ = __fspath__ = __bool__ = __lt__ = _raise
    __sub__ = __rsub__ = __add__ = __radd__ = __ge__ = __gt__ = __le__ = _raise
    __hash__ = object.__hash__


class Name(str):
    __slots__ = ()


class Word(StrEnum):
    PAUSE = "pause"


class Number(IntEnum):
    ONE = 1


class Index:
    def __index__(self) -> int:
        return 1


def _failing() -> Iterator[str]:
    yield "e"
    raise Theirs


def _theirs(*_: object, **__: object) -> Any:
    raise Theirs


def _knot() -> list[Any]:
    knot: list[Any] = []
    knot.append(knot)
    return knot


def _nested() -> Any:
    value: Any = 1
    for _ in range(3_000):
        value = [value]
    return value


WRONG: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "0": lambda: 0,
    "-1": lambda: -1,
    "1": lambda: 1,
    "2**31": lambda: 2**31,
    "2**63": lambda: 2**63,
    "-2**64": lambda: -(2**64),
    "10**5000": lambda: 10**5_000,
    "0.0": lambda: 0.0,
    "1.5": lambda: 1.5,
    "-0.5": lambda: -0.5,
    "1e300": lambda: 1e300,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "no text": lambda: "",
    "a text": lambda: "zz",
    "an id": lambda: "j",
    "a key": lambda: "a",
    "NUL": lambda: "a\0b",
    "a surrogate": lambda: "a\ud800",
    "marks": lambda: "\x1b[2J\u202e\n",
    "a long text": lambda: "x" * 5_000,
    "a path": lambda: Path("there"),
    "bytes": lambda: b"j",
    "a name": lambda: Name("j"),
    "a word": lambda: Word.PAUSE,
    "a member": lambda: Number.ONE,
    "an index": Index,
    "no list": list,
    "a list": lambda: [1, "a", None],
    "texts": lambda: ["a", "b"],
    "a tuple": lambda: ("j", 1),
    "a set": lambda: {"a", "e"},
    "a mapping": lambda: {"a": 1},
    "a mapping of numbers": lambda: {1: 2},
    "self": lambda: {"self": 1, "a\ud800": float("nan")},
    "a knot": _knot,
    "nested": _nested,
    "naive": lambda: datetime(2026, 1, 1),  # noqa: DTZ001
    "aware": lambda: datetime(2026, 1, 1, tzinfo=UTC),
    "a span": lambda: timedelta(days=1),
    "the longest span": lambda: timedelta.max,
    "a decimal": lambda: Decimal("1.5"),
    "a fraction": lambda: Fraction(1, 2),
    "complex": lambda: 1j,
    "an object": object,
    "hostile": Hostile,
    "a class": lambda: Hostile,
    "a function": lambda: _theirs,
    "a generator": _failing,
    "events": lambda: [ItemEvent("d", "start"), JobEvent("pause"), 3],
    "an event": lambda: JobEvent(Hostile(), _knot()),  # type: ignore[arg-type]
    "a write": lambda: [Write("j", [JobEvent("pause")], operator=2), Hostile()],  # type: ignore[arg-type]
    "a scope": lambda: Scope.span(2**40, 2**62),
    "an error": lambda: ValueError("x" * 5_000),
}
"""Values of any type, each made anew: for most parameters they are wrong."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something public that is called: its parameters, and what else is done with what it gives.

    `call` gets a manager and the arguments by name.
    """

    name: str
    parameters: tuple[str, ...]
    call: Callable[[StateManager, dict[str, Any]], object]
    right: Mapping[str, Callable[[StateManager], Any]] = field(default_factory=dict)


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what it takes, without what it is a method of."""
    signature = inspect.signature(function)
    return tuple(name for name in signature.parameters if name not in ("self", "cls"))


def methods_of(kind: type) -> dict[str, Callable[..., Any]]:
    """The public methods of a class, by name."""
    found = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}
    return {name: method for name, method in found.items() if callable(method)}


def used(given: object, *, most: int = 300) -> object:
    """What was given, entered if it is a context, read if it is a stream."""
    if isinstance(given, AbstractContextManager) and not isinstance(given, StateManager):
        with given as inner:
            return inner
    if isinstance(given, Iterator):
        return list(islice(given, most))
    return given


async def used_soon(given: object) -> object:
    """As `used`, of what an AsyncStateManager gives."""
    if isinstance(given, AbstractAsyncContextManager):
        async with given as inner:
            return inner
    if isinstance(given, AsyncIterator):
        return [each async for each in given]
    if inspect.isawaitable(given):
        return await given
    return given


def awaited(method: str, part: str = "") -> Callable[[StateManager, dict[str, Any]], object]:
    """The call of a method of an AsyncStateManager on the same store, or of a `part` of it."""

    def call(manager: StateManager, given: dict[str, Any]) -> object:
        async def run() -> object:
            other = AsyncStateManager(manager, threads=2)
            try:
                owner = getattr(other, part) if part else other
                return await used_soon(getattr(owner, method)(**given))
            finally:
                await asyncio.to_thread(other._threads.executor.shutdown)

        return asyncio.run(run())

    return call


@dataclass(slots=True)
class Trial:
    """A store in a directory, made from one that is kept, and a manager on it."""

    folder: Path
    manager: StateManager | None = None
    made_count: int = 0
    read_count: int = 0
    refused_count: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "jobs.db"

    def fresh(self) -> StateManager:
        """The manager, on a store that nothing has changed yet."""
        if self.manager is None:
            for old in self.folder.glob("jobs.db*"):
                old.unlink()
            template = self.folder / "template.db"
            if not template.exists():
                prepare(template)
            shutil.copyfile(template, self.path)
            self.manager = StateManager.open(
                self.path, durability="process", clock=FakeClock(), busy_timeout_s=5
            )
            self.made_count += 1
        return self.manager

    def end(self) -> None:
        """Close what is open."""
        if self.manager is not None:
            self.manager.close()
            self.manager = None

    def problem(self, target: Target, given: dict[str, Any]) -> str | None:
        """Call the target and say what is wrong with what came of it; None if nothing is."""
        manager = self.fresh()
        before = self._marks()
        raised: BaseException | None = None
        try:
            target.call(manager, given)
        except MilepostError as error:
            raised = error
        except Theirs:
            self.end()
            return self._read("raised by a stranger's object")
        except BaseException as error:  # noqa: BLE001 that is what is looked for
            self.end()
            return f"{type(error).__name__}: {str(error)[:300]}"
        if raised is not None:
            self.refused_count += 1
            if not 0 < len(str(raised)) < 2_000 or len(repr(raised)) >= 2_000:
                return f"a message of {len(str(raised))} characters"
        if self._marks() == before:
            return None
        self.end()
        return self._read("refused" if raised is not None else "accepted")

    def _marks(self) -> list[tuple[str, int, int]]:
        found = [(each.name, each.stat()) for each in sorted(self.folder.glob("jobs.db*"))]
        return [(n, s.st_mtime_ns, s.st_size) for n, s in found if not n.endswith("-shm")]

    def _read(self, what: str) -> str | None:
        """Read all that there is as another process would."""
        self.read_count += 1
        try:
            with StateManager.open(self.path, read_only=True, clock=FakeClock()) as other:
                return read_whole(other, what)
        except Exception as error:  # noqa: BLE001 whatever stands in the way of reading
            return f"{what}, and then {type(error).__name__}: {str(error)[:300]}"


def read_whole(manager: StateManager, what: str) -> str | None:
    """What of the store cannot be read, None if all can."""
    if problems := manager.check_store():
        return f"{what}, and then {problems}"
    manager.plan_retention()
    list(manager.quarantine())
    manager.list_jobs()
    manager.stuck_jobs()
    for job_id in manager.job_ids():
        verification = manager.verify(job_id)[0]
        if not verification.sound:
            return f"{what}, and then job {job_id}: {verification.problems}"
        manager.get_state_history(job_id)
        dict(manager.results(job_id))
        manager.failures(job_id)
        manager.list_checkpoints(job_id)
        list(manager.dead_letters(job_id))
        manager.kept(job_id)
        manager.holder(job_id)
        manager.recover_from_checkpoint(job_id)
    return None


def prepare(path: Path) -> None:
    """A store with a job under way, whose items are in all states, and one that has ended."""
    with StateManager.open(path, durability="process", clock=FakeClock()) as manager:
        manager.create_job(["a", "b", "c", "d"], job_id="j", config={"max_attempts": 1})
        manager.fire("j", "start_map", {"variables": {"v": 1}})
        manager.record("j", [ItemEvent(key, "start") for key in "abc"])
        manager.record("j", [ItemEvent("a", "succeed", {"result": "paid for"})])
        failed = {"cause": "error", "message": "no"}
        manager.record("j", [ItemEvent("b", "fail", failed), ItemEvent("b", "give_up")])
        manager.create_checkpoint("j")
        manager.create_job(["a"], job_id="k")
        manager.fire("k", "cancel")
    for left in (f"{path}-wal", f"{path}-shm"):
        assert not os.path.exists(left)  # noqa: PTH110 closed in good order
