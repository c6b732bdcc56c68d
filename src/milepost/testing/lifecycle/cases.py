"""The machine of a lifecycle, and the test case that runs its traces and then its rules."""

from __future__ import annotations

import sys
import unittest
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost.definition import read_definition
from milepost.machine import Lifecycle
from milepost.testing.definition import Definition
from milepost.testing.lifecycle.coverage import Coverage
from milepost.testing.lifecycle.declared import unlike
from milepost.testing.lifecycle.reading import Reader, module_of
from milepost.testing.lifecycle.rules.holding import Rules
from milepost.testing.lifecycle.stores import MakeStore, Place, in_memory
from milepost.testing.lifecycle.summary import COVERED, is_shown
from milepost.testing.lifecycle.touring import Tour
from milepost.testing.lifecycle.traces import traces_of

__all__ = ["lifecycle_machine"]

_DEFAULT: Final = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    # Not to explain: that traces each line of ours, which takes most of the time, to name some.
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
    suppress_health_check=[
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)


class _LifecycleCase(unittest.TestCase):
    """Every trace of a lifecycle taken in a store, and then random rules on top.

    `settings` are hypothesis's own: 25 sequences of 30 rules, unless somebody sets others.
    """

    settings: ClassVar[settings] = _DEFAULT
    machine: ClassVar[type[_LifecycleMachine]]
    _is_shown = False

    def __init__(self, name: str = "runTest") -> None:
        super().__init__(name)
        self._properties: list[tuple[str, object]] = []

    @pytest.fixture(autouse=True)
    def _tell_at_the_end(self, request: pytest.FixtureRequest) -> None:
        """Under pytest, which would keep to itself what a test that passes has printed."""
        self._properties = request.node.user_properties
        self._is_shown = is_shown(request.config)

    @classmethod
    def tearDownClass(cls) -> None:
        """End the second process."""
        cls.machine.reader.close()

    def test_the_module_says_what_the_file_says(self) -> None:
        """Of states, events, variables and roles, also of what no run comes to."""
        differs = self.machine.unlike()
        assert not differs, "\n".join(("compile it again:", *differs))

    def test_every_trace_is_taken(self) -> None:
        """Each arc, pair of arcs, condition and illegal pair, or what was never taken is named."""
        self.machine.traces_hold = False
        coverage = self.machine.tour()
        covered = f"{self.machine.lifecycle.name}: {coverage}"
        self._properties.append((COVERED, covered))
        if not self._is_shown:
            sys.stdout.write(f"{covered}\n")
        missing = coverage.missing()
        assert not missing, f"{coverage}. Never taken: {', '.join(missing)}"
        self.machine.traces_hold = True

    def test_random_rules_agree(self) -> None:
        """Whatever two managers do, crashes included, state = fold(log) = definition.

        What is found is not made small if a trace was found to differ before: that one is short.
        """
        self.machine.traces()  # or the file is another than the one that was compiled
        of = self.settings
        if not self.machine.traces_hold:
            of = settings(of, phases=[phase for phase in of.phases if phase is not Phase.shrink])
        run_state_machine_as_test(self.machine, settings=of)


class _LifecycleMachine(Rules):
    """The rules of one lifecycle. `TestCase` is what pytest and unittest run.

    `tried` counts what was tried so far: sequences, rules, and reads by another process.
    `traces_hold` is false once a trace was found to differ.
    """

    TestCase: ClassVar[type[_LifecycleCase]]  # type: ignore[assignment,misc]
    path: ClassVar[Path]
    kept: ClassVar[Path | None]
    traces_hold: ClassVar[bool] = True

    @classmethod
    def traces(cls) -> Sequence[Mapping[str, Any]]:
        """The traces of the definition. Raises TracesAbsent."""
        of = cls.lifecycle
        return traces_of(cls.path, cls.kept, lifecycle=of.name, digest=of.digest)

    @classmethod
    def unlike(cls) -> list[str]:
        """What the module says of its machines and the definition does not, a sentence each."""
        own = cls.read[cls.lifecycle.name, cls.lifecycle.version]
        old = [(one, cls.read[one.name, one.version]) for one in cls.earlier]
        return unlike(cls.lifecycle, own, old)

    @classmethod
    def tour(cls) -> Coverage:
        """Take every trace in a new store. Raises AssertionError where a step differs."""
        traces = cls.traces()
        coverage = Coverage.of(cls.definition, traces)
        place = Place(cls.makes, cls.lifecycle, cls.earlier)
        manager = place.manager()
        try:
            tour = Tour(manager, cls.definition, coverage)
            tour.take(traces)
            cls.tried["steps of traces"] += tour.steps
        finally:
            place.close_manager(manager)
            place.remove()
        return coverage


