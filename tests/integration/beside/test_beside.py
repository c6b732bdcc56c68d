"""Large results beside the log: written by the worker, read as any other, deleted with the job."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest

from milepost import (
    ItemEvent,
    PayloadInvalid,
    RecordConflict,
    RetentionPolicy,
    RoleAbsent,
    StateManager,
    Stored,
    StoredResultAbsent,
    StoredResultDamaged,
)
from milepost.errors import ArgumentInvalid, CodecAbsent
from milepost.executors import Beside, WorkItem, run, run_async
from milepost.lifecycles import mapreduce_v1
from milepost.state.keeping import collecting, objects
from milepost.tables import table
from milepost.worker.places import place_at
from tests.contract.lifecycles.compiling import at_once
from tests.integration.beside.conftest import WITH_ROLE, Opened
from tests.integration.test_payload_codec import Masked

LARGE = 5_000
NOW = RetentionPolicy(
    completed=timedelta(0), failed=timedelta(0), cancelled=timedelta(0), tombstones=None
)


def grow(item: WorkItem) -> dict[str, Any]:
    """A result whose size is the item's value."""
    return {"key": item.key, "text": "é" * (item.value // 2)}


async def grow_later(item: WorkItem) -> dict[str, Any]:
    return grow(item)


def expected(manager: StateManager, job: str = "j") -> dict[str, Any]:
    inputs = manager.get_state(job).inputs
    return {
        inputs.key(n): grow(WorkItem(key=inputs.key(n), value=inputs.value(n)))
        for n in range(inputs.count)
    }


def worked(manager: StateManager, base: Path, sizes: list[int], job: str = "j", **more: Any) -> Any:
    """A job whose results are kept at `base` where they take more than 1,024 bytes."""
    manager.create_job(sizes, job_id=job, config={"has_reduce": False})
    more = {"executor": ThreadPoolExecutor, **more}
    return run(manager, job, grow, beside=Beside(base, above_bytes=1_024), **more)


def kept(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if path.is_file())


def references(manager: StateManager, job: str = "j") -> list[Stored | None]:
    return [one.stored for one in manager.recorded_results(job, fetch=False)]


def collected(manager: StateManager) -> collecting.Collected:
    return manager.collect(manager.plan_retention(NOW), rest=lambda: None)


def test_large_results_are_kept_beside_and_read_like_others(
    manager: StateManager, base: Path
) -> None:
    outcome = worked(manager, base, [10, LARGE, 20, LARGE + 1])
    assert outcome.state.phase == "completed"
    assert dict(manager.results("j")) == expected(manager)
    assert dict(manager.results("j", order="recorded")) == expected(manager)
    keys = list(expected(manager))
    assert manager.result_of("j", keys[1]) == expected(manager)[keys[1]]
    found = references(manager)
    assert [stored is not None for stored in found] == [False, True, False, True]
    for stored in filter(None, found):
        path = Path(stored.uri.removeprefix("file://"))
        assert stored.size_bytes == path.stat().st_size > LARGE
        assert stored.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    assert len(kept(base)) == 2


def test_what_the_log_takes_is_small(manager: StateManager, base: Path, tmp_path: Path) -> None:
    worked(manager, base, [200_000 + n for n in range(5)])
    assert manager.sizes("j").stored.bodies_bytes < 5_000
    assert sum(path.stat().st_size for path in kept(base)) > 1_000_000


def test_processes_and_coroutines(opened: Opened, base: Path) -> None:
    manager = opened()
    spawned = ProcessPoolExecutor(1, mp_context=get_context("forkserver"))
    with spawned:
        worked(manager, base, [LARGE, 4], executor=spawned)
    assert dict(manager.results("j")) == expected(manager)
    assert len(kept(base)) == 1


@pytest.mark.parametrize("phase", ["stream", "table"])
def test_the_streams_of_a_reduce_and_of_a_table_have_the_values(
    manager: StateManager, base: Path, phase: str
) -> None:
    manager.create_job([LARGE, 3], job_id="j")
    seen: list[Any] = []

    def reduce(results: Any) -> int:
        seen.extend(value for _, value in results)
        return len(seen)

    run(
        manager,
        "j",
        grow,
        reduce,
        executor=ThreadPoolExecutor,
        beside=Beside(base, above_bytes=1_024),
    )
    values = list(expected(manager).values())
    assert seen == values
    texts = [json.loads(row.values[4]) for row in table(manager, "j").rows()]
    assert texts == values


def test_a_result_of_the_shape_of_a_reference_is_a_result(
    manager: StateManager, base: Path
) -> None:
    """However a function's own JSON looks, it is never followed."""
    worked(manager, base, [LARGE])
    reference = msgspec.to_builtins(references(manager)[0])
    manager.create_job(["a"], job_id="own")
    manager.fire("own", "start_map")
    manager.record("own", [ItemEvent(0, "start")])
    for shape in ({"stored": reference, "result": None},):
        manager.record("own", [ItemEvent(0, "succeed", {"result": shape})])
        assert manager.result_of("own", 0) == shape
    assert references(manager, "own") == [None]


def test_the_same_again_is_no_conflict_and_another_is(manager: StateManager, base: Path) -> None:
    """Whether it is beside the log or in it; and without reading what is beside it."""
    worked(manager, base, [LARGE])
    reference = msgspec.to_builtins(references(manager)[0])
    value = manager.result_of("j", 0)
    for path in kept(base):
        path.unlink()
    seq = manager.get_state("j").seq
    again = {"result": None, "stored": reference}
    manager.record("j", [ItemEvent(0, "succeed", again)], operator=True)
    backwards = dict(reversed(value.items()))
    manager.record("j", [ItemEvent(0, "succeed", {"result": backwards})], operator=True)
    assert manager.get_state("j").seq == seq
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent(0, "succeed", {"result": {}})], operator=True)
    other = {**again, "stored": {**reference, "digest": "00" * 16}}
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent(0, "succeed", other)], operator=True)


