"""One suite for every store: what StateStore promises, and the manager on top of it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from milepost import ItemEvent, StateManager, StateStore, TransitionRefused
from milepost.errors import StoreError, ValueInvalid
from milepost.log import codec
from milepost.log.rows import (
    GIVEN_BACK,
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredKeep,
    StoredLease,
    StoredSpan,
    Tip,
)
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.postgres import needs_postgres, new_url


@pytest.fixture(
    params=["memory", "sqlite", "sqlite-process", pytest.param("postgres", marks=needs_postgres)]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Every store that there is."""
    if request.param == "memory":
        opened = open_store("memory:")
    elif request.param == "postgres":
        opened = open_store(new_url(request.getfixturevalue("postgres")))
    else:
        durability = "process" if request.param == "sqlite-process" else "full"
        opened = open_store(tmp_path / "jobs.db", durability=durability)
    yield opened
    opened.close()


def row(seq: int, fence: int = 0, body: bytes = b"") -> Row:
    return Row(
        seq=seq,
        fence=fence,
        at_us=seq,
        count=1,
        format=1,
        codec="jj",
        head=b"[]",
        after=b"[]",
        body=body,
        body_digest=b"",
        digest=bytes([seq]),
    )


def test_a_commit_is_seen_whole_or_not_at_all(store: StateStore) -> None:
    """What a writer did is there after the block, and gone if the block raised."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest")
        writer.add_row(job.number, row(1))
    with pytest.raises(RuntimeError), store.writing() as writer:
        writer.add_job("two", 6, "digest")
        writer.add_row(job.number, row(2))
        raise RuntimeError
    with store.reading() as reader:
        assert reader.job("one") == job
        assert reader.job("two") is None
        assert [r.seq for r in reader.rows(job.number)] == [1]
        assert reader.tip(job.number) == row(1)


def test_an_id_is_taken_from_the_moment_that_there_is_a_job(store: StateStore) -> None:
    """Also within the transaction that adds it; ids that begin alike are others."""
    with store.writing() as writer:
        assert not writer.has_job("one")
        writer.add_job("one", 5, "digest")
        assert writer.has_job("one")
    with store.reading() as reader:
        assert [reader.has_job(job_id) for job_id in ("one", "on", "one1")] == [True, False, False]


def test_rows_are_read_back_in_order_and_in_ranges(store: StateStore) -> None:
    """Rows come by seq, from after one to upto another, bodies when asked for."""
    with store.writing() as writer:
        job, other = (
            writer.add_job("one", 5, "digest").number,
            writer.add_job("two", 5, "digest").number,
        )
        for seq in range(1, 6):
            writer.add_row(job, row(seq, body=b"b"))
            writer.add_row(other, row(seq))
    with store.reading() as reader:
        assert [r.seq for r in reader.rows(job, 2, 4)] == [3, 4]
        assert [r.seq for r in reader.rows(job, 4)] == [5]
        assert [r.body for r in reader.rows(job, 0, 1, bodies=True)] == [b"b"]
        assert [tip.job.job_id for tip in reader.tips()] == ["one", "two"]
        assert [tip.row.seq for tip in reader.tips()] == [5, 5]
        assert reader.job_ids("t") == ["two"]
        assert reader.job_ids("") == ["one", "two"]


IDS = (
    "a",
    "a\u00e9",
    "a\ud7ff",
    "a\ue000b",
    "a\U0010ffff",
    "a\U0010ffff\U0010ffffz",
    "a~",
    "b",
    "\U0010ffff",
)
"""Ids whose beginnings end in the characters whose successor is not the next number."""


def test_jobs_are_found_by_how_their_ids_begin(store: StateStore) -> None:
    """Whatever character it ends in; in order of ids, of creation, or newest first."""
    with store.writing() as writer:
        for job_id in IDS:
            writer.add_row(writer.add_job(job_id, 5, "digest").number, row(1))
    beginnings = {job_id[:end] for job_id in IDS for end in range(len(job_id) + 1)} | {"a\x7f", "c"}
    with store.reading() as reader:
        for prefix in beginnings:
            made = [job_id for job_id in IDS if job_id.startswith(prefix)]
            assert reader.job_ids(prefix) == sorted(made)
            assert reader.job_ids(prefix, limit=2) == sorted(made)[:2]
            assert reader.count_jobs(prefix) == len(made)
            assert [tip.job.job_id for tip in reader.tips(prefix=prefix)] == made
            newest = [tip.job.job_id for tip in reader.tips(prefix=prefix, newest_first=True)]
            assert newest == made[::-1]
        few = reader.tips(newest_first=True, wanted=lambda job: job.job_id < "a~")
        assert next(few).job.job_id == "a"


def test_jobs_that_were_not_given_back_are_found_without_the_others(store: StateStore) -> None:
    """In order of creation, each with its newest row. What was given back is there, and told of."""
    lease = StoredLease("a", 1, 10, ttl_us=7)
    with store.writing() as writer:
        for job_id in ("one", "two", "back", "three"):
            job = writer.add_job(job_id, 5, "digest").number
            writer.add_row(job, row(1))
            if job_id != "two":
                writer.put_lease(job, lease)
            if job_id == "back":
                writer.put_lease(job, lease.given_back())
                assert writer.lease(job) == StoredLease("a", 1, 10, ttl_us=GIVEN_BACK)
    with store.reading() as reader:
        assert [(tip.job.job_id, tip.row.seq) for tip in reader.leased()] == [
            ("one", 1),
            ("three", 1),
        ]


def test_sizes_and_rows_beside_are_told_of_many_jobs_at_once(store: StateStore) -> None:
    """As they are told of each, for those of a range of numbers."""
    with store.writing() as writer:
        numbers = []
        for job_id in ("one", "two", "three"):
            job = writer.add_job(job_id, 5, "digest").number
            writer.add_row(job, row(1, body=b"body"))
            writer.add_inputs(job, [InputBlock(0, 10, "jj", b"k", b"v", b"d")], [])
            numbers.append(job)
        writer.put_checkpoint(numbers[0], StoredCheckpoint(1, 5, "r", b"c", b"d", b"snapshot"))
        writer.put_lease(numbers[1], StoredLease("a", 1, 10))
        writer.put_lease(numbers[2], StoredLease("a", 1, 10).given_back())
        writer.put_keep(numbers[2], StoredKeep(None, "audit", 5))
    with store.reading() as reader:
        each = {number: reader.sizes(number).total_bytes for number in numbers}
        assert reader.sizes_of(numbers[0], numbers[2]) == each
        assert reader.sizes_of(numbers[1], numbers[1]) == {numbers[1]: each[numbers[1]]}
        assert reader.having("checkpoint") == {numbers[0]}
        assert reader.having("held") == {numbers[1]}
        assert reader.having("keep") == {numbers[2]}


def test_more_jobs_than_are_read_at_a_time_come_in_order(store: StateStore) -> None:
    """Both ways, none left out and none twice, where numbers are missing between."""
    ids = [f"job-{number}" for number in range(300)]
    with store.writing() as writer:
        for job_id in ids:
            writer.add_row(writer.add_job(job_id, 5, "digest").number, row(1))
    with store.writing() as writer:
        for job_id in ids[100:150]:
            job = writer.job(job_id)
            assert job is not None
            writer.bury(job, 5, "old")
    left = ids[:100] + ids[150:]
    with store.reading() as reader:
        assert [tip.job.job_id for tip in reader.tips()] == left
        assert [tip.job.job_id for tip in reader.tips(newest_first=True)] == left[::-1]


@pytest.mark.parametrize("bad", [row(3), row(1), row(2, fence=0)], ids=["gap", "again", "fence"])
def test_a_row_that_does_not_follow_is_refused(store: StateStore, bad: Row) -> None:
    """INV-GAPLESS and INV-FENCE are the store's too; each says what, where, and what to do."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        writer.add_row(job, row(1, fence=1))
    told = (
        f"{store.url}: commit {bad.seq} under fence {bad.fence} does not follow commit 1 under"
        f" fence 1, of the job numbered {job} (INV-GAPLESS, INV-FENCE): nothing was written;"
        " load the job again and decide anew"
    )
    with pytest.raises(StoreError, match=f"^{re.escape(told)}$"), store.writing() as writer:
        writer.add_row(job, bad)
    with store.reading() as reader:
        assert [r.seq for r in reader.rows(job)] == [1]


