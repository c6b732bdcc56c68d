"""What a commit of a store is: whole or not at all, in its turn, and seen at one moment."""

from __future__ import annotations

import re

import pytest

from milepost.errors import StoreError
from milepost.log.rows import Row, Staged, StoredLease
from milepost.stores.protocol import Moved, StateStore
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import row

__all__ = ["CommitContract"]


class CommitContract(OpenedStore):
    """Commits: whole or not at all, in their turn, and seen at one moment."""

    def test_a_commit_is_seen_whole_or_not_at_all(self, store: StateStore) -> None:
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

    def test_rows_are_read_back_in_order_and_in_ranges(self, store: StateStore) -> None:
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

    @pytest.mark.parametrize(
        "bad",
        [row(4, fence=2), row(2, fence=2), row(3, fence=1), row(3, fence=0)],
        ids=["gap", "again", "fence", "fence of before"],
    )
    @pytest.mark.parametrize("way", ["add_row", "add_rows"])
    def test_a_row_that_does_not_follow_is_refused(
        self, store: StateStore, bad: Row, way: str
    ) -> None:
        """INV-GAPLESS and INV-FENCE are the store's too; each says what, where, and what to do."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            writer.add_row(job, row(1, fence=1))
            writer.add_row(job, row(2, fence=2))
        told = (
            f"{store.url}: commit {bad.seq} under fence {bad.fence} does not follow commit 2 under"
            f" fence 2, of the job numbered {job} (INV-GAPLESS, INV-FENCE): nothing was written;"
            " load the job again and decide anew"
        )
        with pytest.raises(StoreError, match=f"^{re.escape(told)}$"), store.writing() as writer:
            if way == "add_row":
                writer.add_row(job, bad)
            else:
                writer.add_rows(job, [bad])
        with store.reading() as reader:
            assert [r.seq for r in reader.rows(job)] == [1, 2]

    def test_a_log_begins_with_its_first_commit(self, store: StateStore) -> None:
        """Another is refused, and leaves a log without rows, which has no newest one."""
        with store.writing() as writer:
            writer.add_row(writer.add_job("other", 5, "digest").number, row(1))
            job = writer.add_job("one", 5, "digest").number
        with pytest.raises(StoreError), store.writing() as writer:
            writer.add_row(job, row(2))
        with store.reading() as reader:
            assert list(reader.rows(job)) == []
            assert (reader.newest(job), reader.tip(job)) == (None, None)

    def test_a_reader_sees_one_moment_and_never_waits(self, store: StateStore) -> None:
        """INV-READ: rows written after a reader began do not show, and it waits for nobody."""
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

    def test_a_mark_is_found_again_only_where_nobody_wrote_in_between(
        self, store: StateStore
    ) -> None:
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

    def test_rows_may_come_many_at_once(self, store: StateStore) -> None:
        """As one after another would: in order, and none of them where one does not follow."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            assert writer.newest(job) is None
            assert writer.tip(job) is None
            writer.add_rows(job, [row(seq) for seq in (1, 2, 3)])
        with store.reading() as reader:
            assert reader.newest(job) == (3, row(3).digest)
            assert [each.seq for each in reader.rows(job)] == [1, 2, 3]
        with pytest.raises(StoreError), store.writing() as writer:
            writer.add_rows(job, [row(4), row(6)])
        with store.reading() as reader:
            assert reader.newest(job) == (3, row(3).digest)

    def test_a_log_may_come_in_before_its_job(self, store: StateStore) -> None:
        """Under a number that is staged; no job is seen until there is an entry."""
        with store.writing() as writer:
            number = writer.reserve()
            writer.stage(Staged(number, 0, 1, "me", 7))
            writer.add_row(number, row(1))
        with store.writing() as writer:
            writer.add_row(number, row(2))
        with store.reading() as reader:
            assert reader.job_ids("") == []
            assert list(reader.tips()) == []
        with store.writing() as writer:
            assert writer.add_job("one", 5, "digest", number).number == number
            writer.unstage("me")
        with store.reading() as reader:
            assert [each.seq for each in reader.rows(number)] == [1, 2]

    def test_a_writer_may_name_its_jobs(self, store: StateStore) -> None:
        """Those alone are its own, whether they are there already or come with it."""
        with store.writing("one", "two") as writer:
            jobs = [writer.add_job(job_id, 5, "digest").number for job_id in ("one", "two")]
            for job in jobs:
                writer.add_row(job, row(1))
        with store.appending("two") as writer:
            writer.add_row(jobs[1], row(2))
        with pytest.raises(RuntimeError), store.appending("one", "two") as writer:
            writer.add_row(jobs[0], row(2))
            raise RuntimeError
        with store.reading() as reader:
            assert [reader.newest(job) for job in jobs] == [
                (1, row(1).digest),
                (2, row(2).digest),
            ]

    def test_what_relies_on_a_log_that_has_moved_on_is_not_written(self, store: StateStore) -> None:
        """Where the mark tells nothing, Moved does: of a log that is longer, or is another."""
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            writer.add_row(job, row(1))
        with store.appending("one") as writer:
            writer.relies_on(job, 1, row(1).digest)
            writer.add_row(job, row(2))
        left = writer.mark
        with store.writing() as writer:
            writer.add_row(job, row(3))
        for seq, digest in ((2, row(2).digest), (3, b"another")):
            assert not _appended(store, job, left, seq, digest), f"on {seq}, {digest!r}"
        with store.reading() as reader:
            assert [each.seq for each in reader.rows(job)] == [1, 2, 3]
        with store.appending("one") as writer:
            assert writer.newest(job) == (3, row(3).digest)
            writer.relies_on(job, 3, row(3).digest)
            writer.add_row(job, row(4))
        with store.reading() as reader:
            assert reader.newest(job) == (4, row(4).digest)


def _appended(store: StateStore, job: int, left: int, seq: int, digest: bytes) -> bool:
    """Whether one who saw the log end so, when the mark was `left`, could still add to it."""
    try:
        with store.appending("one") as late:
            if late.mark != left:
                return False  # it is told that somebody wrote, and looks again
            late.relies_on(job, seq, digest)
            late.add_row(job, row(seq + 1))
    except (Moved, StoreError):
        return False
    return True
