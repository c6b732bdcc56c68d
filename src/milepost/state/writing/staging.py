"""Items on their way into a job: staged as they come in, and part of it in one last small commit.

What comes in is written in transactions of bounded size, of which nobody knows until a commit
speaks of them: a list that is long, slow or breaks off holds no lock and leaves no half of a job.
What a writer that died left behind is swept by a later one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from milepost.clock import Clock, steady
from milepost.defaults import BATCH_ROWS, pause
from milepost.errors import ItemKeyDuplicate, StagingExpired, StateError
from milepost.items.blocks import Entry, Filled, Listing, entries_in
from milepost.items.inputs import Run, Shelf
from milepost.items.key_index import SEGMENT_KEYS, Seen, Segment, hash_of, segment_of
from milepost.log.rows import InputBlock, Staged, StoredJob
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.writing.arriving import give_up, is_arrival, is_given_up, is_whole
from milepost.stores.protocol import Writer

__all__ = ["STAGED_FOR_S", "Staging", "sweep"]

_log: Final = logging.getLogger("milepost.state")

STAGED_FOR_S: Final = 7 * 24 * 3600.0
"""How long staged items are kept after their writer last wrote."""

_TOUCH_S: Final = 3600.0  # how long a writer waits for a batch to fill, if items come slowly
_BATCH_BYTES: Final = 8 * 1024 * 1024  # as stored
_SWEPT: Final = ""  # the token of what is being swept
_SWEPT_BLOCKS: Final = 64  # in one transaction


class _Batch(NamedTuple):
    """Blocks that follow each other, and where their keys are, by position in the list."""

    blocks: list[InputBlock]
    segment: Segment


class Staging:
    """One list of items on its way into the job `job_id`. For one thread.

    `number` is the job's, None for one that does not exist yet: a number is then reserved when
    the first items are staged; those of another list for the same new job, which this one
    is `behind`, go under the same number. Until they fill a batch nothing is written. Values pass
    through the loader's payload codec. Memory: a batch, which
    is 65,536 items or 8 MB as stored, and 20 bytes for each item.
    """

    def __init__(
        self,
        loader: Loader,
        clock: Clock,
        job_id: str,
        number: int | None,
        behind: Staging | None = None,
    ) -> None:
        self.number: int | None = behind.number if behind is not None else number
        self._behind = behind
        self._begun = number is not None
        self.count = 0
        self.fingerprint = ""
        self._loader = loader
        self._clock = steady(clock)
        self._job_id = job_id
        self._token = secrets.token_hex(8)
        self._touched_us = self._clock.monotonic_us()  # a wall clock that is set back delays none
        self._staged: list[tuple[int, Run]] = []  # by position in the list, in order
        self._seen = Seen()
        self._rest: _Batch | None = None
        self._rest_keys: list[str] = []
        self._runs: list[Run] | None = None

    def read(
        self, entries: Iterable[Entry], skip: Callable[[str, int], bool] | None = None
    ) -> None:
        """Take in all of `entries` but those to `skip`; what fills a batch is staged.

        Raises ItemKeyDuplicate, StagingExpired, what `entries` and `skip` raise, and the store's
        errors. No lock is held while an entry is waited for.
        """
        listing = Listing(entries, skip, self._loader.payloads)
        held: list[Filled] = []
        for filled in listing.blocks():
            if held and self._is_full([*held, filled]):
                self._stage(self._batch(held))
                held = []
            held.append(filled)
            if self._clock.monotonic_us() - self._touched_us > _TOUCH_S * 1e6:
                self._stage(self._batch(held))
                held = []
        if held:
            self._rest = self._batch(held)
            self._rest_keys = [key for filled in held for key in filled.keys]
        self.count, self.fingerprint = listing.count, listing.fingerprint

    def position(self, key: str) -> int | None:
        """Where in the list the item of that key is, None if it is not in it."""
        for position in self._seen.index.find(hash_of(key)):
            if self._key_at(position, self._rest, self._rest_keys) == key:
                return position
        return None

    def check_staged(self, writer: Writer) -> list[Staged]:
        """The staged items, of this list and of the lists before it, that others have not swept.

        Raises StagingExpired, and JobAbsent or JobReplaced where the job that has begun is gone.
        """
        staged = [s for s in writer.staged() if s.token == self._token]
        if sum(s.count for s in staged) != sum(r[1] for _, r in self._staged):
            raise self._expired(writer)
        return staged if self._behind is None else [*self._behind.check_staged(writer), *staged]

    def settle(self, writer: Writer, job: StoredJob) -> list[Run]:
        """Write what is left within the commit that speaks of the items; where all of them are.

        Raises StagingExpired if others have swept what was staged.
        """
        if self._runs is None:
            staged = sum(run[1] for _, run in self._staged)
            if writer.unstage(self._token) != staged:
                raise self._expired(writer)
            runs = [run for _, run in self._staged]
            if self._rest is not None:
                runs.append(_put(writer, job.number, self._rest))
            self._runs = _joined(runs)
        return self._runs

    def abandon(self) -> None:
        """Take away what was staged. What cannot be taken away now is swept later."""
        if not self._staged:
            return
        try:
            _sweep(self._loader, lambda staged: staged.token == self._token, self._job_id)
        except StateError as error:
            _log.warning("job %s: items that were staged stay for now: %s", self._job_id, error)

    def entries(self) -> Iterator[Entry]:
        """The items that were read, once more."""
        url, payloads = self._loader.store.url, self._loader.payloads
        for _, run in self._staged:
            with self._loader.store.reading() as reader:
                blocks = list(JobLog(self._loader, reader, self._job).blocks([run]))
            for block in blocks:
                yield from entries_in(block, url, payloads)
        for block in self._rest.blocks if self._rest else ():
            yield from entries_in(block, url, payloads)

    def _is_full(self, held: list[Filled]) -> bool:
        return (
            sum(filled.block.count for filled in held) > SEGMENT_KEYS
            or sum(len(f.block.keys) + len(f.block.values) for f in held) > _BATCH_BYTES
        )

    def _batch(self, held: list[Filled]) -> _Batch:
        """The batch of `held`, none of whose keys is in the list twice. Raises ItemKeyDuplicate."""
        keys = [key for filled in held for key in filled.keys]
        batch = _Batch([filled.block for filled in held], segment_of(held[0].block.first, keys))
        twice: tuple[int, int, str] | None = None
        for group in self._seen.add(batch.segment):
            if twice is not None and max(group[1], batch.segment.first) >= twice[0]:
                break  # no earlier one follows
            firsts: dict[str, int] = {}
            for position in group:
                key = self._key_at(position, batch, keys)
                first = firsts.setdefault(key, position)
                if first != position:
                    twice = min(twice or (position, first, key), (position, first, key))
                    break
        if twice is not None:
            raise ItemKeyDuplicate(key=twice[2], first=twice[1], second=twice[0])
        return batch

    def _key_at(self, position: int, newest: _Batch | None, keys: list[str]) -> str:
        """The key at a position of the list, of which the `newest` batch has `keys`."""
        if newest is not None and position >= newest.segment.first:
            return keys[position - newest.segment.first]
        before, (place, _) = next(e for e in reversed(self._staged) if e[0] <= position)
        return self._shelf().key(place + position - before)

    @property
    def _job(self) -> StoredJob:
        """The job, or what it will be, as far as reading its inputs goes."""
        return StoredJob(self.number or 0, self._job_id, 0, "")

    def _shelf(self) -> Shelf:
        return self._loader.shelf(self._job)

    def _stage(self, batch: _Batch) -> None:
        with self._loader.store.writing(self._job_id) as writer:
            staged = self.check_staged(writer)
            number = writer.reserve() if self.number is None else self.number
            run = _put(writer, number, batch)
            now_us = self._clock.now_us()
            for each in (*staged, Staged(number, *run, self._token, now_us)):
                writer.stage(msgspec.structs.replace(each, touched_at_us=now_us))
        self.number, self._touched_us = number, self._clock.monotonic_us()
        self._staged.append((batch.segment.first, run))

    def _expired(self, writer: Writer) -> StagingExpired:
        if self._begun:  # it may have been deleted, with what was staged for it
            log = self._loader.log(writer, self._job_id)
            log.check_same(self._job.number, "the list of items to be added")
        return StagingExpired(job_id=self._job_id, after_s=STAGED_FOR_S)


def sweep(loader: Loader, now_us: int) -> int:
    """Take away what writers that died left staged; how many places. One query if there is none.

    So goes what came in of a job from another store, unless all of it did.

    What is dated as far ahead as it would be kept is of a clock that was corrected; a writer that
    lives writes at the latest an hour after that, and is then dated as it should be.

    Each transaction takes away 64 blocks at most.
    """
    for_us = int(STAGED_FOR_S * 1e6)

    def is_left(staged: Staged) -> bool:
        if staged.token == _SWEPT or is_given_up(staged):
            return True
        return abs(now_us - staged.touched_at_us) > for_us and not is_whole(staged)

    return _sweep(loader, is_left)


def _sweep(loader: Loader, wanted: Callable[[Staged], bool], *jobs: str) -> int:
    """Take away the staged items that are `wanted`, of these jobs; of any, if none is named."""
    with loader.store.reading() as reader:
        found = [staged for staged in reader.staged() if wanted(staged)]
    for staged in found:
        if is_arrival(staged):
            give_up(loader.store, staged, BATCH_ROWS, pause)
            continue
        claimed = msgspec.structs.replace(staged, token=_SWEPT)  # its writer will find out
        done = False
        while not done:
            with loader.store.writing(*jobs) as writer:
                done = not {staged, claimed}.intersection(writer.staged())
                if not done:
                    writer.stage(claimed)
                    done = writer.sweep(claimed, _SWEPT_BLOCKS)
    return sum(staged.count for staged in found)


def _put(writer: Writer, number: int, batch: _Batch) -> Run:
    """Write a batch behind all that there is, and say where."""
    place = writer.next_place(number)
    moved_by = place - batch.segment.first
    moved = (msgspec.structs.replace(block, first=block.first + moved_by) for block in batch.blocks)
    writer.add_inputs(number, moved, [batch.segment.moved(place).stored()])
    return place, len(batch.segment.hashes)


def _joined(runs: list[Run]) -> list[Run]:
    """`runs` with those that follow each other as one."""
    joined: list[Run] = []
    for place, count in runs:
        if joined and sum(joined[-1]) == place:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((place, count))
    return joined