def test_what_says_nowhere_is_refused(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE])
    reference = msgspec.to_builtins(references(manager)[0])
    manager.create_job(["a"], job_id="own")
    manager.fire("own", "start_map")
    manager.record("own", [ItemEvent(0, "start")])
    name = reference["uri"].rpartition("/")[2]
    for wrong in (
        {},
        "file:///etc/passwd",
        {**reference, "uri": "file:///etc/passwd"},
        {**reference, "uri": f"file:///a/../b/{name}"},
        {**reference, "uri": f"http://example.org/{name}"},
        {**reference, "uri": f"s3://user:secret@bucket/{name}"},
        {**reference, "sha256": "0" * 64},
    ):
        with pytest.raises(PayloadInvalid, match="says where a result is kept") as caught:
            manager.record("own", [ItemEvent(0, "succeed", {"result": None, "stored": wrong})])
        assert "secret" not in str(caught.value)
    both = {"result": 1, "stored": reference}
    with pytest.raises(PayloadInvalid, match="is null where"):
        manager.record("own", [ItemEvent(0, "succeed", both)])


def test_who_has_not_the_tables_reads_them_too(base: Path, tmp_path: Path) -> None:
    """By what the store tells of the lifecycle."""
    alone = at_once(WITH_ROLE.replace("lifecycle: mapreduce\n", "lifecycle: alone\n", 1))
    path = tmp_path / "alone.db"
    with StateManager.open(path, lifecycle=alone) as first:
        worked(first, base, [LARGE, 1])
        values = expected(first)
    with StateManager.open(path) as second:
        assert dict(second.results("j")) == values


def test_in_an_event_loop(manager: StateManager, base: Path) -> None:
    manager.create_job([LARGE, 3], job_id="j", config={"has_reduce": False})
    beside = Beside(base, above_bytes=1_024)
    outcome = asyncio.run(run_async(manager, "j", grow_later, beside=beside))
    assert outcome.state.phase == "completed"
    assert dict(manager.results("j")) == expected(manager)
    assert len(kept(base)) == 1


