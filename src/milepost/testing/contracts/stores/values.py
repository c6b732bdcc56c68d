"""What a store is given it gives back: each field of each kind of row, whatever is in it."""

from __future__ import annotations

import random
import unicodedata

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

__all__ = ["ValueContract"]

_HUGE = 2**53 + 1
"""A whole number that no float has: microseconds of the year 2255."""

_TEXT = "  Ünïcode'\"\\%_\n\t\u202e\U0001f600 " + "long" * 300 + " "
_BYTES = b" \n" + bytes(range(256)) + b"\xff\x00 \n"
_LARGE = random.Random(7).randbytes(2_000_003) + b"\x00"  # noqa: S311 no secret
"""More than a store may take in one piece, and of no text; its values have such a length too."""


class ValueContract(OpenedStore):
    """Values: what was given is given back, to the last bit."""

    def test_each_field_of_a_commit_is_given_back(self, store: StateStore) -> None:
        """By each method that gives a row, and of a log that came in at once."""
        first = Row(1, 0, 0, 0, 1, "jj", b"", b"", b"", b"", b"\x00")
        rows = [
            first,
            Row(2, 2**31, _HUGE, 70_000, 2, "zz+aes", _BYTES, _BYTES, _BYTES, _BYTES, _BYTES),
            Row(3, _HUGE, 1, 1, 1, "jz", _LARGE, b"[]", _LARGE, b"\x00" * 32, b"\x00" * 32),
        ]
        with store.writing() as writer:
            one = writer.add_job("one", _HUGE, _TEXT)
            two = writer.add_job("two", 0, "digest")
            for each in rows:
                writer.add_row(one.number, each)
            writer.add_rows(two.number, rows)
        with store.reading() as reader:
            assert (reader.job("one"), reader.job("two")) == (one, two)
            assert (one.created_at_us, one.lifecycle, two.created_at_us) == (_HUGE, _TEXT, 0)
            for job in (one, two):
                assert list(reader.rows(job.number, bodies=True)) == rows
                heads = [
                    (each.seq, each.fence, each.at_us, each.count, each.head, each.after)
                    for each in reader.rows(job.number)
                ]
                assert heads == [
                    (each.seq, each.fence, each.at_us, each.count, each.head, each.after)
                    for each in rows
                ]
                tip = reader.tip(job.number)
                assert tip is not None
                assert (tip.seq, tip.fence, tip.head, tip.digest) == (3, _HUGE, _LARGE, b"\0" * 32)
                assert reader.newest(job.number) == (3, b"\x00" * 32)

    def test_each_field_beside_a_log_is_given_back(self, store: StateStore) -> None:
        """Checkpoints, spans, leases, keeps, descriptions; nothing is not the same as 0."""
        checkpoints = [
            StoredCheckpoint(2, _HUGE, _TEXT, _BYTES, _BYTES, _LARGE),
            StoredCheckpoint(1, 0, "", b"", b"", b""),
        ]
        spans = [
            StoredSpan(1, 1, b"", b"", b"s", b"\x00"),
            StoredSpan(2, 3, _BYTES, _LARGE, _BYTES, _LARGE),
        ]
        leases = [
            StoredLease("", 0, 0),
            StoredLease("zero", 1, 0, 0, 0, "", "", 0, 0),
            StoredLease(_TEXT, _HUGE, _HUGE, _HUGE, _HUGE, _TEXT, _TEXT, 2**31, _HUGE),
            StoredLease(_TEXT, _HUGE, _HUGE, _HUGE + 2, _HUGE + 2, _TEXT, _TEXT, 2**31, _HUGE),
        ]
        keeps = [StoredKeep(None, "", 0), StoredKeep(0, "", 0), StoredKeep(_HUGE, _TEXT, _HUGE)]
        told = StoredLifecycle(_TEXT, _TEXT, 2**31, b'{"doc": "%s"}' % (b"x" * 2_000_000))
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            for checkpoint in checkpoints:
                writer.put_checkpoint(job, checkpoint)
            for span in spans:
                writer.put_span(job, span)
            writer.put_lifecycle(told)
        with store.reading() as reader:
            assert list(reader.checkpoints(job)) == checkpoints
            assert list(reader.states(job, 9)) == spans[::-1]
            assert [(each.digest, each.index) for each in reader.spans(job)] == [
                (each.digest, each.index) for each in spans
            ]
            assert reader.lifecycle(_TEXT) == told
            assert reader.lifecycles() == [told]
        for lease in (*leases, leases[-1].given_back(), *leases[::-1]):
            with store.writing() as writer:
                writer.put_lease(job, lease)
            with store.reading() as reader:
                assert reader.lease(job) == lease
        for keep in keeps:
            with store.writing() as writer:
                writer.put_keep(job, keep)
            with store.reading() as reader:
                assert reader.keep(job) == keep

    def test_each_field_of_items_is_given_back(self, store: StateStore) -> None:
        """Their blocks, the index of their keys, and what is coming in."""
        blocks = [
            InputBlock(0, 70_000, "zz", _LARGE, _LARGE, _BYTES),
            InputBlock(70_000, 1, "jj", b"", b"\x00", b""),
        ]
        segments = [
            KeySegment(0, 70_000, _LARGE, _BYTES, _BYTES),
            KeySegment(70_000, 1, b"", b"", b""),
        ]
        with store.writing() as writer:
            job = writer.add_job("one", 5, "digest").number
            staged = Staged(job, 70_001, 70_000, _TEXT, _HUGE)
            writer.add_inputs(job, blocks, segments)
            writer.stage(staged)
        with store.reading() as reader:
            assert list(reader.inputs(job)) == blocks
            assert list(reader.key_segments(job, 0, 70_001)) == segments
            assert reader.staged() == [staged]
            assert reader.next_place(job) == 140_001
        with store.writing() as writer:
            assert writer.unstage(_TEXT) == 70_000

    def test_each_field_of_what_is_gone_is_given_back(self, store: StateStore) -> None:
        """Tombstones, and rows that were set aside, whole."""
        with store.writing() as writer:
            job = writer.add_job(_TEXT, 5, "digest")
            writer.put_checkpoint(job.number, StoredCheckpoint(1, 1, "r", b"c", b"d", _LARGE))
            count = writer.set_aside(
                job.number, "checkpoints", job_id=_TEXT, reason=_TEXT, at_us=_HUGE
            )
            assert count == 1
            writer.bury(job, _HUGE, _TEXT)
        with store.reading() as reader:
            (found,) = reader.quarantine()
            assert (found.job_id, found.reason, found.at_us) == (_TEXT, _TEXT, _HUGE)
            assert (found.source, found.key) == ("checkpoints", 1)
            assert len(found.content) > len(_LARGE)
            gone = reader.tombstone(_TEXT)
            assert gone is not None
            assert (gone.job_id, gone.deleted_at_us, gone.reason) == (_TEXT, _HUGE, _TEXT)
            assert reader.tombstones_left() == [gone]

    def test_an_id_that_is_almost_another_is_not_that_other(self, store: StateStore) -> None:
        """In upper case, with a space behind it, in another form of Unicode, cut short."""
        ids = ["Straße", "É", "job ", "l" * 300]
        alike = [each.lower() for each in ids] + [each.upper() for each in ids]
        alike += [unicodedata.normalize("NFD", each) for each in ids] + [
            "strasse",
            "job",
            "l" * 255,
        ]
        alike += [f"{each} " for each in ids] + [f"{each}\n" for each in ids]
        others = [each for each in dict.fromkeys(alike) if each not in ids]
        with store.writing() as writer:
            made = [writer.add_job(each, 5, "digest") for each in ids]
        with store.reading() as reader:
            assert [reader.job(each) for each in ids] == made
            assert [each for each in others if reader.job(each) or reader.has_job(each)] == []
            counted = [reader.count_jobs(each) for each in ("straße", "STRASSE", "É".lower())]
            assert counted == [0, 0, 0]
        with store.writing() as writer:
            for job in made:
                writer.bury(job, 5, "old")
        with store.reading() as reader:
            assert [each for each in others if reader.tombstone(each)] == []
            assert [reader.tombstone(each) is not None for each in ids] == [True] * len(ids)