def lifecycle_machine(
    lifecycle: Lifecycle,
    *,
    definition: str | Path,
    store: MakeStore | str = "files",
    traces: str | Path | None = None,
    earlier: Sequence[tuple[Lifecycle, str | Path]] = (),
) -> type[_LifecycleMachine]:
    """A hypothesis machine that holds what a store makes of a lifecycle to its definition.

    Its `TestCase` first takes every trace of the definition step by step, with every illegal pair
    where it can be tried, and fails if anything was left out. Then hypothesis has two managers do
    whatever they may to a job: events that are legal or not, batches of members, several writes in
    one commit, leases, checkpoints, crashes, recovery, rewinds, forks. After each rule the state is
    the fold of the log and what a plain reading of the definition gives, the chain verifies, and a
    plan puts each member in one part; after every eighth, a second process reads the same.

    Args:
        lifecycle: LIFECYCLE of the module that `milepost compile` wrote.
        definition: The file that it was compiled from; a relative path begins at the folder that
            the tests are run in. It is read as text, by an interpreter that shares no code with
            the compiler.
        store: `"files"` keeps jobs in files of SQLite, whose crash leaves what is on the disk.
            `"memory:"` keeps them in this process, where a crash drops the managers alone, and no
            other process reads. Or a function that makes an empty store: its URL, or the store.
        traces: A kept file of `milepost traces DEFINITION --json`. None runs that command, and
            keeps what it finds in a cache.
        earlier: Earlier versions, each with its definition: some jobs begin under them.

    Raises:
        FileNotFoundError: A file is not there; it says where it was looked for.
        ValueError: The definition is of another name or version than the lifecycle, or the
            lifecycle is of no generated module.
        NotUnderstood: A part of the definition has no meaning to its interpreter, which says which.
    Cost:
        A trace takes some five commits; a rule takes some milliseconds.
    """
    __tracebackhide__ = True
    if not isinstance(lifecycle, Lifecycle):
        raise TypeError(f"{lifecycle!r} is no lifecycle: give the LIFECYCLE of a generated module")
    path = _there(definition, "definition")
    read = _read(path, lifecycle)
    old = tuple((one, _read(_there(at, "definition"), one)) for one, at in earlier)
    make: MakeStore | None
    if isinstance(store, str):
        made = {"files": None, "memory:": in_memory}
        if store not in made:
            problem = f"{store!r} is neither 'files' nor 'memory:'"
            raise ValueError(f"{problem}: for another store, give a function that makes it")
        make = made[store]
    else:
        make = store
    kept = None if traces is None else _there(traces, "file of traces")
    machine: type[_LifecycleMachine] = type(
        f"{lifecycle.name}_machine",
        (_LifecycleMachine,),
        {
            "lifecycle": lifecycle,
            "definition": read,
            "earlier": tuple(one for one, _ in earlier),
            "old": old,
            "makes": () if make is None else (make,),
            "read": {
                (one.name, one.version): read_definition(at)
                for one, at in (*earlier, (lifecycle, path))
            },
            "module": module_of(lifecycle),
            "reader": Reader(),
            "tried": Counter[str](),
            "path": path,
            "kept": kept,
        },
    )
    machine.TestCase = type(
        f"{lifecycle.name}_case", (_LifecycleCase,), {"machine": machine, "__test__": True}
    )
    return machine


def _read(path: Path, lifecycle: Lifecycle) -> Definition:
    __tracebackhide__ = True
    read = Definition.read(path)
    if (read.name, read.version) != (lifecycle.name, lifecycle.version):
        todo = "compile it again, or give the definition of that version"
        if read.name != lifecycle.name:
            todo = f"the names differ, so give the definition of '{lifecycle.name}'"
        raise ValueError(
            f"{path} defines '{read.name}' {read.version}, and the lifecycle is"
            f" '{lifecycle.name}' {lifecycle.version}: {todo}"
        )
    return read


def _there(given: str | Path, what: str) -> Path:
    """The path of a file that is there. Raises FileNotFoundError, which says where it looked."""
    __tracebackhide__ = True
    path = Path(given)
    if path.exists():
        return path
    problem = f"there is no {what} {path.absolute()}"
    if not path.is_absolute():
        problem += (
            ": a relative path begins at the folder that the tests are run in, and"
            f" `Path(__file__).with_name({path.name!r})` names a file beside the test"
        )
    raise FileNotFoundError(problem)
