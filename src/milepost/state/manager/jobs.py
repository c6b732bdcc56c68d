"""The manager's part about jobs as such: made, grown, listed, compared, imported."""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import JobAbsent, JobIdInvalid, StoreLocked
from milepost.state.manager import work
from milepost.state.manager.core import Core
from milepost.stores.unreadable import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from milepost.job.state import JobState
    from milepost.machine import Lifecycle, Values
    from milepost.state.reading.comparing import InputComparison
    from milepost.state.writing.additions import Existing
    from milepost.state.writing.given import ItemList
    from milepost.state.writing.lease import Lease
    from milepost.state.writing.new_jobs import JobSummary
    from milepost.state.writing.staging import Staging
    from milepost.stores.unreadable import OnError

__all__ = ["Jobs"]

_log: Final = logging.getLogger("milepost.state")


class Jobs(Core):
    """Jobs as such: a new one, more items for it, which there are."""

    def create_job(
        self,
        items: ItemList | None = None,
        *,
        collections: Mapping[str, ItemList] | None = None,
        job_id: str | None = None,
        config: Values | None = None,
        variables: Mapping[str, object] | None = None,
        lifecycle: str | None = None,
    ) -> JobState:
        """A new job in its initial phase; all of it is stored, or nothing.

        `items` are read once, in order, and may be of any number. Beyond the first 65,536 they are
        written as they come in, and the job is there when the last has come. No lock is held while
        an item is waited for.

        Args:
            items: The items of the lifecycle's one collection. A mapping gives keys and values. Of
                other iterables, a text or a `milepost.Item` has a key, and any other JSON value is
                known by the digest of its content. A lifecycle without collection has none.
            collections: Items by the name of their collection, where the lifecycle has several.
                Keys then begin with that name, as in `lines/7`.
            job_id: The id, of letters, digits, `.`, `_` and `-`. One is made up, if it is not
                given.
            config: The lifecycle's parameters, such as `max_attempts`. Those that several machines
                have stand under the name of the collection. The one that bounds dead items may be
                a share of the items, as 0.05: rounded down, it is recorded as their number.
            variables: The job's first variables, JSON values by name.
            lifecycle: The name of the lifecycle to run by. The manager's first one, if it is not
                given.

        Returns:
            The state of the new job.

        Raises:
            JobExists: There is a job of that id.
            JobIdInvalid: The id is not legal.
            ArgumentInvalid: The items do not suit the collections of the lifecycle.
            ValueInvalid: An item or a variable cannot be stored as JSON.
            TooLarge: A value is larger than the limits.
            ItemKeyDuplicate: Two items have one key.
            ContextInvalid: A parameter is unknown, missing or out of range.
            InvariantBroken: The job would begin with an invariant that does not hold.
            StagingExpired: The items came in so slowly that others took them for left behind.

        Cost:
            Memory for 65,536 items or 8 MB as stored, and 20 bytes for each item.
        """
        job_id = work.check_job_id(self._new_job_id() if job_id is None else job_id)
        of = self._named(lifecycle)
        lists = work.lists_of(of, items, collections)
        given = {} if config is None else arguments.mapping("config", config)
        first = {} if variables is None else arguments.mapping("variables", variables)
        new = work.NewJob.prepare(of, given, first, self._limits)
        with self._store.reading() as reader:
            work.check_absent(self._loader, reader, job_id)
        self._sweep()
        stagings: dict[str, Staging] = {}
        staging: Staging | None = None
        try:
            for name in of.collections:
                staging = work.Staging(self._loader, self._clock, job_id, None, staging)
                stagings[name] = staging
                entries = work.entries_for(of, name, lists.get(name, ()), self._loader.payloads)
                staging.read(work.checked_entries(self._limits, entries))
            with self._store.writing(job_id) as writer:
                new.store(self._loader, writer, job_id, stagings, self._clock.now_us())
                earlier = writer.tombstone(job_id)
                state = self._written(writer, job_id)
        except BaseException:
            for staging in stagings.values():
                staging.abandon()
            raise
        self._metrics.began_job("created", new.created.lifecycle)
        _log.info("job %s created with %d items", job_id, state.items.count)
        if earlier is not None:
            when = work.instant(earlier.deleted_at_us)
            _log.info("job %s: an earlier job of that id was deleted at %s", job_id, when)
        self._appender.remember(state)
        return state

    def add_items(
        self,
        job_id: str,
        items: ItemList,
        *,
        collection: str | None = None,
        existing: Existing = "refuse",
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """Add items behind those that the job has, in their initial state; all, or none.

        Items can be added in the phase that a job begins in, and in phases that accept every first
        event of an item: setup and map, in the built-in lifecycle. A rewind to an earlier commit
        takes them out again.

        Args:
            job_id: The job.
            items: Items as for `create_job`, at the same cost.
            collection: The collection that they are of, where the lifecycle has several.
            existing: For an item whose key the job has, `"refuse"` raises ItemExists and `"skip"`
                leaves the item out.
            lease: The lease to write under. Not given, it is the one that this manager holds.
            operator: Write even while another executor holds the job.

        Returns:
            The state with the new items.

        Raises:
            JobAbsent: The store has no such job.
            ItemsRefused: The job takes no items in its phase.
            InvariantBroken: So many items would break what the lifecycle declares.
            ItemExists: The job has an item of that key.
            ItemKeyDuplicate: Two of the new items have one key.
            ValueInvalid: An item cannot be stored as JSON.
            LeaseHeld: Another executor holds the job, and neither a lease nor `operator` was given.
            LeaseLost: The lease is no longer the job's.
            StagingExpired: The items came in so slowly that others took them for left behind.
            UpdateConflict: Others rewound the job meanwhile.
        """
        job_id = work.check_job_id(job_id)
        items = arguments.items("items", items)
        arguments.choice("existing", existing, ("refuse", "skip"))
        arguments.flag("operator", operator)
        self._sweep()
        state = work.add_items(
            self._loader,
            self._clock,
            job_id,
            items,
            self._limits,
            collection=collection,
            existing=existing,
            lease=self._lease_for(job_id, lease),
            operator=operator,
            newest=lambda: self.get_state(job_id),
            append=lambda decision: self._append(job_id, decision),
        )
        _log.info("job %s has %d items now", job_id, state.items.count)
        return state

    def list_jobs(
        self,
        *,
        phase: str | None = None,
        lifecycle: str | None = None,
        prefix: str = "",
        limit: int | None = None,
        on_error: OnError = refuse,
    ) -> list[JobSummary]:
        """The jobs, newest first.

        Args:
            phase: Only jobs in this phase.
            lifecycle: Only jobs of the lifecycle of this name.
            prefix: Only jobs whose id begins with this.
            limit: At most so many.
            on_error: Is called for each job that cannot be read, which is left out then.

        Raises:
            StoreUnreadable: A job cannot be read that is looked at, and no `on_error` was given.

        Cost:
            One row a job that is looked at: the newest ones until `limit` are found, or those with
                the prefix. Of jobs of other lifecycles, the entry. With a prefix, the ids of all
                entries are looked through besides, by SQLite, at 60 ns each.
        """
        if phase is not None:
            phase = arguments.text("phase", phase)
        if lifecycle is not None:
            lifecycle = arguments.text("lifecycle", lifecycle)
        if limit is not None:
            limit = arguments.integer("limit", limit)
        prefix = arguments.text("prefix", prefix)
        arguments.calls("on_error", on_error)
        with self._store.reading() as reader:
            found = work.summaries(
                self._loader, reader, on_error, prefix=prefix, lifecycle=lifecycle, phase=phase
            )
            return list(islice(found, limit))

    def summary(self, job_id: str) -> JobSummary:
        """One line about one job, as `list_jobs` has it. Its lifecycle need not be at hand.

        Args:
            job_id: The job.

        Raises:
            JobAbsent: The store has no such job.
            StoreUnreadable: Its entry or its newest row is damaged.

        Cost:
            One row.

        """
        with self._job_log(job_id) as log:
            return work.summary(log)

    def job_ids(
        self, prefix: str = "", *, limit: int | None = None, on_error: OnError = refuse
    ) -> list[str]:
        """The ids of the jobs, in alphabetical order.

        Args:
            prefix: Only ids that begin with this.
            limit: At most so many, the first ones.
            on_error: Is called for each of these entries that cannot be read, which is left out.

        Raises:
            StoreUnreadable: An entry cannot be read that is asked for, and no `on_error` was given.

        Cost:
            The entries that are asked for, by a range of the index of ids. The ids of all entries
                are looked through besides, by SQLite, at 60 ns each.
        """
        prefix = arguments.text("prefix", prefix)
        if limit is not None:
            limit = arguments.integer("limit", limit)
        arguments.calls("on_error", on_error)
        with self._store.reading() as reader:
            return reader.job_ids(prefix, on_error, limit=limit)

    def has_job(self, job_id: str) -> bool:
        """True if there is a job of that id, which is imported if an old home has it.

        Args:
            job_id: The id; a text that can be none is that of no job.

        Raises:
            StoreUnreadable: Its entry is damaged.
            ImportFailed: The old home has the job, and it cannot be imported.

        Cost:
            One look-up. That there is none is looked up in the entries too, by SQLite, at 60 ns
                each.
        """
        job_id = arguments.text("job_id", job_id)
        if self._legacy is not None:
            try:
                self._meet(job_id)
            except (JobIdInvalid, JobAbsent):
                return False
        with self._store.reading() as reader:
            return reader.has_job(job_id) or reader.job(job_id) is not None

    def count_jobs(self, prefix: str = "") -> int:
        """How many jobs there are.

        Args:
            prefix: Only jobs whose id begins with this.

        Raises:
            StoreUnreadable: The index of ids and the entries are not as many.

        Cost:
            Ids alone are looked at, by SQLite, at 60 ns each at the most.
        """
        prefix = arguments.text("prefix", prefix)
        with self._store.reading() as reader:
            return reader.count_jobs(prefix)

    def compare_inputs(
        self,
        job_id: str,
        items: ItemList | None = None,
        *,
        collections: Mapping[str, ItemList] | None = None,
    ) -> InputComparison:
        """How `items` differ from the items of the job: same, more, fewer or changed, and which.

        Items in another order are the same items; `reordered` names those that come later
        than before.

        Args:
            job_id: The job.
            items: Items as for `create_job`; they are read once.
            collections: Items by collection, as for `create_job`.

        Raises:
            JobAbsent: The store has no such job.
            ValueInvalid: An item cannot be stored, so it can be no item of the job.
            StoreUnreadable: The job's items are damaged.

        Cost:
            Streamed; one block of the job's items is held as long as they come in its order.
                From the first that does not, its keys are, and a digest of each value.
        """
        state = self.get_state(job_id)
        of, payloads = state.lifecycle, self._loader.payloads
        lists = work.lists_of(of, items, collections)
        entries = (work.entries_for(of, name, given, payloads) for name, given in lists.items())
        return work.compare(state, chain.from_iterable(entries), payloads)

    def _named(self, lifecycle: str | None) -> Lifecycle:
        """The lifecycle of that name, or the default. Raises ArgumentInvalid."""
        tables = self._loader.tables
        if lifecycle is None:
            return tables.default
        return tables.current[str(arguments.choice("lifecycle", lifecycle, tables.current))]

    def _sweep(self) -> None:
        """Take away what is left of items whose writers died; a store that is busy is left be."""
        if not self._store.read_only:
            with suppress(StoreLocked):
                work.sweep(self._loader, self._clock.now_us())