def test_damage_and_absence_are_told_with_uri_and_item(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE, LARGE + 2])
    one, other = kept(base)
    one.write_bytes(one.read_bytes()[:-1])
    other.write_bytes(b"x" + other.read_bytes()[1:])
    for key in expected(manager):
        with pytest.raises(StoredResultDamaged, match=key) as caught:
            manager.result_of("j", key)
        assert caught.value.uri.startswith("file://")
        assert caught.value.item == key
    with pytest.raises(StoredResultDamaged):
        list(manager.results("j"))
    one.unlink()
    other.unlink()
    with pytest.raises(StoredResultAbsent, match="there is nothing of that name"):
        list(manager.results("j"))
    with pytest.raises(StoredResultAbsent):
        list(manager.recorded_results("j"))
    assert len(references(manager)) == 2


def test_what_passes_through_a_codec_does_so_beside_the_log_too(opened: Opened, base: Path) -> None:
    manager = opened(payload_codec=Masked())
    worked(manager, base, [LARGE])
    (path,) = kept(base)
    assert b"text" not in path.read_bytes()
    assert dict(manager.results("j")) == expected(manager)
    value = manager.result_of("j", 0)
    manager.record("j", [ItemEvent(0, "succeed", {"result": value})], operator=True)
    with pytest.raises(RecordConflict):
        manager.record("j", [ItemEvent(0, "succeed", {"result": 1})], operator=True)
    with pytest.raises(CodecAbsent):
        list(opened().results("j"))


def test_a_result_that_cannot_be_put_there_stays_in_the_log(
    manager: StateManager, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was paid for: a full disk or a storage that does not answer costs no second call."""
    base.write_text("no folder")
    with caplog.at_level(logging.WARNING, logger="milepost.executors"):
        outcome = worked(manager, base, [LARGE])
    assert outcome.state.phase == "completed"
    assert references(manager) == [None]
    assert dict(manager.results("j")) == expected(manager)
    assert "kept in the log instead" in caplog.text


def test_no_place_in_the_lifecycle_is_told_before_anything_begins(
    opened: Opened, base: Path
) -> None:
    manager = opened(lifecycle=mapreduce_v1.LIFECYCLE)
    with pytest.raises(RoleAbsent, match="stored"):
        worked(manager, base, [LARGE])
    assert manager.get_state("j").seq == 1
    assert not base.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "s3://key:hidden@bucket/x",
        "s3://hidden@bucket/x",
        "s3://bucket/x?token=hidden",
        "s3://bucket/x#hidden",
        "s3:///x",
        "s3://bucket/a/../b",
        "s3://bucket/a/%2e%2e/b",
        "file://elsewhere/x",
        "",
        "a\0b",
        "a\ud800",
        "file:///a\ud800",
        "s3://key:hidden@[x",
        "s3://key:hidden@b\u2100/x",  # whose name would hold a slash, once it is normal
        "x" * 5_000,
        Path("a\ud800"),
        b"x",
        3,
    ],
    ids=repr,
)
def test_urls_that_are_no_place_or_tell_a_secret_are_refused(url: Any) -> None:
    with pytest.raises(ArgumentInvalid) as caught:
        Beside(url)
    assert "hidden" not in str(caught.value)


def test_the_job_takes_with_it_what_it_kept(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE, 1])
    worked(manager, base, [LARGE], job="other")
    manager.keep("other", for_=None)
    strange = base / "strange.txt"
    strange.write_text("not ours")
    mine = Path(references(manager)[0].uri.removeprefix("file://"))  # type: ignore[union-attr]
    beside = mine.parent / "notes.txt"
    beside.write_text("not ours")
    done = collected(manager)
    assert (done.deleted, done.objects) == (("j",), 1)
    assert not mine.exists()
    assert beside.read_text() == strange.read_text() == "not ours"
    assert dict(manager.results("other")) == expected(manager, "other")


def test_a_fork_keeps_what_it_shares(manager: StateManager, base: Path) -> None:
    """Whichever goes first; and what the fork itself kept goes with it."""
    worked(manager, base, [LARGE, LARGE + 2])
    seq = manager.get_state("j").seq
    manager.fork("j", seq, "f")
    manager.fork("f", seq, "g")
    manager.keep("f", for_=None)
    manager.keep("g", for_=None)
    values = expected(manager)
    assert collected(manager).objects == 0
    assert dict(manager.results("f")) == values
    manager.keep_by_policy("f")
    assert collected(manager).deleted == ("f",)
    assert dict(manager.results("g")) == values
    manager.keep_by_policy("g")
    assert collected(manager).objects == 2
    assert kept(base) == []


def test_a_new_job_of_the_same_id_has_a_folder_of_its_own(
    manager: StateManager, base: Path
) -> None:
    worked(manager, base, [LARGE])
    first = references(manager)[0]
    collected(manager)
    worked(manager, base, [LARGE, 2])
    second = references(manager)[0]
    assert first is not None
    assert second is not None
    assert first.uri.rpartition("/")[0] != second.uri.rpartition("/")[0]


def test_a_collector_that_dies_leaves_nothing_behind_for_good(
    manager: StateManager, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once the job is buried, before what it kept is taken away, and amid that."""
    worked(manager, base, [LARGE, LARGE + 2])
    names = kept(base)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "clear_folders", die)
        with pytest.raises(Killed):
            collected(manager)
    assert kept(base) == names
    names[0].unlink()  # as if it died amid it
    done = collected(manager)
    assert (done.finished, done.objects) == (("j",), 1)
    assert kept(base) == []
    assert not list(manager.plan_retention(NOW).left)