def test_inputs_are_found_by_ordinal(store: StateStore) -> None:
    """The block that holds an ordinal comes first, then those after it."""
    blocks = [InputBlock(n * 10, 10, "jj", b"k", b"v", b"d") for n in range(3)]
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        other = writer.add_job("two", 5, "digest").number
        writer.add_inputs(job, blocks, [])
        writer.add_inputs(other, blocks[:1], [])
    with store.reading() as reader:
        assert list(reader.inputs(job)) == blocks
        assert list(reader.inputs(job, 10)) == blocks[1:]
        assert list(reader.inputs(job, 29)) == blocks[2:]


def test_inputs_may_be_staged_before_there_is_a_job(store: StateStore) -> None:
    """Under a number of their own, which is nobody else's; no job is seen until it is added."""
    block = InputBlock(0, 10, "jj", b"k", b"v", b"d")
    with store.writing() as writer:
        first = writer.add_job("one", 5, "digest").number
        number = writer.reserve()
        writer.add_inputs(number, [block], [])
        writer.stage(Staged(number, 0, 10, "me", 7))
    with store.writing() as writer:
        second = writer.add_job("two", 5, "digest").number
        assert len({first, number, second, writer.reserve()}) == 4
    with store.reading() as reader:
        assert reader.job_ids("") == ["one", "two"]
        assert reader.staged() == [Staged(number, 0, 10, "me", 7)]
        assert (reader.next_place(number), reader.next_place(first)) == (10, 0)
    with store.writing() as writer:
        assert writer.unstage("you") == 0
        assert writer.unstage("me") == 10
        assert writer.add_job("three", 5, "digest", number).number == number
        assert writer.staged() == []
    with store.reading() as reader:
        assert list(reader.inputs(number)) == [block]


