"""AsyncStateManager: the same manager, awaited. Every call runs in a thread; it decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from milepost import arguments
from milepost.aio.gathering import Coalescer
from milepost.clock import Clock
from milepost.errors import StoreForked
from milepost.job.state import CheckpointRef, JobState
from milepost.log.payloads import PayloadCodec
from milepost.log.rows import StoreFormat, Stray, Vacuumed
from milepost.machine import Lifecycle, Payload, Values
from milepost.process.forks import here
from milepost.state.checkpoint import KEPT, Checkpoint
from milepost.state.keeping.collecting import BATCH_ROWS, Collected, pause
from milepost.state.keeping.compaction import Compaction
from milepost.state.keeping.old_homes import HomeImport, OnJob
from milepost.state.keeping.quarantine import QuarantinedRow
from milepost.state.keeping.repair import Repair
from milepost.state.keeping.retention import Kept, RetentionPlan, RetentionPolicy
from milepost.state.limits import LARGEST, Limits
from milepost.state.manager import StateManager
from milepost.state.persistence import Create, Durability
from milepost.state.reading.comparing import InputComparison
from milepost.state.reading.history import StateEvent
from milepost.state.reading.results import Failure, Order
from milepost.state.reading.sizes import JobSizes
from milepost.state.reading.travel import StateDiff
from milepost.state.reading.verification import Verification
from milepost.state.recovering.dead_letters import DeadLetter
from milepost.state.recovering.reaping import StuckJob
from milepost.state.recovering.scope import Scope
from milepost.state.recovery import RecoveryPlan
from milepost.state.transitions import ItemEvent, JobEvent, Updater, Write
from milepost.state.writing.additions import Existing
from milepost.state.writing.lease import Holding, Lease
from milepost.state.writing.new_jobs import JobSummary
from milepost.stores.omissions import OnError, ignore, refuse

__all__ = ["AsyncStateManager"]

_MAX_THREADS: Final = 10_000

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncStateManager:
    """A StateManager whose methods are awaited; see there for what each does and raises.

    Coroutines that `record` or `fire` at once share a commit, any number of them, and one thread.
    Other calls run side by side in up to `threads`. A coroutine that is cancelled while it waits
    takes nothing back.
    """

    def __init__(self, manager: StateManager, *, threads: int = 32) -> None:
        arguments.instance("manager", manager, StateManager)
        threads = arguments.integer("threads", threads, 1, _MAX_THREADS)
        self.manager = manager
        self._here = here()  # the threads are in this process alone
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="milepost-aio")
        self._writes = Coalescer(manager.write_each, self._threads)

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        create: Create = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        lifecycle: Lifecycle | None = None,
        lifecycles: Sequence[Lifecycle] = (),
        earlier: Sequence[Lifecycle] = (),
        allow_network: bool = False,
        clock: Clock | None = None,
        payload_codec: PayloadCodec | None = None,
        limits: Limits | None = None,
        legacy: str | Path | None = None,
        threads: int = 32,
    ) -> AsyncStateManager:
        """As StateManager.open."""
        arguments.integer("threads", threads, 1, _MAX_THREADS)
        manager = await asyncio.to_thread(
            partial(
                StateManager.open,
                url,
                create=create,
                read_only=read_only,
                durability=durability,
                busy_timeout_s=busy_timeout_s,
                lifecycle=lifecycle,
                lifecycles=lifecycles,
                earlier=earlier,
                allow_network=allow_network,
                clock=clock,
                payload_codec=payload_codec,
                limits=limits,
                legacy=legacy,
            )
        )
        return cls(manager, threads=threads)

    async def now_us(self) -> int:
        """As StateManager.now_us."""
        return self.manager.now_us()

    async def monotonic_us(self) -> int:
        """As StateManager.monotonic_us."""
        return self.manager.monotonic_us()

    async def close(self) -> None:
        """As StateManager.close, after what is under way."""
        if self._here is not here():
            return
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.manager.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def create_job(
        self,
        items: Iterable[object] | Mapping[str, object],
        *,
        job_id: str | None = None,
        config: Values | None = None,
        variables: Mapping[str, object] | None = None,
        lifecycle: str | None = None,
    ) -> JobState:
        """As StateManager.create_job."""
        return await self._call(
            self.manager.create_job,
            items,
            job_id=job_id,
            config=config,
            variables=variables,
            lifecycle=lifecycle,
        )

    async def add_items(
        self,
        job_id: str,
        items: Iterable[object] | Mapping[str, object],
        *,
        existing: Existing = "refuse",
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """As StateManager.add_items; `items` are read in a thread."""
        return await self._call(
            self.manager.add_items,
            job_id,
            items,
            existing=existing,
            lease=lease,
            operator=operator,
        )

    async def get_state(self, job_id: str) -> JobState:
        """As StateManager.get_state."""
        return await self._call(self.manager.get_state, job_id)

    async def list_jobs(
        self,
        *,
        phase: str | None = None,
        lifecycle: str | None = None,
        prefix: str = "",
        limit: int | None = None,
        on_error: OnError = refuse,
    ) -> list[JobSummary]:
        """As StateManager.list_jobs; `on_error` is called in a thread."""
        return await self._call(
            self.manager.list_jobs,
            phase=phase,
            lifecycle=lifecycle,
            prefix=prefix,
            limit=limit,
            on_error=on_error,
        )

    async def job_ids(self, prefix: str = "", *, on_error: OnError = refuse) -> list[str]:
        """As StateManager.job_ids; `on_error` is called in a thread."""
        return await self._call(self.manager.job_ids, prefix, on_error=on_error)

    async def compare_inputs(
        self, job_id: str, items: Iterable[object] | Mapping[str, object]
    ) -> InputComparison:
        """As StateManager.compare_inputs; the items are read in a thread."""
        return await self._call(self.manager.compare_inputs, job_id, items)

    async def import_jobs(
        self,
        home: str | Path,
        *,
        job_id: str | None = None,
        repo: str | None = None,
        dry_run: bool = False,
        on_job: OnJob | None = None,
    ) -> HomeImport:
        """As StateManager.import_jobs; `on_job` is called in a thread."""
        return await self._call(
            self.manager.import_jobs,
            home,
            job_id=job_id,
            repo=repo,
            dry_run=dry_run,
            on_job=on_job,
        )

    async def fire(
        self,
        job_id: str,
        event: str,
        payload: Values | Payload | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """As StateManager.fire."""
        self._refuse_forked()
        return await self._writes.write(Write(job_id, [JobEvent(event, payload)], lease, operator))

    async def record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """As StateManager.record."""
        wanted = list(arguments.iterable("item_events", item_events, "an iterable of ItemEvent"))
        self._refuse_forked()
        return await self._writes.write(Write(job_id, wanted, lease, operator))

    async def write_each(self, writes: Iterable[Write]) -> list[JobState | Exception]:
        """As StateManager.write_each."""
        asked = list(arguments.iterable("writes", writes, "an iterable of Write"))
        return await self._call(self.manager.write_each, asked)

    async def update_state(
        self,
        job_id: str,
        updater: Updater,
        *,
        lease: Lease | None = None,
        operator: bool = False,
        tries: int = 20,
    ) -> JobState:
        """As StateManager.update_state; the updater runs in a thread."""
        return await self._call(
            self.manager.update_state,
            job_id,
            updater,
            lease=lease,
            operator=operator,
            tries=tries,
        )

    @asynccontextmanager
    async def lease(
        self,
        job_id: str,
        owner: str | None = None,
        ttl_s: float = 30.0,
        *,
        takeover: str = "",
        renewed: bool = True,
    ) -> AsyncIterator[Lease]:
        """As StateManager.lease."""
        held = self.manager.lease(job_id, owner, ttl_s, takeover=takeover, renewed=renewed)
        lease = await self._call(held.__enter__)
        try:
            yield lease
        finally:
            await self._call(held.__exit__, None, None, None)

    async def phase_entered(self, job_id: str, seq: int) -> int:
        """As StateManager.phase_entered."""
        return await self._call(self.manager.phase_entered, job_id, seq)

    async def lease_expires_at(self, job_id: str) -> datetime | None:
        """As StateManager.lease_expires_at."""
        return await self._call(self.manager.lease_expires_at, job_id)

    async def holder(self, job_id: str) -> Holding | None:
        """As StateManager.holder."""
        return await self._call(self.manager.holder, job_id)

    async def create_checkpoint(
        self,
        job_id: str,
        *,
        reason: str = "by hand",
        lease: Lease | None = None,
        keep: int = KEPT,
    ) -> Checkpoint:
        """As StateManager.create_checkpoint."""
        return await self._call(
            self.manager.create_checkpoint, job_id, reason=reason, lease=lease, keep=keep
        )

    async def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """As StateManager.get_checkpoint."""
        return await self._call(self.manager.get_checkpoint, job_id, seq)

    async def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """As StateManager.list_checkpoints."""
        return await self._call(self.manager.list_checkpoints, job_id)

    async def recover_from_checkpoint(
        self,
        checkpoint: Checkpoint | str,
        *,
        rewind: bool = False,
        reason: str = "",
        scope: Scope | None = None,
    ) -> RecoveryPlan:
        """As StateManager.recover_from_checkpoint."""
        return await self._call(
            self.manager.recover_from_checkpoint,
            checkpoint,
            rewind=rewind,
            reason=reason,
            scope=scope,
        )

    async def plan_rewind(self, job_id: str, seq: int, *, reason: str = "") -> RecoveryPlan:
        """As StateManager.plan_rewind."""
        return await self._call(self.manager.plan_rewind, job_id, seq, reason=reason)

    async def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """As StateManager.apply."""
        return await self._call(self.manager.apply, recovery, lease=lease, operator=operator)

    async def keep(self, job_id: str, *, for_: timedelta | None, reason: str = "") -> Kept:
        """As StateManager.keep."""
        return await self._call(self.manager.keep, job_id, for_=for_, reason=reason)

    async def keep_by_policy(self, job_id: str) -> None:
        """As StateManager.keep_by_policy."""
        await self._call(self.manager.keep_by_policy, job_id)

    async def kept(self, job_id: str) -> Kept | None:
        """As StateManager.kept."""
        return await self._call(self.manager.kept, job_id)

    async def plan_retention(self, policy: RetentionPolicy | None = None) -> RetentionPlan:
        """As StateManager.plan_retention."""
        return await self._call(self.manager.plan_retention, policy)

    async def collect(
        self,
        retention: RetentionPlan,
        *,
        batch_rows: int = BATCH_ROWS,
        rest: Callable[[], None] = pause,
    ) -> Collected:
        """As StateManager.collect; `rest` is called in a thread."""
        return await self._call(self.manager.collect, retention, batch_rows=batch_rows, rest=rest)

    async def vacuum(self) -> Vacuumed:
        """As StateManager.vacuum."""
        return await self._call(self.manager.vacuum)

    async def sizes(self, job_id: str, *, largest: int = LARGEST) -> JobSizes:
        """As StateManager.sizes."""
        return await self._call(self.manager.sizes, job_id, largest=largest)

    async def stuck_jobs(
        self, *, on_error: OnError = refuse, on_unknown: OnError = ignore
    ) -> list[StuckJob]:
        """As StateManager.stuck_jobs; `on_error` and `on_unknown` are called in a thread."""
        return await self._call(self.manager.stuck_jobs, on_error=on_error, on_unknown=on_unknown)

    async def reap(self, job_id: str, *, owner: str | None = None, reason: str = "") -> JobState:
        """As StateManager.reap."""
        return await self._call(self.manager.reap, job_id, owner=owner, reason=reason)

    async def dead_letters(
        self, job_id: str, scope: Scope | None = None
    ) -> AsyncIterator[DeadLetter]:
        """As StateManager.dead_letters; read a slice at a time."""
        letters = self.manager.dead_letters(job_id, scope)
        while batch := await self._call(_slice, letters):
            for letter in batch:
                yield letter

    async def requeue(
        self,
        job_id: str,
        scope: Scope | None = None,
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """As StateManager.requeue."""
        return await self._call(self.manager.requeue, job_id, scope, lease=lease, operator=operator)

    async def get_state_history(
        self, job_id: str, *, after: int = 0, upto: int | None = None
    ) -> list[StateEvent]:
        """As StateManager.get_state_history."""
        return await self._call(self.manager.get_state_history, job_id, after=after, upto=upto)

    async def state_at(self, job_id: str, seq: int) -> JobState:
        """As StateManager.state_at."""
        return await self._call(self.manager.state_at, job_id, seq)

    async def seq_at(self, job_id: str, at: datetime) -> int:
        """As StateManager.seq_at."""
        return await self._call(self.manager.seq_at, job_id, at)

    async def diff(self, job_id: str, before: int, after: int) -> StateDiff:
        """As StateManager.diff."""
        return await self._call(self.manager.diff, job_id, before, after)

    async def fork(
        self, job_id: str, seq: int, new_job_id: str | None = None, *, reason: str = ""
    ) -> JobState:
        """As StateManager.fork."""
        return await self._call(self.manager.fork, job_id, seq, new_job_id, reason=reason)

    async def results(
        self,
        job_id: str,
        *,
        keys: Iterable[str] | None = None,
        ordinals: Iterable[int] | None = None,
        order: Order = "items",
    ) -> AsyncIterator[tuple[str, Any]]:  # Any: JSON
        """As StateManager.results; read a slice at a time."""
        results = self.manager.results(job_id, keys=keys, ordinals=ordinals, order=order)
        while batch := await self._call(_slice, results):
            for entry in batch:
                yield entry

    async def result_of(self, job_id: str, item: str | int) -> Any:  # Any: JSON
        """As StateManager.result_of."""
        return await self._call(self.manager.result_of, job_id, item)

    async def result(self, job_id: str) -> Any:  # Any: JSON
        """As StateManager.result."""
        return await self._call(self.manager.result, job_id)

    async def failures(self, job_id: str, *, undecoded: bool = False) -> dict[str, list[Failure]]:
        """As StateManager.failures."""
        return await self._call(self.manager.failures, job_id, undecoded=undecoded)

    async def verify(self, job_id: str | None = None) -> list[Verification]:
        """As StateManager.verify."""
        return await self._call(self.manager.verify, job_id)

    async def stored_ids(self) -> list[str]:
        """As StateManager.stored_ids."""
        return await self._call(self.manager.stored_ids)

    async def check_store(self) -> list[str]:
        """As StateManager.check_store."""
        return await self._call(self.manager.check_store)

    async def compact(self, job_id: str, *, dry_run: bool = False) -> Compaction:
        """As StateManager.compact."""
        return await self._call(self.manager.compact, job_id, dry_run=dry_run)

    async def store_format(self) -> StoreFormat:
        """As StateManager.store_format."""
        return await self._call(self.manager.store_format)

    async def back_up(self, copy: str | Path) -> int:
        """As StateManager.back_up."""
        return await self._call(self.manager.back_up, copy)

    async def repair(self, job_id: str, *, apply: bool = False) -> Repair:
        """As StateManager.repair."""
        return await self._call(self.manager.repair, job_id, apply=apply)

    async def list_strays(self) -> list[Stray]:
        """As StateManager.list_strays."""
        return await self._call(self.manager.list_strays)

    async def set_strays_aside(self) -> list[Stray]:
        """As StateManager.set_strays_aside."""
        return await self._call(self.manager.set_strays_aside)

    async def quarantine(self, job_id: str | None = None) -> AsyncIterator[QuarantinedRow]:
        """As StateManager.quarantine; read a slice at a time."""
        rows = self.manager.quarantine(job_id)
        while batch := await self._call(_slice, rows):
            for row in batch:
                yield row

    async def _call(self, method: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        self._refuse_forked()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(method, *args, **kwargs))

    def _refuse_forked(self) -> None:
        if self._here is not here():
            raise StoreForked(url=self.manager.url)


def _slice(results: Any, size: int = 256) -> list[Any]:
    return [entry for _, entry in zip(range(size), results, strict=False)]