def test_storage_that_does_not_answer_puts_deletion_off(
    manager: StateManager, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(manager, base, [LARGE])

    def refuse(url: str) -> Any:
        raise OSError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(objects, "place_at", refuse)
        done = collected(manager)
    assert [(one.job_id, "no answer" in one.why) for one in done.passed_over] == [("j", True)]
    assert len(kept(base)) == 1
    assert collected(manager).objects == 1
    assert kept(base) == []


def test_a_folder_that_is_a_link_is_left_alone(
    manager: StateManager, base: Path, tmp_path: Path
) -> None:
    """Nobody leads a deletion elsewhere."""
    worked(manager, base, [LARGE])
    (path,) = kept(base)
    elsewhere = tmp_path / "elsewhere"
    path.parent.rename(elsewhere)
    path.parent.symlink_to(elsewhere)
    assert collected(manager).objects == 0
    assert len(kept(elsewhere)) == 1


def test_a_log_cannot_lead_a_deletion_elsewhere(
    manager: StateManager, base: Path, tmp_path: Path
) -> None:
    """A folder that is not named for the family of the job is not touched."""
    worked(manager, base, [LARGE])
    (path,) = kept(base)
    other = tmp_path / "victim"
    other.mkdir()
    (other / path.name).write_bytes(b"precious")
    from milepost.state.writing.beside import name_folder

    manager._append("j", name_folder(other.as_uri(), None))
    assert collected(manager).objects == 1
    assert (other / path.name).read_bytes() == b"precious"


def test_half_made_files_are_never_results_and_go_too(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE])
    (path,) = kept(base)
    half = path.with_name(f".{path.name}.{'0' * 12}.part")
    half.write_bytes(b"half")
    assert [name for name, _ in place_at(path.parent.as_uri()).names()] == [path.name]
    collected(manager)
    assert not half.exists()
    assert not path.parent.exists()


def test_the_folder_is_named_once_and_in_the_history(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE])
    manager.create_job([LARGE, LARGE + 2], job_id="two", config={"has_reduce": False})
    for _ in range(2):
        with manager.lease("two", renewed=False):
            manager.keep_beside("two", Beside(base))
    told = [e.payload["url"] for e in manager.get_state_history("two") if e.kind == "folder"]
    assert len(told) == 1
    assert told[0].startswith(base.as_uri())


def test_nothing_grows_where_nothing_is_kept_beside(opened: Opened, base: Path) -> None:
    """Heads and bodies of a run with and without are the same bytes while results are small."""
    manager = opened()
    manager.create_job([1, 2, 3], job_id="a", config={"has_reduce": False})
    manager.fire("a", "start_map")
    manager.record("a", [ItemEvent(n, "start") for n in range(3)])
    manager.record("a", [ItemEvent(n, "succeed", {"result": n}) for n in range(3)])
    with manager._store.reading() as reader:
        job = reader.job("a")
        assert job is not None
        rows = list(reader.rows(job.number, bodies=True))
    assert b"stored" not in b"".join(row.head + row.body for row in rows)
    assert rows[-1].body == b'[[{"result":0},{"result":1},{"result":2}]]'