def test_what_is_staged_is_swept_in_parts(store: StateStore) -> None:
    """A few blocks at once, and nothing of what is beside them."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        for place in range(0, 50, 10):
            block = InputBlock(place, 10, "jj", b"k", b"v", b"d")
            writer.add_inputs(job, [block], [KeySegment(place, 10, b"h", b"o", b"d")])
        staged = Staged(job, 10, 30, "me", 7)
        writer.stage(staged)
    with store.writing() as writer:
        assert not writer.sweep(staged, 2)
    with store.writing() as writer:
        assert writer.staged() == [staged]
        assert writer.sweep(staged, 2)
    with store.reading() as reader:
        assert reader.staged() == []
        assert [block.first for block in reader.inputs(job)] == [0, 40]
        assert [segment.first for segment in reader.key_segments(job, 0, 50)] == [0, 40]
        assert reader.next_place(job) == 50


def test_what_is_being_swept_is_not_written_over(store: StateStore) -> None:
    """Between two parts of a sweep others write behind it, so that it takes nothing of theirs."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        for place in range(0, 30, 10):
            writer.add_inputs(job, [InputBlock(place, 10, "jj", b"k", b"v", b"d")], [])
        staged = Staged(job, 10, 20, "me", 7)
        writer.stage(staged)
    with store.writing() as writer:
        assert not writer.sweep(staged, 1)
        assert writer.next_place(job) == 30
        writer.add_inputs(job, [InputBlock(30, 10, "jj", b"k", b"v", b"d")], [])
        assert writer.sweep(staged, 5)
        assert [block.first for block in writer.inputs(job)] == [0, 30]


