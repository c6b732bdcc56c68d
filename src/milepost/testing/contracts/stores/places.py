"""The items of a job in a store: their blocks, the index of their keys, what is staged."""

from __future__ import annotations

from milepost.log.rows import InputBlock, KeySegment, Staged
from milepost.stores.protocol import StateStore
from milepost.testing.contracts.stores.opened import OpenedStore

__all__ = ["PlaceContract"]


class PlaceContract(OpenedStore):
    """Places: blocks of items, the index of their keys, and what comes in before its job does."""

    def test_inputs_are_found_by_ordinal(self, store: StateStore) -> None:
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

    def test_inputs_may_be_staged_before_there_is_a_job(self, store: StateStore) -> None:
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

    def test_what_is_staged_is_told_anew(self, store: StateStore) -> None:
        """As its writer goes on: by its first place; it keeps its number and its places."""
        with store.writing() as writer:
            writer.add_job("one", 5, "digest")
            number = writer.reserve()
            writer.stage(Staged(number, 0, 5, "me", 7))
        with store.writing() as writer:
            assert writer.reserve() > number
            writer.stage(Staged(number, 0, 10, "me", 8))
            writer.stage(Staged(number, 10, 5, "me", 9))
        with store.reading() as reader:
            assert reader.staged() == [
                Staged(number, 0, 10, "me", 8),
                Staged(number, 10, 5, "me", 9),
            ]
            assert reader.next_place(number) == 15
        with store.writing() as writer:
            writer.add_inputs(number, [InputBlock(15, 10, "jj", b"k", b"v", b"d")], [])
            assert writer.next_place(number) == 25
            writer.stage(Staged(number, 25, 3, "you", 9))
            assert writer.unstage("me") == 15
            assert [each.token for each in writer.staged()] == ["you"]

    def test_what_is_staged_is_swept_in_parts(self, store: StateStore) -> None:
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

    def test_what_is_being_swept_is_not_written_over(self, store: StateStore) -> None:
        """Between two parts of a sweep others write behind it: it takes nothing of theirs."""
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

    def test_segments_of_keys_are_given_by_place(self, store: StateStore) -> None:
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
