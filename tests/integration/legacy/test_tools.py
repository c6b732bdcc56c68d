"""Which tool left a folder, and the importers of other packages: any may come in by the door."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from milepost import StateManager, StoreAbsent
from milepost.legacy.importers import guess, tools
from milepost.testing import FakeClock
from tests.integration.legacy.curator.folders import NOW_US, SAMPLE, opened
from tests.integration.legacy.old_homes import MadeItem, job_state, write_state

THIRD = """
from milepost.items.inputs import Item
from milepost.legacy.telling import (
    Named, Notes, ToldAttempt, ToldItem, ToldJob, items_of, moves_of, names_of
)


class Home:
    report = ()

    def __init__(self, folder):
        self.folder = folder
        self.names = names_of(("", each.stem) for each in sorted(folder.glob("*.done")))

    def tell(self, name):
        text = (self.folder / f"{name.old_id}.done").read_text()
        notes = Notes(name.old_id)
        lines = [line.split("=") for line in text.splitlines()]
        items, _ = items_of(((key, key.upper(), True) for key, _ in lines), notes)
        told = []
        for item, (key, result) in zip(items, lines):
            attempts = [ToldAttempt(succeeded=True)] if result else []
            told.append(
                ToldItem(item=item, old_id=key, moves=moves_of(attempts)[0], result=result)
            )
        return ToldJob(
            tool="dones", old_id=name.old_id, source=name.old_id, fingerprint=text,
            notes=notes, items=tuple(told),
        )


class Dones:
    tool = "dones"

    def recognises(self, home):
        return any(home.glob("*.done"))

    def open(self, home):
        return Home(home)


IMPORTER = Dones()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with one that imports from a tool, and one that is broken."""
    packages = tmp_path / "packages"
    info = packages / "dones-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[milepost.importers]\ndones = dones_of_tests:IMPORTER\nbroken = no_such_module:X\n"
    )
    (packages / "dones_of_tests.py").write_text(THIRD)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.delitem(sys.modules, "dones_of_tests", raising=False)
    return packages


def test_the_tool_is_told_by_what_is_in_the_folder(tmp_path: Path) -> None:
    prodigy = tmp_path / "prodigy"
    write_state(prodigy, job_state([MadeItem(value="a")]))
    assert (guess(prodigy), guess(SAMPLE)) == ("prodigy", "curator")
    assert guess(tmp_path) is None
    with opened() as manager:
        assert manager.upkeep.import_jobs(prodigy).tool == "prodigy"
        assert manager.upkeep.import_jobs(SAMPLE).tool == "curator"
        assert manager.upkeep.import_jobs(SAMPLE, tool="prodigy").jobs == ()
        assert manager.upkeep.import_jobs(tmp_path).tool == "prodigy"


def test_a_tool_that_is_none_is_named(tmp_path: Path) -> None:
    with opened() as manager, pytest.raises(StoreAbsent, match=r"curator, prodigy"):
        manager.upkeep.import_jobs(tmp_path, tool="luigi")


def test_a_package_brings_an_importer(installed: Path, tmp_path: Path) -> None:
    """Its jobs are told and imported as ours are, and asked for by name or by what is there."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "nightly.done").write_text("a=1\nb=\nc=3\n")
    assert tools() == ("broken", "curator", "dones", "prodigy")
    with opened() as manager:
        done = manager.upkeep.import_jobs(home, tool="dones", apply=True)
        assert (done.tool, done.whole) == ("dones", True)
        assert dict(manager.results("nightly")) == {"a": "1", "c": "3"}
        assert [*manager.get_state("nightly").keys_in("pending")] == ["b"]
        assert manager.verify("nightly")[0].sound
        again = manager.upkeep.import_jobs(home, tool="dones", apply=True)
        assert [job.outcome for job in again.jobs] == ["already-imported"]


def test_one_that_is_broken_is_named_where_it_is_asked_for(installed: Path, tmp_path: Path) -> None:
    """And nowhere else: what others left is told all the same."""
    with opened() as manager, pytest.raises(StoreAbsent, match="no_such_module:X"):
        manager.upkeep.import_jobs(tmp_path, tool="broken")
    assert guess(SAMPLE) == "curator"


def test_a_job_is_found_in_a_home_of_either_tool(tmp_path: Path) -> None:
    """The manager is given the folder alone."""
    clock = FakeClock(NOW_US)
    write_state(tmp_path, job_state([MadeItem(value="a")]))
    with StateManager.open("memory:", clock=clock, legacy=tmp_path) as manager:
        [name] = [job.job_id for job in manager.upkeep.import_jobs(tmp_path).jobs]
        assert manager.get_state(name).progress.pending == 1
