"""AsyncStateManager offers what StateManager does, awaited."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from milepost import AsyncStateManager, ItemEvent, LeaseHeld, StateManager


def test_every_method_is_there_with_the_same_arguments() -> None:
    """The two cannot drift apart."""
    for name, method in inspect.getmembers(StateManager, inspect.isfunction):
        if name.startswith("_"):
            continue
        other = getattr(AsyncStateManager, name)
        expected = list(inspect.signature(method).parameters)
        assert list(inspect.signature(other).parameters) == expected, name


def test_a_job_runs_through_awaited(tmp_path: Path) -> None:
    """Coroutines that record at once, a lease, a checkpoint, a plan, results and history."""

    async def run() -> None:
        async with await AsyncStateManager.open(tmp_path / "jobs.db") as manager:
            await manager.create_job([f"{n}" for n in range(40)], job_id="j")
            async with manager.lease("j", "me", 30.0) as lease:
                with pytest.raises(LeaseHeld, match="me"):
                    async with manager.lease("j", "you", 30.0):
                        pass
                await manager.fire("j", "start_map", lease=lease)

                async def one(n: int) -> None:
                    await manager.record("j", [ItemEvent(n, "start")])
                    await manager.record("j", [ItemEvent(n, "succeed", {"result": n})])

                await asyncio.gather(*(one(n) for n in range(40)))
                await manager.fire("j", "finish_map")
                checkpoint = await manager.create_checkpoint("j")
                plan = await manager.recover_from_checkpoint(checkpoint)
                assert plan.resume_phase == "reduce"
                assert (await manager.apply(plan)).phase == "reduce"
                state = await manager.fire("j", "finish_reduce", {"result": sum(range(40))})
                assert state.finished
            found = [result async for _, result in manager.results("j")]
            assert found == list(range(40))
            assert await manager.result("j") == sum(range(40))
            assert (await manager.verify("j"))[0].sound
            assert [job.phase for job in await manager.list_jobs()] == ["completed"]
            history = await manager.get_state_history("j")
            assert history[-1].kind == "released"
            assert (await manager.state_at("j", 1)).phase == "setup"
            state = await manager.get_state("j")
            assert await manager.update_state("j", lambda _: None) == state

    asyncio.run(run())
