"""Every code of a report: a home that brings it about, and a home that brings about none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from milepost.legacy.prodigy import Code, Finding, ItemStatus, Limits, Severity, read_home
from tests.integration.legacy.old_homes import (
    JOB,
    REPO,
    MadeItem,
    checkpoint,
    event,
    job_events,
    job_state,
    letter,
    lines_of,
    reduce_progress,
    write,
    write_archive,
    write_checkpoint,
    write_events,
    write_letter,
    write_lock,
    write_mapping,
    write_reduce,
    write_state,
)

PENDING = MadeItem(value="a")
DONE = MadeItem(value="b", status=ItemStatus.DONE)
FAILED = MadeItem(value="c", status=ItemStatus.FAILED, attempts=2)
DEAD = MadeItem(value="d", status=ItemStatus.DEAD, attempts=3)
ALL = [PENDING, DONE, FAILED, DEAD]

Case: TypeAlias = Callable[[Path, pytest.MonkeyPatch], Limits | None]

CASES: dict[Code, Case] = {}


def findings_of(home: Path, limits: Limits | None = None) -> list[Finding]:
    reading = read_home(home, limits=limits)
    return [*reading.findings, *(finding for job in reading for finding in job.report)]


def brings(code: Code) -> Callable[[Case], None]:
    def keep(make: Case) -> None:
        assert code not in CASES
        CASES[code] = make

    return keep


@pytest.mark.parametrize("code", Code)
def test_each_code_is_brought_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Code
) -> None:
    limits = CASES[code](tmp_path, monkeypatch)
    found = [finding for finding in findings_of(tmp_path, limits) if finding.code is code]
    assert found
    for finding in found:
        assert finding.message
        assert not finding.path.startswith("/")
        assert str(finding).isprintable()


def test_a_home_in_order_brings_about_only_what_was_chosen(tmp_path: Path) -> None:
    """The control: what a test above finds is there because of its one fault."""
    write_state(tmp_path, job_state(ALL, version=2))
    write_events(tmp_path, job_events(ALL))
    write_letter(tmp_path, letter("item_3", DEAD))
    write_mapping(tmp_path)
    found = findings_of(tmp_path)
    assert {finding.code for finding in found} == {Code.CHOSEN}
    assert {finding.severity for finding in found} == {Severity.NOTE}


@brings(Code.LINK_NOT_FOLLOWED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    outside = home.parent / "outside"
    write_state(outside, job_state(ALL))
    (home / "state").symlink_to(outside / "state")


@brings(Code.NAME_NOT_UTF8)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    (home / "state" / REPO / "mapreduce" / "jobs" / os.fsdecode(b"\xff\xfe")).mkdir(parents=True)


@brings(Code.NOT_LISTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL))
    listed = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path).name == "jobs":
            raise PermissionError(13, "Permission denied")  # whoever is root is refused nothing
        return listed(path)

    patch.setattr(os, "scandir", refuse)


@brings(Code.WALK_LIMIT)
def _(home: Path, patch: pytest.MonkeyPatch) -> Limits:
    for number in range(9):
        write_letter(home, letter(f"item_{number}", DEAD))
    return Limits(max_entries=8)


@brings(Code.JOB_ID_UNUSUAL)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, job_id="a job\n"), job_id="a job\n")


@brings(Code.JOB_ID_SHARED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL), repo="one")
    write_state(home, job_state(ALL), repo="two")


@brings(Code.PLACE_DUPLICATE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_letter(home, letter("item_3", DEAD), depth="normal")
    write_letter(home, letter("item_3", DEAD), depth="resume")


@brings(Code.SHARED_AMBIGUOUS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    CASES[Code.JOB_ID_SHARED](home, patch)
    write_reduce(home, reduce_progress(1, 2))


@brings(Code.LOCK_IGNORED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_lock(home)


@brings(Code.OTHER_FORMAT)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home / "sessions" / "s.json", "{}")


@brings(Code.FILE_UNKNOWN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL)).with_name("notes.txt").write_text("mine")


@brings(Code.FILE_UNREADABLE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    path = write_state(home, job_state(ALL))
    path.unlink()
    os.mkfifo(path)


@brings(Code.FILE_TOO_LARGE)
def _(home: Path, patch: pytest.MonkeyPatch) -> Limits:
    write_state(home, job_state(ALL))
    return Limits(max_file_bytes=100)


@brings(Code.BYTES_DAMAGED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    path = write_checkpoint(home, checkpoint(ALL))
    path.write_bytes(path.read_bytes()[:-9])


@brings(Code.SHAPE_INVALID)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, started_at="yesterday"))


@brings(Code.PACKAGE_MISSING)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_checkpoint(home, checkpoint(ALL), packing="lz4")
    patch.setitem(sys.modules, "lz4", None)


@brings(Code.ENCODING_MISNAMED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, job_events(ALL), name="events-20260301_120000.20260302_000000.jsonl.gz")


@brings(Code.VERSION_NEWER)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, checkpoint_format_version=2))


@brings(Code.ID_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, job_id="mapreduce-2"))


@brings(Code.LINES_SKIPPED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, lines_of(job_events(ALL))[:-30])


@brings(Code.EVENTS_FOREIGN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, job_events(ALL, job_id="mapreduce-2"))


@brings(Code.EVENTS_UNKNOWN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, [event("agent_dreamt", 1, 1, job_id=JOB)])


@brings(Code.EVENTS_UNLINKED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    failed = {"agent_id": "a", "error": "no", "retry_eligible": False}
    write_events(home, [event("agent_failed", 1, 1, job_id=JOB, **failed)])


@brings(Code.EVENTS_REPEATED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, job_events(ALL))
    write_archive(home, job_events(ALL))


@brings(Code.CHOSEN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL))


@brings(Code.FELL_BACK)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, version=1))
    write_state(home, job_state(ALL, version=2)).write_text("{")


@brings(Code.TEMPORARY_USED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, version=1))
    write_state(home, job_state(ALL, version=2), suffix="tmp", metadata=False)


@brings(Code.METADATA_ABSENT)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL), metadata=False)


@brings(Code.METADATA_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state(ALL, version=1))
    write_state(home, job_state(ALL, version=2), metadata=False)


@brings(Code.HASH_MATCHED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_checkpoint(home, checkpoint(ALL))


@brings(Code.HASH_ABSENT)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_checkpoint(home, checkpoint(ALL, variant=None))


@brings(Code.HASH_MISMATCH)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    document = checkpoint(ALL)
    document["metadata"]["integrity_hash"] = "0" * 64
    write_checkpoint(home, document)


@brings(Code.INCONSISTENT)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    document = checkpoint(ALL)
    document["execution_state"]["current_phase"] = "Setup"
    write_checkpoint(home, document)


@brings(Code.SUCCESS_WINS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([DONE]))
    write_letter(home, letter("item_0", DONE))


@brings(Code.VALUE_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([DONE]))
    write_letter(home, letter("item_0", DEAD))


@brings(Code.VALUE_UNKNOWN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_events(home, job_events(ALL))


@brings(Code.RESULT_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([DONE]))
    other = MadeItem(value="b", status=ItemStatus.DONE, output="other")
    write_checkpoint(home, checkpoint([other]))


@brings(Code.ITEM_UNLISTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([DONE]))
    write_letter(home, letter("item_7", DEAD))


@brings(Code.ITEM_DUPLICATE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    document = checkpoint([PENDING])
    lists = document["work_item_state"]
    lists["pending_items"] *= 2
    write_checkpoint(home, document)


@brings(Code.ITEMS_MISSING)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    document = checkpoint([PENDING, DONE])
    document["work_item_state"]["pending_items"] = []
    write_checkpoint(home, document)


@brings(Code.STATUS_UNKNOWN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    state = job_state([DONE])
    state["agent_results"]["item_0"]["status"] = "Hibernating"
    write_state(home, state)


@brings(Code.PENDING_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([PENDING], pending_items=[]))


@brings(Code.COUNTS_DIFFER)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_state(home, job_state([DONE], failed_count=1))


@brings(Code.PARTIAL_SOURCE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write_letter(home, letter("item_3", DEAD))


def test_an_object_with_a_key_twice_is_refused_by_file_and_key(tmp_path: Path) -> None:
    """The whole state, since it is one object; of events the line."""
    write_events(tmp_path, lines_of(job_events(ALL)).replace("{", '{"id": "x", ', 1))
    state = write_state(tmp_path, job_state(ALL))
    write(state, state.read_text().replace("{", '{"job_id": "y", ', 1))
    found = {line.code: line for line in findings_of(tmp_path)}
    assert "has an object with the key 'job_id' twice" in found[Code.SHAPE_INVALID].message
    assert "line 1 has an object with the key 'id' twice" in found[Code.LINES_SKIPPED].message
