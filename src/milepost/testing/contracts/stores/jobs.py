"""What a store knows of its jobs: by id, by how ids begin, in order."""

from __future__ import annotations

from msgspec import structs

from milepost.log.rows import GIVEN_BACK, StoredLease
from milepost.stores.protocol import StateStore
from milepost.testing.contracts.stores.opened import OpenedStore
from milepost.testing.contracts.stores.rows import row

__all__ = ["JobContract"]

_IDS = (
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


_HOSTILE = (
    "%",
    "_",
    "a%",
    "a_b",
    "axb",
    "*",
    "a?",
    "[a]",
    "'; DROP TABLE jobs; --",
    '"',
    "back\\slash",
    " spaces ",
    "new\nline",
    "A",
    "\u00c9",
    "E\u0301",
    "\u202eturned",
    "../up/and/away",
    "{x}$1:y",
    "long" * 120,
)
"""Ids that mean something to a language of queries, to a path, or to whoever normalizes texts."""


class JobContract(OpenedStore):
    """Jobs: found by id and by how ids begin, in order, whatever is in an id."""

    def test_an_id_is_taken_from_the_moment_that_there_is_a_job(self, store: StateStore) -> None:
        """Also within the transaction that adds it; ids that begin alike are others."""
        with store.writing() as writer:
            assert not writer.has_job("one")
            writer.add_job("one", 5, "digest")
            assert writer.has_job("one")
        with store.reading() as reader:
            assert [reader.has_job(job_id) for job_id in ("one", "on", "one1")] == [
                True,
                False,
                False,
            ]

    def test_jobs_are_found_by_how_their_ids_begin(self, store: StateStore) -> None:
        """Whatever character it ends in; in order of ids, of creation, or newest first."""
        with store.writing() as writer:
            for job_id in _IDS:
                writer.add_row(writer.add_job(job_id, 5, "digest").number, row(1))
        beginnings = {job_id[:end] for job_id in _IDS for end in range(len(job_id) + 1)} | {
            "a\x7f",
            "c",
        }
        with store.reading() as reader:
            for prefix in beginnings:
                made = [job_id for job_id in _IDS if job_id.startswith(prefix)]
                assert reader.job_ids(prefix) == sorted(made)
                assert reader.job_ids(prefix, limit=2) == sorted(made)[:2]
                assert reader.job_ids(prefix, limit=0) == []
                assert reader.count_jobs(prefix) == len(made)
                assert [tip.job.job_id for tip in reader.tips(prefix=prefix)] == made
                newest = [tip.job.job_id for tip in reader.tips(prefix=prefix, newest_first=True)]
                assert newest == made[::-1]
            few = reader.tips(newest_first=True, wanted=lambda job: job.job_id < "a~")
            assert next(few).job.job_id == "a"

    def test_jobs_that_were_not_given_back_are_found_without_the_others(
        self, store: StateStore
    ) -> None:
        """In order of creation, each with its newest row. A lease says if it was given back."""
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

    def test_more_jobs_than_are_read_at_a_time_come_in_order(self, store: StateStore) -> None:
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

    def test_an_id_is_a_text_and_nothing_else(self, store: StateStore) -> None:
        """Each is found by itself and begins with itself alone, whatever it means elsewhere."""
        with store.writing() as writer:
            made = {job_id: writer.add_job(job_id, 5, "digest") for job_id in _HOSTILE}
            for job in made.values():
                writer.add_row(job.number, row(1))
        with store.reading() as reader:
            assert {job_id: reader.job(job_id) for job_id in _HOSTILE} == made
            assert reader.job_ids("") == sorted(_HOSTILE)
            assert reader.entries() == list(made.values())
            for job_id in _HOSTILE:
                begin = sorted(each for each in _HOSTILE if each.startswith(job_id))
                assert reader.job_ids(job_id) == begin
                assert reader.count_jobs(job_id) == len(begin)
                assert reader.has_job(job_id)
        for job_id in _HOSTILE:
            with store.writing(job_id) as writer:
                writer.add_row(made[job_id].number, row(2))
        with store.reading() as reader:
            assert {tip.job.job_id: tip.row.seq for tip in reader.tips()} == dict.fromkeys(
                _HOSTILE, 2
            )

    def test_an_entry_can_be_put_right(self, store: StateStore) -> None:
        """As repairs and migrations do; its log and the other jobs stay as they are."""
        with store.writing() as writer:
            job, other = (writer.add_job(job_id, 5, "digest") for job_id in ("one", "two"))
            writer.add_row(job.number, row(1))
        changed = structs.replace(job, lifecycle="another")
        with store.writing() as writer:
            writer.put_job(changed)
        with store.reading() as reader:
            assert (reader.job("one"), reader.job("two")) == (changed, other)
            assert reader.newest(job.number) == (1, row(1).digest)
