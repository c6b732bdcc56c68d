"""The manager's part about what went wrong: failed attempts one by one, by item, and in groups."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from milepost import arguments
from milepost.state.manager import work
from milepost.state.manager.core import Core

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from pyroaring import BitMap

    from milepost.state.reading.failures import (
        FailedAttempt,
        Failure,
        FailureGroup,
        FailureSummary,
    )
    from milepost.state.reading.results import ResultReader
    from milepost.state.recovering.scope import Scope

__all__ = ["Failures"]

_WHAT: Final = "the record of failures"


class Failures(Core):
    """What is on record of attempts that ended without a result."""

    def failures(
        self, job_id: str, *, scope: Scope | None = None, undecoded: bool = False
    ) -> dict[str, list[Failure]]:
        """The failed attempts by item key, oldest first, of the items that had any.

        The executors that died of an item are among them.

        Args:
            job_id: The job.
            scope: Only these items, as the job stands now.
            undecoded: Give a note instead of a message that needs another payload codec.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no failures.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            CodecAbsent: Messages need another payload codec, and `undecoded` was not given.

        Cost:
            As `failed_attempts`. All of them are in memory, with their details.
        """
        arguments.flag("undecoded", undecoded)
        with self._job_log(job_id) as log:
            results = self._results(log)
            inputs, found = results.state.inputs, dict[int, list[work.Failure]]()
            members = _members(scope, results)
            for ordinal, failure, _ in results.failed(members, undecoded=undecoded):
                found.setdefault(ordinal, []).append(failure)
        return {inputs.key(ordinal): failures for ordinal, failures in sorted(found.items())}

    def failed_attempts(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        deaths: bool = False,
        undecoded: bool = False,
    ) -> Iterator[FailedAttempt]:
        """The failed attempts at items one by one, in the order in which they were recorded.

        As of the moment of the first step. Between steps nothing is held of the store, so a reader
        may take its time; if the job is deleted meanwhile, the next step raises.

        Args:
            job_id: The job.
            scope: Only these items, as the job stands now.
            deaths: Give as well the executors that died while they had an item and that it is not
                held to be to blame for.
            undecoded: Give a note instead of a message that needs another payload codec.

        Returns:
            A stream. It holds one commit, and the keys of the blocks that were read last.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no failures.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            CodecAbsent: Messages need another payload codec, and `undecoded` was not given.
            JobReplaced: The job was deleted meanwhile, and another has its id.

        Cost:
            The index of the log, the heads that it does not cover, and the bodies that hold
                failures, each decoded once; where executors died, the index of whom they had too.
        """
        if scope is not None:
            arguments.instance("scope", scope, work.Scope)
        arguments.flag("deaths", deaths)
        arguments.flag("undecoded", undecoded)
        return self._attempts(self._meet(job_id), scope, deaths=deaths, undecoded=undecoded)

    def _attempts(
        self, job_id: str, scope: Scope | None, *, deaths: bool, undecoded: bool
    ) -> Iterator[FailedAttempt]:
        with self._job_log(job_id) as log:
            job, results = log.entry, self._results(log)
            state, members = results.state, _members(scope, results)
        passages = work.Passages(self._loader, job, state)
        failed = self._result_reader(passages, job, state).failed(
            members, deaths=deaths, undecoded=undecoded
        )
        for batch in passages.batches((o, failure) for o, failure, _ in failed):
            for ordinal, failure in batch:
                yield work.FailedAttempt(ordinal, state.inputs.key(ordinal), failure)

    def failure_groups(
        self, job_id: str, scope: Scope | None = None, *, undecoded: bool = False
    ) -> list[FailureGroup]:
        """The failures of the job's items brought together by kind and cause, the most first.

        Executors that died while they had items are among them, with the cause that the lifecycle
        has for that; they count once for each item that they had.

        Args:
            job_id: The job.
            scope: Only the failures of these items, as the job stands now.
            undecoded: Give a note instead of a message that needs another payload codec.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no failures.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            CodecAbsent: Messages need another payload codec, and `undecoded` was not given.

        Cost:
            The index of the log, the heads that it does not cover, and the bodies that hold
                failures, each decoded once; where executors died, the index of whom they had too.
                Memory: one commit, and a bit for each item of each group, of which there are 1,000
                at most: further kinds are one group, `"…"`.
        """
        return list(self.failure_summary(job_id, scope, newest=0, undecoded=undecoded).groups)

    def failure_summary(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        newest: int = 5,
        upto: int | None = None,
        deaths: bool = False,
        undecoded: bool = False,
    ) -> FailureSummary:
        """The failures of the job in groups and the newest of them one by one, in one pass.

        Args:
            job_id: The job.
            scope: Only the failures of these items, as the job stands now.
            newest: How many are given one by one; their details are in memory.
            upto: Only what is recorded by commits with at most this `seq`.
            deaths: Count as well, and give one by one, the executors that died while they had an
                item and that it is not held to be to blame for.
            undecoded: Give a note instead of a message that needs another payload codec.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle records no failures.
            ScopeInvalid: The scope does not suit the job.
            ItemAbsent: The scope names an item that the job does not have.
            CodecAbsent: Messages need another payload codec, and `undecoded` was not given.

        Cost:
            As `failure_groups`.
        """
        newest = arguments.integer("newest", newest)
        if upto is not None:
            upto = arguments.ordinal("upto", upto)
        arguments.flag("deaths", deaths)
        arguments.flag("undecoded", undecoded)
        with self._job_log(job_id) as log:
            results = self._results(log)
            grouping, count = work.Grouping(), 0
            last = deque[tuple[int, work.Failure]](maxlen=newest)
            found = results.failed(_members(scope, results), deaths=True, undecoded=undecoded)
            for ordinal, failure, told in found:
                if upto is not None and failure.seq > upto:
                    break
                grouping.add(ordinal, failure)
                if told or deaths:
                    last.append((ordinal, failure))
                    count += 1
            key_of = results.state.inputs.key
            return work.FailureSummary(
                groups=tuple(grouping.groups(key_of)),
                newest=tuple(work.FailedAttempt(o, key_of(o), failure) for o, failure in last),
                count=count,
            )


def _members(scope: Scope | None, results: ResultReader) -> BitMap | None:
    """The ordinals in `scope`, None for all. Raises ScopeInvalid, ItemAbsent."""
    if scope is None:
        return None
    arguments.instance("scope", scope, work.Scope)
    return work.select_standing(scope, results.state, results, _WHAT)
