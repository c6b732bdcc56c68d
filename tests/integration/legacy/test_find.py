"""Where the files of old jobs are found, and what is never followed or opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from milepost.errors import StoreAbsent
from milepost.legacy.prodigy import Code, FileKind, ItemStatus, Limits, find_jobs, read_home
from tests.integration.legacy.old_homes import (
    JOB,
    REPO,
    MadeItem,
    checkpoint,
    job_events,
    job_state,
    letter,
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

DONE = MadeItem(value="a", status=ItemStatus.DONE)
DEAD = MadeItem(value="b", status=ItemStatus.DEAD)


def codes(home: Path) -> list[Code]:
    found = find_jobs(home)
    about_jobs = [finding for job in found.jobs for finding in job.findings]
    return [finding.code for finding in (*found.findings, *about_jobs)]


def test_every_place_of_every_kind(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]))
    write_state(tmp_path, job_state([DONE], version=2), suffix="tmp", metadata=False)
    write_checkpoint(tmp_path, checkpoint([DONE]))
    write_checkpoint(tmp_path, checkpoint([DONE], number=2), beside_states=True)
    write_checkpoint(tmp_path, checkpoint([DONE], number=3), temporary=True)
    write_reduce(tmp_path, reduce_progress(1, 2))
    write_events(tmp_path, job_events([DONE]))
    write_events(tmp_path, "", name="events-20260301_110000.20260301_115959.jsonl.gz")
    write_events(tmp_path, "{}", name="index.json")
    write_events(tmp_path, job_events([DONE]), resumed=True)
    for depth in ("normal", "shallow", "middle", "resume"):
        write_letter(tmp_path, letter("item_1", DEAD), depth=depth)
    write_lock(tmp_path)
    write_mapping(tmp_path)
    write_archive(tmp_path, [])
    found = find_jobs(tmp_path)
    [job] = found.jobs
    assert (job.repo, job.job_id) == (REPO, JOB)
    assert {kind: len(job.of(kind)) for kind in FileKind} == {
        FileKind.STATE: 1,
        FileKind.STATE_TEMPORARY: 1,
        FileKind.METADATA: 1,
        FileKind.CHECKPOINT: 2,
        FileKind.CHECKPOINT_TEMPORARY: 1,
        FileKind.REDUCE: 1,
        FileKind.EVENTS: 3,
        FileKind.ARCHIVE: 0,
        FileKind.EVENT_INDEX: 1,
        FileKind.DEAD_LETTER: 4,
        FileKind.DEAD_LETTER_INDEX: 4,
        FileKind.MAPPING: 0,
        FileKind.LOCK: 1,
    }
    assert (len(found.archives), len(found.mappings)) == (1, 2)
    files = sum(1 for path in tmp_path.rglob("*") if path.is_file())
    assert files == len(job.files) + 3
    assert {finding.code for finding in found.findings} == {Code.LOCK_IGNORED}


def test_an_empty_home_holds_nothing_and_an_absent_one_is_said(tmp_path: Path) -> None:
    assert list(read_home(tmp_path)) == []
    assert find_jobs(tmp_path).findings == ()
    with pytest.raises(StoreAbsent, match="no such directory"):
        read_home(tmp_path / "absent")


def test_a_project_keeps_what_its_home_could_not(tmp_path: Path) -> None:
    """The same job in the home and in the project is one, and the newer state counts."""
    home, project = tmp_path / "home", tmp_path / REPO
    write_state(home, job_state([MadeItem(value="a")], at=10))
    base = project / ".prodigy" / "mapreduce"
    write_state(home, job_state([DONE], at=20), base=base)
    write_state(home, job_state([DONE], job_id="other"), job_id="other", base=base)
    jobs = {job.job_id: job for job in read_home(home, projects=[project, project, tmp_path])}
    assert {job.repo for job in jobs.values()} == {REPO}
    assert jobs.keys() == {JOB, "other"}
    assert jobs[JOB].source.startswith(str(project))
    assert jobs[JOB].items[0].status is ItemStatus.DONE
    assert Code.PLACE_DUPLICATE in {finding.code for finding in jobs[JOB].report}
    [alone] = [job for job in read_home(project / ".prodigy") if job.job_id == JOB]
    assert alone.repo == REPO
    assert alone.items[0].status is ItemStatus.DONE


def test_two_repos_with_one_id_are_two_jobs(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]), repo="one")
    write_state(tmp_path, job_state([DEAD]), repo="two")
    write_reduce(tmp_path, reduce_progress(1, 2))
    write_archive(tmp_path, job_events([DONE]))
    reading = read_home(tmp_path)
    jobs = {job.repo: job for job in reading}
    assert [job.items[0].value for job in jobs.values()] == ["a", "b"]
    assert not any(job.reduce.started for job in jobs.values())
    ambiguous = [f.path for f in reading.findings if f.code is Code.SHARED_AMBIGUOUS]
    assert len(ambiguous) == 2
    [one] = read_home(tmp_path, repo="two")
    assert one.repo == "two"
    assert list(read_home(tmp_path, job_id="no such job")) == []


@pytest.mark.parametrize("where", ["state", f"state/{REPO}", f"state/{REPO}/mapreduce/jobs/{JOB}"])
def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path, where: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    write_state(outside, job_state([DONE]))
    (home / where).parent.mkdir(parents=True)
    (home / where).symlink_to(outside / where)
    found = find_jobs(home)
    assert found.jobs == ()
    assert [(f.code, f.path) for f in found.findings] == [(Code.LINK_NOT_FOLLOWED, where)]


def test_a_link_to_a_file_outside_is_not_read(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", tmp_path / "secret.json"
    path = write_state(home, job_state([DONE], version=1))
    secret.write_text(path.read_text().replace('"a"', '"secret"'))
    path.with_name("checkpoint-v2.json").symlink_to(secret)
    [job] = read_home(home)
    assert job.items[0].value == "a"
    assert Code.LINK_NOT_FOLLOWED in codes(home)


def test_a_link_within_the_tree_is_followed_and_loops_are_not(tmp_path: Path) -> None:
    write_state(tmp_path, job_state([DONE]), repo="real")
    (tmp_path / "state" / "linked").symlink_to("real")
    (tmp_path / "state" / "loop").symlink_to("loop")
    (tmp_path / "state" / "broken").symlink_to("nowhere")
    (tmp_path / "state" / "real" / "mapreduce" / "jobs" / "up").symlink_to("../..")
    assert [job.repo for job in find_jobs(tmp_path).jobs] == ["linked", "real"]
    assert codes(tmp_path).count(Code.LINK_NOT_FOLLOWED) == 2
    assert codes(tmp_path).count(Code.JOB_ID_SHARED) == 2


def test_a_home_may_itself_be_a_link(tmp_path: Path) -> None:
    write_state(tmp_path / "real", job_state([DONE]))
    (tmp_path / "home").symlink_to("real")
    [job] = read_home(tmp_path / "home")
    assert job.source.startswith("state/")


def test_a_file_swapped_for_a_link_after_it_was_found_is_not_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = write_state(home, job_state([DONE]))
    reading = read_home(home)
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    [job] = reading
    assert job.items == ()
    assert Code.FILE_UNREADABLE in {finding.code for finding in job.report}


@pytest.mark.parametrize("name", [b"\xff\xfe", b"caf\xe9"])
def test_names_that_are_not_utf8_are_said_and_skipped(tmp_path: Path, name: bytes) -> None:
    write_state(tmp_path, job_state([DONE]))
    place = tmp_path / "dlq" / REPO / os.fsdecode(name) / "items"
    place.mkdir(parents=True)
    write(place / "item_0.json", "{}")
    found = find_jobs(tmp_path)
    assert [job.job_id for job in found.jobs] == [JOB]
    [finding] = found.findings
    assert finding.code is Code.NAME_NOT_UTF8
    assert finding.path.isascii()


@pytest.mark.parametrize("job_id", ["..hidden", "a b", "x" * 255, "null", "é\u202ee", "item\n1"])
def test_unusual_ids_are_read_and_said(tmp_path: Path, job_id: str) -> None:
    """An id is what a directory is called; nothing is ever looked up by it."""
    if len(job_id.encode()) > 255:
        job_id = job_id[:255]
    write_state(tmp_path, job_state([DONE], job_id=job_id), job_id=job_id)
    [job] = read_home(tmp_path)
    assert job.job_id == job_id
    assert all(finding.path.isprintable() for finding in job.report)
    unusual = Code.JOB_ID_UNUSUAL in {finding.code for finding in job.report}
    assert unusual == (job_id not in {"x" * 255, "null"})


def test_an_id_inside_a_file_leads_nowhere(tmp_path: Path) -> None:
    """Ids like paths, in every file that names one, open nothing above the tree."""
    home = tmp_path / "home"
    write_state(tmp_path / "outside", job_state([DONE]))
    bad = f"../../../outside/state/{REPO}/mapreduce/jobs/{JOB}"
    write_state(home, job_state([DEAD], job_id=bad))
    write_checkpoint(home, checkpoint([DEAD], job_id=bad))
    path = write_letter(home, letter("item_0", DEAD))
    path.write_text(path.read_text().replace('"item_0"', f'"{bad}"'))
    jobs = {job.job_id: job for job in read_home(home)}
    assert jobs.keys() == {JOB, bad}
    assert {item.value for job in jobs.values() for item in job.items} == {"b"}


def test_checkpoints_of_several_jobs_in_one_directory_go_to_their_jobs(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint([DONE], number=1))
    write_checkpoint(tmp_path, checkpoint([DEAD], job_id="second", number=2))
    jobs = {job.job_id: job for job in read_home(tmp_path)}
    assert {name: job.items[0].value for name, job in jobs.items()} == {JOB: "a", "second": "b"}
    assert Code.ID_DIFFERS in {finding.code for finding in jobs["second"].report}
    assert Code.ID_DIFFERS not in {finding.code for finding in jobs[JOB].report}


def test_the_walk_ends_at_its_limit_and_keeps_what_it_found(tmp_path: Path) -> None:
    for number in range(30):
        write_letter(tmp_path, letter(f"item_{number}", DEAD))
    found = find_jobs(tmp_path, limits=Limits(max_entries=20))
    assert Code.WALK_LIMIT in {finding.code for finding in found.findings}
    assert len([file for job in found.jobs for file in job.of(FileKind.DEAD_LETTER)]) < 30
    whole = find_jobs(tmp_path, limits=Limits(max_entries=500))
    assert whole.findings == ()


def test_finding_opens_no_file(tmp_path: Path) -> None:
    """What is found may be anything, a pipe without a writer too."""
    place = tmp_path / "state" / REPO / "mapreduce" / "jobs" / JOB
    place.mkdir(parents=True)
    os.mkfifo(place / "checkpoint-v1.json")
    [job] = find_jobs(tmp_path).jobs
    assert [file.kind for file in job.files] == [FileKind.STATE]


def test_only_archives_tell_of_a_job_that_was_pruned(tmp_path: Path) -> None:
    write_archive(tmp_path, job_events([DONE, DEAD]))
    [job] = read_home(tmp_path)
    assert (job.repo, job.job_id) == (None, JOB)
    assert [item.status for item in job.items] == [ItemStatus.DONE, ItemStatus.DEAD]