def test_segments_of_keys_are_given_by_place(store: StateStore) -> None:
    """Those that begin within a range, in order, of one job."""
    segments = [KeySegment(place, 10, b"h", b"o", b"d") for place in (0, 10, 20)]
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        other = writer.add_job("two", 5, "digest").number
        writer.add_inputs(job, [], segments)
        writer.add_inputs(other, [], segments[1:2])
    with store.reading() as reader:
        assert list(reader.key_segments(job, 0, 30)) == segments
        assert list(reader.key_segments(job, 10, 20)) == segments[1:2]
        assert list(reader.key_segments(job, 1, 10)) == []


def test_checkpoints_come_newest_first_and_leases_are_replaced(store: StateStore) -> None:
    """What is derived is kept by job, and replaced in place."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        for seq in (3, 7, 3):
            checkpoint = StoredCheckpoint(seq, 1, "test", b"c", b"d", bytes([seq]))
            writer.put_checkpoint(job, checkpoint)
        writer.put_lease(job, StoredLease("a", 1, 10))
        writer.put_lease(job, StoredLease("b", 2, 20))
    with store.reading() as reader:
        assert [c.seq for c in reader.checkpoints(job)] == [7, 3]
        assert reader.lease(job) == StoredLease("b", 2, 20)
        assert store.check() == []


def test_a_reader_sees_one_moment_and_never_waits(store: StateStore) -> None:
    """INV-READ: rows written after a reader began do not show, and it does not wait for them."""
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        writer.add_row(job, row(1))
    with store.reading() as reader:
        assert reader.tip(job) == row(1)
        with store.writing() as writer:
            writer.add_row(job, row(2))
            assert [r.seq for r in reader.rows(job)] == [1]
        assert [r.seq for r in reader.rows(job)] == [1]
    with store.reading() as reader:
        assert [r.seq for r in reader.rows(job)] == [1, 2]


def together(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in `count` threads that start at once; errors are raised here."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_that_record_at_once_are_all_acknowledged_once(store: StateStore) -> None:
    """64 threads, two managers: every result is there once."""
    managers = [StateManager(store, clock=FakeClock()) for _ in range(2)]
    count, each = 64, 4
    managers[0].create_job([f"{n}" for n in range(count * each)], job_id="j")
    managers[0].fire("j", "start_map")

    def work(number: int) -> None:
        for n in range(number * each, (number + 1) * each):
            manager = managers[n % 2]
            manager.record("j", [ItemEvent(n, "start")])
            state = manager.record("j", [ItemEvent(n, "succeed", {"result": {"n": n}})])
            assert state.items.member(n)[0] == "done"

    together(count, work)
    found = dict(managers[1].results("j"))
    assert found == {f"{n}": {"n": n} for n in range(count * each)}
    state = managers[0].get_state("j")
    assert state.progress.done == count * each
    assert managers[0].verify("j")[0].sound


def test_those_who_wait_share_one_commit(store: StateStore) -> None:
    """While one commit is under way the others queue up, and then need just one more."""
    manager = StateManager(store, clock=FakeClock())
    manager.create_job([f"{n}" for n in range(20)], job_id="j")
    manager.fire("j", "start_map")
    work = [
        threading.Thread(target=manager.record, args=("j", [ItemEvent(n, "start")]))
        for n in range(20)
    ]
    with store.writing():  # nobody's commit can end before all of them wait
        for thread in work:
            thread.start()
        while len(manager._appender._line.waiting) < 19:
            os.sched_yield()
    for thread in work:
        thread.join()
    state = manager.get_state("j")
    assert state.progress.running == 20
    assert state.seq == 2 + 2  # the first to come, then all the others
    (together,) = manager.get_state_history("j", after=3)
    assert len(together.items) == 19, "what is alike becomes one fact"
    assert manager.verify("j")[0].sound


def test_requests_too_large_together_are_written_one_by_one(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on a commit; what fits into one alone is never refused for its neighbours."""
    monkeypatch.setattr(codec, "MAX_BLOCK_BYTES", 4_000)
    manager = StateManager(store, clock=FakeClock())
    manager.create_job([f"{n}" for n in range(6)], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(n, "start") for n in range(6)])
    sizes = [3_000, 3_000, 3_000, 9_000, 3_000, 3_000]
    refused: list[int] = []

    def work(number: int) -> None:
        result = {"result": "x" * sizes[number]}
        try:
            manager.record("j", [ItemEvent(number, "succeed", result)])
        except ValueInvalid:
            refused.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with store.writing():
        for thread in threads:
            thread.start()
        while len(manager._appender._line.waiting) < 5:
            os.sched_yield()
    for thread in threads:
        thread.join()
    assert refused == [3]
    assert set(dict(manager.results("j"))) == {"0", "1", "2", "4", "5"}
    assert StateManager(store).get_state("j") == manager.get_state("j")
    assert manager.verify("j")[0].sound


