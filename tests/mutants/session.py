"""A run of pytest that collects the tests once, and then tries mutants, each in a process forked
from it: no file is touched, and nothing is left of one for the next.

A change within a function is put into the function object that everybody has imported; a change
of what a module does on import needs a fresh process, where a loader compiles it (`loading`).
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from time import process_time
from types import FrameType, FunctionType
from typing import Any, Final

import pytest

from tests.mutants.changes import Mutant, code_of, mutants

__all__ = ["Baseline", "Outcome", "Session", "every_mutant", "file_of", "repeatable"]

ROOT: Final = Path(__file__).parents[2]
_LEAST_S: Final = 5
_SLOWER: Final = 8
"""A mutant has so many times as long as its tests took without it, at least `_LEAST_S`."""
_MOST_S: Final = 2
"""Tests are chosen for a mutant up to so many seconds, those that are fast first."""
_MEMORY_BYTES: Final = 4 << 30


def repeatable() -> None:
    """Have hypothesis draw the same examples each time, few of them, and not make them smaller."""
    from hypothesis import HealthCheck, Phase, settings  # pytest wants to be there first

    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=25,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: `killed` by a test, or by its time (`timeout`), or not."""

    name: str
    killed: bool
    by: str
    tried: int


@dataclass
class Baseline:
    """What the tests did without any change."""

    seconds: dict[str, float] = field(default_factory=dict)
    ran: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    """The lines of each file that a test ran."""
    failed: list[str] = field(default_factory=list)

    def of(self, mutant: Mutant, file: str, among: tuple[str, ...]) -> list[str]:
        """The tests in those files and folders that run a mutant's statement, fast ones first."""
        found = [test for test in self.ran if test.startswith(among)]
        if mutant.function:  # else it is met on import, by all of them
            lines = set(mutant.lines)
            found = [test for test in found if lines & self.ran[test].get(file, set())]
        chosen: list[str] = []
        left_s = float(_MOST_S)
        for test in sorted(found, key=lambda test: (self.seconds[test], test)):
            left_s -= self.seconds[test]
            if chosen and left_s < 0:
                break
            chosen.append(test)
        return chosen


def file_of(module: str) -> str:
    """The path of a module's source, as its code has it."""
    file = import_module(module).__file__
    assert file is not None
    return file


def every_mutant(module: str) -> list[Mutant]:
    """The mutants of a module."""
    file = file_of(module)
    return list(mutants(module, Path(file).read_text(encoding="utf-8"), file))


class Session:
    """The plugin: `work` is called once the tests were collected, and nothing else is run."""

    def __init__(self, work: Callable[[Session], int]) -> None:
        self._work = work
        self.items: dict[str, pytest.Item] = {}
        self._failed: str | None = None
        self._functions: dict[tuple[str, str], list[FunctionType]] = {}
        self._place = Path()

    def pytest_configure(self) -> None:
        """Before the tests are imported, which keep what holds then."""
        repeatable()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In the place of running the tests."""
        with_servers = {"postgres", "crashing"}
        for item in session.items:
            if not with_servers.intersection(getattr(item, "fixturenames", ())):
                self.items[item.nodeid] = item
        config: Any = session.config
        self._place = config._tmp_path_factory.getbasetemp()
        session.testsfailed = self._work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first failure."""
        if report.failed and self._failed is None:
            self._failed = report.nodeid

    def index(self, modules: Iterable[str]) -> None:
        """Note the function objects of modules, into which changes are put; once."""
        gc.collect()
        files = {file_of(module) for module in modules}
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_filename in files:
                key = each.__code__.co_filename, each.__code__.co_qualname
                self._functions.setdefault(key, []).append(each)
        gc.freeze()  # forks share what there is

    def baseline(self, modules: Sequence[str]) -> Baseline:
        """Run every test without any change, in a process of its own."""
        files = frozenset(file_of(module) for module in modules)
        told = self._forked(lambda: self._measured(files), limit_s=3600)
        if told is None:
            raise RuntimeError("the tests did not end without any change")
        return pickle.loads(told)

    def attempt(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> Outcome:
        """Try the tests with one change, up to the first that fails."""
        limit_s = int(max(_LEAST_S, _SLOWER * seconds))
        if not tests:
            return Outcome(mutant.name, killed=False, by="", tried=0)
        if not mutant.function:
            return _afresh(mutant, tests, limit_s + _LEAST_S)
        told = self._forked(lambda: self._changed(mutant, tests), limit_s=limit_s)
        by = "its time" if told is None else told.decode()
        return Outcome(mutant.name, bool(by), by, len(tests))

    def _changed(self, mutant: Mutant, tests: Sequence[str]) -> bytes:
        try:
            code = code_of(mutant.compiled(), mutant.function)
        except SyntaxError:
            return b"the compiler"
        for each in self._functions.get((code.co_filename, mutant.function), ()):
            try:
                each.__code__ = code
            except ValueError:  # it closes over other variables
                return b"the compiler"
        return self.run(tests).encode()

    def run(self, tests: Sequence[str]) -> str:
        """The first of the tests that fails, `""` if none does."""
        for _ in self._each([self.items[test] for test in tests]):
            if self._failed is not None:
                return self._failed
        return ""

    def _each(self, chosen: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
        """Run each, which is then given."""
        for item, following in zip_longest(chosen, chosen[1:]):
            self._failed = None
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            yield item

    def _measured(self, files: frozenset[str]) -> bytes:
        told = Baseline()
        ran: dict[str, set[int]] = {}

        def line(frame: FrameType, event: str, _: object) -> Any:
            ran.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
            return line

        def call(frame: FrameType, event: str, _: object) -> Any:
            return line(frame, event, None) if frame.f_code.co_filename in files else None

        threading.settrace(call)
        sys.settrace(call)
        began = process_time()
        for item in self._each(list(self.items.values())):
            told.seconds[item.nodeid] = process_time() - began
            told.ran[item.nodeid] = ran
            if self._failed is not None:
                told.failed.append(item.nodeid)
            ran = {}
            began = process_time()
        return pickle.dumps(told)

    def _forked(self, act: Callable[[], bytes], *, limit_s: int) -> bytes | None:
        """What `act` gives in a process of its own; None if it died or took too long."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            with _limited(limit_s), _silent(), os.fdopen(writing, "wb") as out:
                os.close(reading)
                try:
                    told = act()
                except (KeyboardInterrupt, SystemExit, pytest.exit.Exception):
                    told = b"an exit"
                out.write(told)
                out.flush()
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            told = answers.read()
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        for left in self._place.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        if os.waitstatus_to_exitcode(status) > 0:
            raise RuntimeError("a fault of this tool, or of a test that cannot be run")
        return told if status == 0 else None


@contextlib.contextmanager
def _limited(limit_s: int) -> Iterator[None]:
    """A process that ends when it took too long, and says nothing of a crash that was asked for."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(4 * limit_s)  # one that waits for ever uses no processor
    try:
        yield
    finally:
        os._exit(1)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    yield


def _afresh(mutant: Mutant, tests: Sequence[str], limit_s: int) -> Outcome:
    """Try a change that is met on import: another interpreter, with a loader for that module."""
    with tempfile.TemporaryDirectory() as place:
        asked = [sys.executable, "-m", "tests.mutants.loading", mutant.name, place, *tests]
        try:
            ended = subprocess.run(
                asked, cwd=ROOT, capture_output=True, text=True, timeout=4 * limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(mutant.name, killed=True, by="its time", tried=len(tests))
    by = ended.stdout.strip().rpartition("\n")[2]
    return Outcome(mutant.name, ended.returncode != 0, by if ended.returncode else "", len(tests))
