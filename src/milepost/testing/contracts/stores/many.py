"""More rows of each kind than any store reads at a time: all of them, once each, in order."""

from __future__ import annotations

from msgspec import structs

from milepost.log.rows import (
    InputBlock,
    KeySegment,
    Row,
    Staged,
    StoredCheckpoint,
    StoredKeep,
    StoredLease,
    StoredLifecycle,
    StoredSpan,
)
from milepost.stores.protocol import StateStore
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import aside, row

__all__ = ["ManyContract"]

_MANY = 1_100
_SEQS = list(range(1, _MANY + 1))
_MIDDLE = _MANY // 2


class ManyContract(OpenedStore):
    """Many rows: none is left out, none comes twice, and they are in order."""

    def test_a_long_log_is_read_whole(self, store: StateStore) -> None:
        """From its beginning, from any commit to any other, with its bodies."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            writer.add_rows(job, [_row(seq) for seq in _SEQS])
        with store.reading() as reader:
            found = list(reader.rows(job, bodies=True))
            assert [each.seq for each in found] == _SEQS
            assert [each.body for each in found] == [b"%d" % seq for seq in _SEQS]
            for after, upto in ((1, _MANY), (_MIDDLE, _MANY - 1), (0, _MIDDLE), (_MANY, _MANY)):
                seqs = [each.seq for each in reader.rows(job, after, upto)]
                assert seqs == _SEQS[after:upto], (after, upto)
            assert list(reader.rows(job, 0, 0)) == []
            assert reader.sizes(job).commits == _MANY

    def test_all_rows_beside_a_long_log_are_read(self, store: StateStore) -> None:
        """Blocks of items, their keys, checkpoints, and the index of the log with its states."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            writer.add_rows(job, [_row(seq) for seq in _SEQS])
            blocks = [InputBlock(seq - 1, 1, "jj", b"k", b"v", b"d") for seq in _SEQS]
            segments = [KeySegment(seq - 1, 1, b"h", b"o", b"d") for seq in _SEQS]
            writer.add_inputs(job, iter(blocks), iter(segments))
            for seq in _SEQS:
                writer.put_checkpoint(job, StoredCheckpoint(seq, 1, "r", b"c", b"d", b"s"))
                writer.put_span(job, StoredSpan(seq, seq, b"d", b"i", b"s", b"state"))
        with store.reading() as reader:
            assert [each.first + 1 for each in reader.inputs(job)] == _SEQS
            assert [each.first for each in reader.inputs(job, _MIDDLE)] == _SEQS[_MIDDLE - 1 : -1]
            found = reader.key_segments(job, 0, _MANY)
            assert [each.first + 1 for each in found] == _SEQS
            assert reader.next_place(job) == _MANY
            newest_first = _SEQS[::-1]
            assert [each.seq for each in reader.checkpoints(job)] == newest_first
            assert [each.seq for each in reader.checkpoint_sizes(job)] == newest_first
            assert [each.last for each in reader.spans(job)] == _SEQS
            assert reader.state_ends(job) == _SEQS
            assert [each.last for each in reader.states(job, _MANY)] == newest_first
            assert (reader.sizes(job).inputs_rows, reader.sizes(job).spans) == (_MANY, _MANY)

    def test_all_that_many_jobs_have_is_read(self, store: StateStore) -> None:
        """Entries, leases, keeps, sizes, inputs that are coming in, descriptions, tombstones."""
        ids = [f"job-{n:05}" for n in range(_MANY)]
        with store.writing() as writer:
            numbers = [writer.add_job(job_id, 5, "digest").number for job_id in ids]
            for number in numbers:
                writer.add_row(number, row(1))
                writer.put_lease(number, StoredLease("me", 1, 9))
                writer.put_keep(number, StoredKeep(None, "why", 3))
                writer.stage(Staged(number, 0, 1, "token", 1))
                told = StoredLifecycle(f"digest-{number}", "orders", number, b"{}")
                writer.put_lifecycle(told)
        with store.reading() as reader:
            assert reader.job_ids("") == ids
            assert reader.count_jobs() == _MANY
            assert [each.job_id for each in reader.entries()] == ids
            assert [tip.job.job_id for tip in reader.tips()] == ids
            assert [tip.job.job_id for tip in reader.tips(newest_first=True)] == ids[::-1]
            assert [tip.job.job_id for tip in reader.leased()] == ids
            assert reader.having("keep") == reader.having("held") == set(numbers)
            assert reader.sizes_of(numbers[0], numbers[-1]).keys() == set(numbers)
            assert [each.number for each in reader.staged()] == numbers
            assert [each.version for each in reader.lifecycles()] == numbers
        with store.writing() as writer:
            assert writer.unstage("token") == _MANY
            for job in writer.entries():
                writer.bury(job, 5, "old")
        with store.reading() as reader:
            assert [each.number for each in reader.tombstones_left()] == numbers
            assert (reader.count_jobs(), list(reader.tips())) == (0, [])

    def test_all_that_was_set_aside_is_shown(self, store: StateStore) -> None:
        """Oldest first, and any part of it."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            for seq in _SEQS:
                writer.put_checkpoint(job, StoredCheckpoint(seq, 1, "r", b"c", b"d", b"s"))
            assert aside(writer, job, "checkpoints") == _MANY
        with store.reading() as reader:
            found = list(reader.quarantine())
            assert sorted(each.key for each in found) == _SEQS
            numbers = [each.number for each in found]
            assert numbers == sorted(set(numbers))
            part = reader.quarantine(numbers[9], numbers[_MIDDLE])
            assert [each.number for each in part] == numbers[10 : _MIDDLE + 1]
            assert list(reader.quarantine(0, 0)) == []
            assert list(reader.checkpoints(job)) == []


def _row(seq: int) -> Row:
    return structs.replace(row(1, body=b"%d" % seq), seq=seq)
