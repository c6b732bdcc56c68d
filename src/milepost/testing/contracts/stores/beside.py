"""What a store keeps beside a log: checkpoints, spans, leases, keeps, descriptions."""

from __future__ import annotations

from msgspec import structs

from milepost.log.rows import (
    Block,
    InputBlock,
    Staged,
    StoredCheckpoint,
    StoredCheckpointSize,
    StoredKeep,
    StoredLease,
    StoredLifecycle,
    StoredSizes,
    StoredSpan,
)
from milepost.stores.protocol import StateStore
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import aside, filled, row

__all__ = ["BesideContract"]


class BesideContract(OpenedStore):
    """Rows beside a log: checkpoints, spans, leases, keeps, sizes, what was set aside."""

    def test_checkpoints_come_newest_first_and_leases_are_replaced(self, store: StateStore) -> None:
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

    def test_spans_are_replaced_read_in_order_and_dropped(self, store: StateStore) -> None:
        """The index of a log: by its ends, with states or without; it goes with its rows."""
        spans = [
            StoredSpan(n * 4 + 1, n * 4 + 4, b"d", b"i%d" % n, b"s", b"state") for n in range(3)
        ]
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
            writer.put_span(job, spans[1])
            writer.drop_spans(job, 4)
            assert [span.last for span in writer.spans(job)] == [4]
            writer.drop_spans(job, 3)
            assert writer.spans_end(job) == 0
            writer.put_span(job, spans[0])
            writer.drop_spans(job)
            assert writer.spans_end(job) == 0
            assert writer.spans_end(other) == 4

    def test_sizes_and_rows_beside_are_given_for_many_jobs_at_once(self, store: StateStore) -> None:
        """As they are given for each, for those of a range of numbers."""
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

    def test_keeps_are_replaced_and_dropped(self, store: StateStore) -> None:
        """One a job, with or without an end."""
        job = filled(store, "one")
        with store.writing() as writer:
            writer.put_keep(job.number, StoredKeep(None, "for ever", 4))
        with store.reading() as reader:
            assert reader.keep(job.number) == StoredKeep(None, "for ever", 4)
        with store.writing() as writer:
            writer.put_keep(job.number, None)
        with store.reading() as reader:
            assert reader.keep(job.number) is None

    def test_sizes_are_of_what_is_stored(self, store: StateStore) -> None:
        """Rows and bytes, by what they are for; checkpoints one by one."""
        job = filled(store, "one")
        with store.reading() as reader:
            assert reader.sizes(job.number) == StoredSizes(1, 10, 1, 10, 3, 15, 15, 3, 30)
            assert reader.sizes(job.number).total_bytes == 80
            assert reader.checkpoint_sizes(job.number) == [
                StoredCheckpointSize(seq, f"r{seq}", 10) for seq in (3, 2, 1)
            ]
        with store.writing() as writer:
            writer.remove_checkpoint(job.number, 2)
            writer.remove_checkpoint(job.number, 99)
        with store.reading() as reader:
            assert [one.seq for one in reader.checkpoint_sizes(job.number)] == [3, 1]

    def test_lifecycles_are_described_by_digest(self, store: StateStore) -> None:
        """By name and version; one of the same digest is replaced; those vouched for are kept."""
        told = [
            StoredLifecycle(f"digest-{name}-{version}", name, version, b'{"states": {}}')
            for name, version in (("orders", 10), ("orders", 2), ("jobs", 3))
        ]
        with store.writing() as writer:
            for each in told:
                writer.put_lifecycle(structs.replace(each, description=b"{}"))
                writer.put_lifecycle(each)
        with store.writing() as writer:
            writer.drop_lifecycles()
        with store.reading() as reader:
            assert reader.lifecycles() == [told[2], told[1], told[0]]
            assert reader.lifecycle("digest-orders-2") == told[1]
            assert reader.lifecycle("digest") is None

    def test_what_is_set_aside_is_kept_in_the_quarantine(self, store: StateStore) -> None:
        """Rows leave their table whole, with who they were of and why; a log ends before them."""
        job, other = filled(store, "one"), filled(store, "two")
        with store.reading() as reader:
            tips = [reader.tip(each.number) for each in (job, other)]
            assert [tip and tip.seq for tip in tips] == [3, 3]
        moved = (("commits", 2, 2), ("checkpoints", 3, 1), ("inputs", 0, 1), ("leases", 0, 1))
        with store.writing() as writer:
            assert writer.last_quarantined() == 0
            for source, first, count in moved:
                assert (
                    writer.set_aside(
                        job.number, source, job_id="one", reason="torn", at_us=9, first=first
                    )
                    == count
                )
        with store.reading() as reader:
            found = list(reader.quarantine())
            assert [(each.source, each.job_id, each.reason, each.at_us) for each in found] == [
                (source, "one", "torn", 9) for source, _, count in moved for _ in range(count)
            ]
            assert all(each.content for each in found)
            numbers = [each.number for each in found]
            assert numbers == sorted(set(numbers))
            assert reader.last_quarantined() == numbers[-1]
            between = reader.quarantine(numbers[0], numbers[2])
            assert [each.number for each in between] == numbers[1:3]
            assert reader.newest(job.number) == (1, b"d")
            tips = [reader.tip(each.number) for each in (job, other)]
            assert [tip and tip.seq for tip in tips] == [1, 3]
            assert [each.seq for each in reader.rows(job.number)] == [1]
            assert [each.seq for each in reader.checkpoints(job.number)] == [2, 1]
            assert list(reader.inputs(job.number)) == []
            assert reader.lease(job.number) is None
            assert [each.seq for each in reader.rows(other.number)] == [1, 2, 3]
            assert reader.lease(other.number) is not None
        with store.writing() as writer:
            writer.add_row(job.number, row(2))

    def test_what_is_set_aside_is_within_bounds(self, store: StateStore) -> None:
        """Both bounds are of it; what is before and behind stays."""
        job = filled(store, "one", 5).number
        with store.writing() as writer:
            assert aside(writer, job, "checkpoints", first=2, upto=3) == 2
            assert [each.seq for each in writer.checkpoints(job)] == [5, 4, 1]
            assert aside(writer, job, "checkpoints", upto=1) == 1
            assert aside(writer, job, "checkpoints", first=6, upto=9) == 0
        with store.reading() as reader:
            assert [each.seq for each in reader.checkpoints(job)] == [5, 4]
            assert sorted(each.key for each in reader.quarantine()) == [1, 2, 3]

    def test_nothing_strays_from_its_job(self, store: StateStore) -> None:
        """What is of a job, staged, or being erased is no stray."""
        filled(store, "one")
        gone = filled(store, "gone")
        with store.writing() as writer:
            number = writer.reserve()
            writer.add_inputs(number, [InputBlock(0, 1, "jj", b"k", b"v", b"d")], [])
            writer.stage(Staged(number, 0, 1, "coming", 1))
            writer.bury(gone, 5, "old")
        with store.writing() as writer:
            writer.erase(gone.number, 2, 10_000)
        with store.reading() as reader:
            assert list(reader.strays()) == []

    def test_a_block_takes_the_place_of_rows_that_are_there(self, store: StateStore) -> None:
        """And of no others: a log that is not as the block says stays as it is."""
        job = filled(store, "one").number
        with store.writing() as writer:
            assert not writer.put_block(job, Block(1, 2, b"another", b"heads", b"bodies"))
            assert not writer.put_block(job, Block(3, 9, b"d", b"heads", b"bodies"))
        with store.reading() as reader:
            assert [each.seq for each in reader.rows(job)] == [1, 2, 3]
            blocks = list(reader.blocks(job))
            assert all(1 <= first <= last <= 3 for first, last in blocks)
            assert blocks == sorted(blocks)
            assert list(reader.blocks(job, 3)) == []
