"""A store on a medium that cannot be written: looked at if it was closed in good order."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from milepost import ItemEvent, StateManager
from milepost.errors import StoreLocked
from milepost.testing import FakeClock
from tests.integration.cli.story import tell
from tests.integration.cli.test_reading import READING
from tests.stores.media import MEDIA, bound_read_only, by_permissions, python

COMMANDS = [
    *READING,
    ("dead", "nightly"),
    ("dead", "nightly", "eu/2"),
    ("requeue", "nightly"),
    ("sizes", "nightly"),
    ("keep", "nightly"),
    ("gc",),
    ("compact", "nightly"),
    ("compact", "--all"),
    ("migrate",),
    ("verify", "--quarantine"),
    ("jobs", "--stuck"),
    ("recover", "--expired"),
]
"""Every command that only looks, or that looks since it was not told to change anything."""

RUN_ALL = """
import json, sys
from click.testing import CliRunner
from milepost.cli import main
from milepost.testing import FakeClock
store, copy, commands = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
told = []
for args in (*commands, ["backup", copy], ["salvage", store, copy + ".salvaged"]):
    clock = FakeClock()
    clock.advance(200)
    result = CliRunner().invoke(main, args, obj=clock, env={"MILEPOST_DB": store})
    told.append([args, result.exit_code, result.output.replace(store, "STORE")])
print(json.dumps(told))
"""

OPEN = """
import sys
from milepost import StateManager
from milepost.errors import StoreError
try:
    with StateManager.open(sys.argv[1], read_only=sys.argv[2] == "reading") as manager:
        print(sorted(manager.job_ids()))
except StoreError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a store that was closed in good order."""
    folder = tmp_path / "source"
    folder.mkdir()
    tell(folder, FakeClock())
    return folder


def all_commands(before: list[str], store: Path, copies: Path) -> list[tuple[list[str], int, str]]:
    copies.mkdir()
    words = json.dumps(COMMANDS)
    told: list[tuple[list[str], int, str]] = json.loads(
        python(before, RUN_ALL, str(store), str(copies / "copy.db"), words)
    )
    return [(args, code, text.replace(str(copies), "COPIES")) for args, code, text in told]


@pytest.mark.parametrize("medium", ["mounted", "permissions"])
def test_every_reading_command_works(tmp_path: Path, source: Path, medium: str) -> None:
    """Each says what it says of the same store on a disk; nothing is made beside the file."""
    shutil.copytree(source, tmp_path / "disk")
    expected = all_commands([], tmp_path / "disk" / "jobs.db", tmp_path / "expected")
    assert {code for _, code, _ in expected} == {0}
    with MEDIA[medium](source, tmp_path / "medium") as before:
        store = tmp_path / "medium" / "jobs.db"
        found = all_commands(before, store, tmp_path / "copies")
        assert [each.name for each in store.parent.iterdir()] == ["jobs.db"]
        assert python(before, OPEN, str(store), "reading").startswith("['nightly'")
        written = python(before, OPEN, str(store), "writing")
    for (args, code, text), (_, _, text_before) in zip(found, expected, strict=True):
        assert (args, code) == (args, 0), text
        if args[0] not in ("backup", "salvage", "migrate", "sizes"):
            assert text.replace(str(tmp_path), "") == text_before.replace(str(tmp_path), "")
    assert written.startswith("StoreReadOnly")
    assert "read_only=True" in written


@pytest.mark.parametrize("medium", ["bound", "permissions"])
@pytest.mark.parametrize("left", ["-wal and -shm", "-wal", "-shm", "-journal", "empty -wal"])
def test_what_is_left_beside_it(tmp_path: Path, source: Path, medium: str, left: str) -> None:
    """Commits in a -wal are read, or the store is refused with advice: never an older answer."""
    database = source / "jobs.db"
    with StateManager.open(database, clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="newest")
        shutil.copytree(source, tmp_path / "crashed")
    crashed = tmp_path / "crashed"
    if left == "empty -wal":
        shutil.copy(database, crashed / "jobs.db")
        (crashed / "jobs.db-wal").write_bytes(b"")
        (crashed / "jobs.db-shm").unlink()
    elif left == "-journal":
        shutil.copy(database, crashed / "jobs.db")
        (crashed / "jobs.db-wal").rename(crashed / "jobs.db-journal")
        (crashed / "jobs.db-shm").unlink()
    elif left in ("-wal", "-shm"):
        (crashed / f"jobs.db{'-shm' if left == '-wal' else '-wal'}").unlink()
    with MEDIA[medium](crashed, tmp_path / "medium") as before:
        told = python(before, OPEN, str(tmp_path / "medium" / "jobs.db"), "reading")
    if left in ("-wal and -shm", "empty -wal"):
        assert "'newest'" in told
    else:
        assert told.startswith("StoreUnreadable")
        assert f"jobs.db{left} is beside it" in told
        assert "copy jobs.db and all that begins with jobs.db- to a disk" in told


def test_a_copy_on_a_disk_is_read(tmp_path: Path, source: Path) -> None:
    """The advice is right: what was in the -wal is there."""
    with StateManager.open(source / "jobs.db", clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="newest")
        shutil.copytree(source, tmp_path / "crashed")
    (tmp_path / "crashed" / "jobs.db-shm").unlink()
    with StateManager.open(tmp_path / "crashed" / "jobs.db", read_only=True) as manager:
        assert "newest" in manager.job_ids()


def test_others_may_write_where_we_are_not(tmp_path: Path, source: Path) -> None:
    """A still file that somebody writes to is looked at anew; what was being read says so."""
    with bound_read_only(source, tmp_path / "medium"):
        reading = StateManager.open(tmp_path / "medium" / "jobs.db", read_only=True)
        jobs = reading.job_ids()

        def look_while_somebody_writes() -> None:
            with reading._store.reading() as reader:
                assert reader.job("newest") is None
                with StateManager.open(source / "jobs.db", clock=FakeClock()) as writing:
                    writing.create_job(["a"], job_id="newest")

        with pytest.raises(StoreLocked, match="somebody began to write"):
            look_while_somebody_writes()
        assert sorted(reading.job_ids()) == sorted([*jobs, "newest"])
        with StateManager.open(source / "jobs.db", clock=FakeClock()) as writing:
            writing.create_job(["a"], job_id="later")
            assert "later" in reading.job_ids()
        reading.close()


def test_a_format_of_before_is_read_as_it_is(tmp_path: Path) -> None:
    """What it lacks stands in for it in memory."""
    folder = tmp_path / "source"
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "format-1.sqlite3", folder / "jobs.db")
    before_bytes = sha256((folder / "jobs.db").read_bytes()).digest()
    with by_permissions(folder, tmp_path / "medium") as before:
        store = tmp_path / "medium" / "jobs.db"
        assert python(before, OPEN, str(store), "reading").startswith("['")
        assert python(before, OPEN, str(store), "writing").startswith("StoreReadOnly")
        assert sha256(store.read_bytes()).digest() == before_bytes


def test_where_it_can_be_written_nothing_is_taken_for_still(tmp_path: Path, source: Path) -> None:
    """The negative control: a reader on a disk sees what is committed while it is open."""
    with StateManager.open(source / "jobs.db", read_only=True) as reading:
        reading.job_ids()
        with StateManager.open(source / "jobs.db", clock=FakeClock()) as writing:
            writing.create_job(["a"], job_id="newest")
            writing.fire("newest", "start_map")
            writing.record("newest", [ItemEvent("a", "start")])
            assert reading.get_state("newest").progress.running == 1
