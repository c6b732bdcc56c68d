"""AsyncStateManager: the same manager, awaited. Every call runs in a thread and decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from milepost.clock import Clock
from milepost.job import CheckpointRef, JobState
from milepost.machine import Payload, Values
from milepost.state.checkpoint import Checkpoint
from milepost.state.history import StateEvent
from milepost.state.jobs import JobSummary
from milepost.state.lease import Lease
from milepost.state.manager import StateManager
from milepost.state.old_homes import HomeImport
from milepost.state.persistence import Durability
from milepost.state.recovery import RecoveryPlan
from milepost.state.results import Failure
from milepost.state.transitions import ItemEvent, Updater
from milepost.state.travel import StateDiff
from milepost.state.verification import Verification

__all__ = ["AsyncStateManager"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncStateManager:
    """A StateManager whose methods are awaited; see there for what each does and raises.

    Coroutines that write at once share a commit, as threads do: up to `threads` of them.
    """

    def __init__(self, manager: StateManager, *, threads: int = 32) -> None:
        self.manager = manager
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="milepost-aio")

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        durability: Durability = "full",
        busy_timeout_s: float = 30.0,
        clock: Clock | None = None,
        legacy: str | Path | None = None,
        threads: int = 32,
    ) -> AsyncStateManager:
        """As StateManager.open."""
        manager = await asyncio.to_thread(
            partial(
                StateManager.open,
                url,
                create=create,
                read_only=read_only,
                durability=durability,
                busy_timeout_s=busy_timeout_s,
                clock=clock,
                legacy=legacy,
            )
        )
        return cls(manager, threads=threads)

    async def close(self) -> None:
        """As StateManager.close, after what is under way."""
        await self._call(self.manager.close)
        self._threads.shutdown()

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
    ) -> JobState:
        """As StateManager.create_job."""
        return await self._call(
            self.manager.create_job, items, job_id=job_id, config=config, variables=variables
        )

    async def get_state(self, job_id: str) -> JobState:
        """As StateManager.get_state."""
        return await self._call(self.manager.get_state, job_id)

    async def list_jobs(
        self, *, phase: str | None = None, prefix: str = "", limit: int | None = None
    ) -> list[JobSummary]:
        """As StateManager.list_jobs."""
        return await self._call(self.manager.list_jobs, phase=phase, prefix=prefix, limit=limit)

    async def job_ids(self, prefix: str = "") -> list[str]:
        """As StateManager.job_ids."""
        return await self._call(self.manager.job_ids, prefix)

    async def import_jobs(
        self,
        home: str | Path,
        *,
        job_id: str | None = None,
        repo: str | None = None,
        dry_run: bool = False,
    ) -> HomeImport:
        """As StateManager.import_jobs."""
        return await self._call(
            self.manager.import_jobs, home, job_id=job_id, repo=repo, dry_run=dry_run
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
        return await self._call(
            self.manager.fire, job_id, event, payload, lease=lease, operator=operator
        )

    async def record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        """As StateManager.record."""
        return await self._call(
            self.manager.record, job_id, list(item_events), lease=lease, operator=operator
        )

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

    async def create_checkpoint(
        self, job_id: str, *, reason: str = "by hand", lease: Lease | None = None
    ) -> Checkpoint:
        """As StateManager.create_checkpoint."""
        return await self._call(self.manager.create_checkpoint, job_id, reason=reason, lease=lease)

    async def get_checkpoint(self, job_id: str, seq: int | None = None) -> Checkpoint:
        """As StateManager.get_checkpoint."""
        return await self._call(self.manager.get_checkpoint, job_id, seq)

    async def list_checkpoints(self, job_id: str) -> list[CheckpointRef]:
        """As StateManager.list_checkpoints."""
        return await self._call(self.manager.list_checkpoints, job_id)

    async def recover_from_checkpoint(
        self, checkpoint: Checkpoint | str, *, rewind: bool = False, reason: str = ""
    ) -> RecoveryPlan:
        """As StateManager.recover_from_checkpoint."""
        return await self._call(
            self.manager.recover_from_checkpoint, checkpoint, rewind=rewind, reason=reason
        )

    async def plan_rewind(self, job_id: str, seq: int, *, reason: str = "") -> RecoveryPlan:
        """As StateManager.plan_rewind."""
        return await self._call(self.manager.plan_rewind, job_id, seq, reason=reason)

    async def apply(
        self, recovery: RecoveryPlan, *, lease: Lease | None = None, operator: bool = False
    ) -> JobState:
        """As StateManager.apply."""
        return await self._call(self.manager.apply, recovery, lease=lease, operator=operator)

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

    async def results(self, job_id: str) -> AsyncIterator[tuple[str, Any]]:  # Any: JSON
        """As StateManager.results; read a slice at a time."""
        results = self.manager.results(job_id)
        while batch := await self._call(_slice, results):
            for entry in batch:
                yield entry

    async def result(self, job_id: str) -> Any:  # Any: JSON
        """As StateManager.result."""
        return await self._call(self.manager.result, job_id)

    async def failures(self, job_id: str) -> dict[str, list[Failure]]:
        """As StateManager.failures."""
        return await self._call(self.manager.failures, job_id)

    async def verify(self, job_id: str | None = None) -> list[Verification]:
        """As StateManager.verify."""
        return await self._call(self.manager.verify, job_id)

    async def check_store(self) -> list[str]:
        """As StateManager.check_store."""
        return await self._call(self.manager.check_store)

    async def _call(self, method: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(method, *args, **kwargs))


def _slice(results: Any, size: int = 256) -> list[Any]:
    return [entry for _, entry in zip(range(size), results, strict=False)]