def test_a_request_that_is_refused_does_not_spoil_those_beside_it(store: StateStore) -> None:
    """In one shared commit each request stands for itself."""
    manager = StateManager(store, clock=FakeClock())
    manager.create_job([f"{n}" for n in range(32)], job_id="j")
    manager.fire("j", "start_map")
    refused: list[int] = []

    def work(number: int) -> None:
        events = [ItemEvent(number // 2, "start")]
        try:
            manager.record("j", events)
        except TransitionRefused:
            refused.append(number)

    together(32, work)
    state = manager.get_state("j")
    assert len(refused) == 16  # of each two that wanted the same item, one
    assert state.progress.running == 16
    assert manager.verify("j")[0].sound


def test_spans_are_replaced_read_in_order_and_dropped(store: StateStore) -> None:
    """The index of a log: by its ends, with states or without; it goes with the rows it is of."""
    spans = [StoredSpan(n * 4 + 1, n * 4 + 4, b"d", b"i%d" % n, b"s", b"state") for n in range(3)]
    with store.writing() as writer:
        job = writer.add_job("one", 5, "digest").number
        other = writer.add_job("two", 5, "digest").number
        for seq in range(1, 13):
            writer.add_row(job, row(seq))
        assert writer.spans_end(job) == 0
        for span in (spans[1], spans[0], spans[2], structs.replace(spans[1], index=b"new")):
            writer.put_span(job, span)
        writer.put_span(other, spans[0])
        writer.drop_state(job, 8)
        writer.drop_state(job, 9)  # of none
    with store.reading() as reader:
        found = list(reader.spans(job))
        assert [(span.first, span.last, span.index) for span in found] == [
            (1, 4, b"i0"),
            (5, 8, b"new"),
            (9, 12, b"i2"),
        ]
        assert [span.first for span in reader.spans(job, 4)] == [5, 9]
        assert reader.spans_end(job) == 12
        assert reader.state_ends(job) == [4, 12]
        assert list(reader.states(job, 11)) == [spans[0]]
        assert list(reader.states(job, 12)) == [spans[2], spans[0]]
        assert (reader.sizes(job).spans, reader.sizes(job).spans_bytes) == (3, 17)
    with store.writing() as writer:
        writer.set_aside(job, "commits", job_id="one", reason="lost", at_us=1, first=8)
    with store.reading() as reader:
        assert [span.last for span in reader.spans(job)] == [4]
    with store.writing() as writer:
        writer.drop_spans(job)
        assert writer.spans_end(job) == 0
        assert writer.spans_end(other) == 4


def test_what_one_manager_wrote_another_reads(store: StateStore) -> None:
    """States are equal wherever they are read."""
    one, two = (StateManager(store, clock=FakeClock()) for _ in range(2))
    one.create_job({"a": 1, "b": 2}, job_id="j", variables={"x": [1, 2]})
    two.fire("j", "start_map", {"variables": {"y": None}})
    two.record("j", [ItemEvent("a", "start")])
    assert one.get_state("j") == two.get_state("j")
    assert dict(one.get_state("j").variables) == {"x": [1, 2], "y": None}
    assert one.state_at("j", 1).phase == "setup"
    assert [e.event for e in one.get_state_history("j")] == ["created", "start_map", "start"]


def test_a_mark_is_found_again_only_where_nobody_wrote_in_between(store: StateStore) -> None:
    """By it an appender knows that what it wrote last is still what is newest."""
    with store.writing() as first:
        job = first.add_job("one", 5, "digest")
        found = first.mark
    assert first.mark != found, "its own commit counts"
    with store.writing() as second:
        assert second.mark == first.mark
        second.add_row(job.number, row(1))
    with store.writing() as third:
        assert third.mark == second.mark != first.mark
    with pytest.raises(RuntimeError), store.writing() as writer:
        writer.add_row(job.number, row(2))
        raise RuntimeError
    with store.writing() as writer:
        writer.put_lease(job.number, StoredLease("me", 1, 10))
    with store.writing() as last:
        assert last.mark == writer.mark != third.mark


def test_two_managers_of_one_store_decide_on_what_the_other_wrote(store: StateStore) -> None:
    """Neither reads again what it wrote itself; both see at once what the other did."""
    one, other = (StateManager(store, clock=FakeClock()) for _ in range(2))
    one.create_job(["a", "b", "c"], job_id="j")
    one.fire("j", "start_map")
    one.record("j", [ItemEvent("a", "start")])
    other.record("j", [ItemEvent("b", "start")])
    with pytest.raises(TransitionRefused):
        one.record("j", [ItemEvent("b", "start")])
    assert one.record("j", [ItemEvent("c", "start")]).progress.running == 3
    assert other.record("j", [ItemEvent("c", "succeed", {"result": 1})]).seq == 6
    assert one.verify("j")[0].sound


class Lying:
    """A store that says that nobody wrote, whoever did."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Any]:
        with self._store.writing(*jobs) as writer:
            yield Unmarked(writer)

    appending = writing


class Unmarked:
    mark = 0

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def relies_on(self, job: int, seq: int, digest: bytes) -> None:
        """Take it on trust."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def test_a_mark_that_lies_is_met_by_the_log(store: StateStore) -> None:
    """The control of the two tests above: a stale decision is never written (INV-GAPLESS)."""
    one, other = (StateManager(Lying(store), clock=FakeClock()) for _ in range(2))
    one.create_job(["a", "b"], job_id="j")
    one.fire("j", "start_map")
    other.record("j", [ItemEvent("a", "start")])
    with pytest.raises(StoreError):
        one.record("j", [ItemEvent("a", "start")])
    assert one.record("j", [ItemEvent("b", "start")]).seq == 4, "it looked again"


def test_a_log_reads_the_same_once_it_was_compacted(store: StateStore) -> None:
    """A store that merges rows says how many; one that keeps them as they are says none."""
    manager = StateManager(store, clock=FakeClock())
    manager.create_job([f"{n}" for n in range(8)], job_id="j")
    manager.fire("j", "start_map")
    for n in range(8):
        manager.record("j", [ItemEvent(n, "start")])
        manager.record("j", [ItemEvent(n, "succeed", {"result": {"n": n}})])
    manager.fire("j", "cancel")
    before = manager.get_state("j"), dict(manager.results("j")), manager.state_at("j", 7)
    planned, done = manager.compact("j", dry_run=True), manager.compact("j")
    assert (planned.rows, planned.commits, done.commits) == (done.rows, 19, 19)
    if not store.url.startswith("sqlite:"):
        assert (done.rows, done.blocks, done.bytes_before, done.bytes_after) == (0, 0, 0, 0)
    else:
        assert (done.rows, done.blocks) == (18, 1)
        assert done.bytes_after < done.bytes_before
    assert manager.compact("j").rows == 0
    fresh = StateManager(store, clock=FakeClock())
    found = fresh.get_state("j"), dict(fresh.results("j")), fresh.state_at("j", 7)
    assert found == before
    assert [tip.row.seq for tip in _tips(store)] == [19]
    assert fresh.create_checkpoint("j").seq == 19
    assert fresh.verify("j")[0].sound


def _tips(store: StateStore) -> list[Tip]:
    with store.reading() as reader:
        return list(reader.tips())
