"""The suites that others are given object to what is broken, and call all that is promised."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from milepost.stores.protocol import Reader, StateStore, Writer

from . import (
    broken_engines,
    broken_executors,
    broken_moments,
    broken_stores,
    broken_values,
    passing,
)
from .counted import CALLED


def told(folder: Path, *tried: str, **environment: str) -> dict[tuple[str, str], str]:
    """What pytest says of each test, "" if it passed: in a process of its own, as others run it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("--junitxml", folder / "told.xml", *tried),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )
    found = {}
    for case in ET.parse(folder / "told.xml").iter("testcase"):
        kind = case.get("classname", "").rpartition(".")[2]
        failed = [each.get("message", "") for each in case if each.tag in ("failure", "error")]
        found[kind, case.get("name", "")] = "\n".join(failed)
    return found


@pytest.mark.control("store contract")
def test_the_suite_objects_to_broken_stores(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """And to nothing else. It says what there was, though it stands in a package."""
    modules = (broken_stores, broken_values, broken_moments)
    count = sum(_objected(tmp_path, each, each.OBJECTIONS, passing.TestPassing) for each in modules)
    record_property("counted", ("store contract", {"faults put in and found": count}))


@pytest.mark.control("executor contract")
def test_the_suite_objects_to_broken_executors(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Loops of somebody's own, and engines of `run`."""
    loops, engines = broken_executors, broken_engines
    count = _objected(tmp_path, loops, loops.LOOPS, loops.TestLoop)
    count += _objected(tmp_path, engines, engines.ENGINES, engines.TestEngine)
    record_property("counted", ("executor contract", {"faults put in and found": count}))


def test_a_store_that_is_not_shared_needs_no_url(tmp_path: Path) -> None:
    """What needs another opener is skipped, and asks for nothing before."""
    file = Path(inspect.getfile(passing.TestPassing))
    found = told(tmp_path, f"{file}::TestPassing", "-k", "killed or openers or shared or closing")
    assert len(found) > 4
    assert {each: said for each, said in found.items() if said} == {}


def _objected(folder: Path, module: ModuleType, objections: Mapping[str, str], sound: type) -> int:
    """How many faults of `module` were found, which are all that there are beside what is sound."""
    broken, fine = set(objections.items()), {(sound.__name__, each) for each in objections.values()}
    where = f"{module.__file__}::", f"{inspect.getfile(sound)}::"
    found = told(
        folder,
        *(f"{where[0]}{kind}::{test}" for kind, test in broken),
        *(f"{where[1]}{kind}::{test}" for kind, test in fine),
    )
    assert found.keys() == broken | fine
    assert {each: found[each] for each in fine if found[each]} == {}
    silent = {kind for kind, test in broken if not found[kind, test]}
    assert silent == set(), "nothing is objected to"
    bare = {each: found[each] for each in broken if not _says_what_there_was(found[each])}
    assert bare == {}
    return len(broken)


def _says_what_there_was(message: str) -> bool:
    """Whether an assert shows the values, or nobody raised or did what was waited for."""
    return message.startswith(
        ("AssertionError: ", "assert ", "Failed: DID NOT RAISE", "Failed: test_")
    )


def test_each_method_of_the_protocol_is_called(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """By the suite itself, and not only by the managers that it tries on a store."""
    file = Path(__file__).parent / "counted.py"
    called = tmp_path / "called"
    found = told(tmp_path, str(file), **{CALLED: str(called)})
    assert {each: said for each, said in found.items() if said} == {}
    promised = {f"Writer.{name}" for name in _names(Writer) - _names(Reader)}
    promised |= {
        f"{kind.__name__}.{name}" for kind in (Reader, StateStore) for name in _names(kind)
    }
    assert len(promised) > 60
    met = set(called.read_text(encoding="utf-8").split())
    assert promised - met == set()
    record_property("counted", ("store contract", {"methods of the protocol": len(promised)}))


def _names(protocol: type) -> set[str]:
    """What a protocol promises: methods and properties."""
    return {name for name, _ in inspect.getmembers_static(protocol) if not name.startswith("_")}


def test_who_waits_for_whom_is_told(tmp_path: Path) -> None:
    """With the test, the lines of the suite, and what to give it to wait longer."""
    reader, writer = r"a reader at moments\.py:\d+", r"a writer at moments\.py:\d+"
    told_of = {
        (
            broken_moments,
            "TestWritersWaitForReaders",
            "test_all_that_a_reader_says_is_of_one_moment",
        ): (rf"{reader} is at work; {writer} waits to begin"),
        (broken_moments, "TestReadersWaitForWriters", "test_a_mark_that_lies_is_met_by_the_log"): (
            r"a writer at managers\.py:\d+ is at work; a reader at managers\.py:\d+ waits to begin"
        ),
        (broken_engines, "TestNeverAnswers", "test_two_jobs_with_the_same_items_share_no_call"): (
            r"no call was made for 0\.5 s\. It is at contract\.py:\d+\."
        ),
    }
    found = told(tmp_path, *(f"{of.__file__}::{kind}::{test}" for of, kind, test in told_of))
    for (_, kind, test), wanted in told_of.items():
        said = found[kind, test]
        assert said.startswith(f"Failed: {test} waits for what does not come: "), said
        assert re.search(wanted, said), said
        assert "patience_s" in said


MISTAKEN = """
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from milepost.testing.contracts import EngineContract, ExecutorContract


class TestGivesAnExecutor(ExecutorContract):
    @pytest.fixture
    def work(self):
        return ThreadPoolExecutor(2)


class TestGivesWhatMakesOne(ExecutorContract):
    @pytest.fixture
    def work(self):
        return partial(ThreadPoolExecutor, 2)


class TestHasAnExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self):
        return ThreadPoolExecutor(2)


class TestGivesALoop(EngineContract):
    @pytest.fixture
    def executor(self):
        return lambda manager, job_id, function: None


class TestHasWork(EngineContract):
    @pytest.fixture
    def work(self):
        return lambda manager, job_id, function: None
"""


def test_who_takes_one_suite_of_executors_for_the_other_is_told(tmp_path: Path) -> None:
    """By each test, with the name of the suite that is meant."""
    file = tmp_path / "test_mistaken.py"
    file.write_text(MISTAKEN, encoding="utf-8")
    found = told(tmp_path, str(file), "-k", "each_item_is_called_once")
    meant = {kind: said for (kind, _), said in found.items()}
    for kind in ("TestGivesAnExecutor", "TestGivesWhatMakesOne", "TestHasAnExecutor"):
        assert "EngineContract" in meant.pop(kind), kind
    for kind in ("TestGivesALoop", "TestHasWork"):
        assert "ExecutorContract" in meant.pop(kind), kind
    assert meant == {}
