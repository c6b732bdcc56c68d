"""AsyncStateManager offers what StateManager does, awaited."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import (
    AsyncStateManager,
    ItemEvent,
    JobAbsent,
    JobState,
    LeaseHeld,
    StateManager,
    TransitionRefused,
    Write,
)
from milepost.errors import PayloadInvalid, StoreError
from milepost.lifecycles import mapreduce, mapreduce_v1

JOB = "j"
ITEMS = 100


def surface(kind: type) -> dict[str, list[str]]:
    """The public names of a class, each with its parameters, types and defaults; none for data."""
    found: dict[str, list[str]] = {}
    for name, member in inspect.getmembers_static(kind):
        if name.startswith("_"):
            continue
        function = member.__func__ if isinstance(member, classmethod) else member
        found[name] = []
        if inspect.isfunction(function):
            given = list(inspect.signature(function).parameters.values())[1:]
            found[name] = [str(parameter) for parameter in given]
    return found


def test_every_name_is_there_with_the_same_arguments() -> None:
    """`open` and properties among them; the twin of `open` takes the number of threads beside."""
    expected = surface(StateManager)
    assert "lifecycle" in str(expected["open"])
    expected["open"].append("threads: 'int' = 32")
    assert surface(AsyncStateManager) == expected


def test_open_takes_a_lifecycle_and_its_earlier_versions(tmp_path: Path) -> None:
    """A job that was made under an earlier version goes on under the newest."""
    path = tmp_path / "jobs.db"

    async def run() -> None:
        async with await AsyncStateManager.open(path, lifecycle=mapreduce_v1.LIFECYCLE) as old:
            assert (await old.create_job(["a"], job_id=JOB)).lifecycle.version == 1
        lifecycles = {"lifecycle": mapreduce.LIFECYCLE, "earlier": [mapreduce_v1.LIFECYCLE]}
        async with await AsyncStateManager.open(path, **lifecycles, threads=2) as new:
            assert (await new.fire(JOB, "start_map")).lifecycle == mapreduce.LIFECYCLE

    asyncio.run(run())


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


class Gated:
    """A manager whose first lot of writes waits until it is let go; it says how large lots were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.manager = StateManager.open(path, durability="process")
        self.manager.create_job([f"{n}" for n in range(ITEMS)], job_id=JOB)
        self.manager.fire(JOB, "start_map")
        self.lots: list[int] = []
        self.begun, self.go = threading.Event(), threading.Event()
        write_each = StateManager.write_each

        def gated(manager: StateManager, writes: Iterable[Write]) -> list[JobState | Exception]:
            asked = list(writes)
            self.lots.append(len(asked))
            self.begun.set()
            assert self.go.wait(timeout=60)
            return write_each(manager, asked)

        monkeypatch.setattr(StateManager, "write_each", gated)

    async def begins(self) -> None:
        """Return once the first lot has come."""
        await asyncio.to_thread(self.begun.wait, 60)


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Gated]:
    found = Gated(monkeypatch, tmp_path / "jobs.db")
    yield found
    found.manager.close()


def start(manager: AsyncStateManager, item: int) -> asyncio.Task[JobState]:
    return asyncio.create_task(manager.record(JOB, [ItemEvent(item, "start")]))


async def asked(
    gated: Gated, manager: AsyncStateManager, others: Iterable[int]
) -> tuple[asyncio.Task[JobState], list[asyncio.Task[JobState]]]:
    """The write of item 0, which is under way, and those of `others`, which wait for it."""
    first = start(manager, 0)
    await gated.begins()
    waiting = [start(manager, n) for n in others]
    await asyncio.sleep(0)  # each has asked
    return first, waiting


def test_what_is_asked_while_a_write_is_under_way_shares_the_next_commit(gated: Gated) -> None:
    """Of any number of coroutines, on one thread; each is told of a state that it is part of."""

    async def run() -> None:
        manager = AsyncStateManager(gated.manager, threads=1)
        before = gated.manager.get_state(JOB).seq
        first, others = await asked(gated, manager, range(1, ITEMS))
        gated.go.set()
        assert (await first).seq == before + 1
        assert {state.seq for state in await asyncio.gather(*others)} == {before + 2}
        await manager.close()

    asyncio.run(run())
    assert gated.lots == [1, ITEMS - 1]


def test_writes_leave_a_single_thread_to_other_calls_in_turn(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was called before the next lot goes before it, however many writes there are."""
    job_ids = StateManager.job_ids

    def listed(manager: StateManager, prefix: str = "", **keywords: Any) -> list[str]:
        gated.lots.append(0)
        return job_ids(manager, prefix, **keywords)

    monkeypatch.setattr(StateManager, "job_ids", listed)

    async def run() -> None:
        manager = AsyncStateManager(gated.manager, threads=1)
        first = start(manager, 0)
        await gated.begins()
        listing = asyncio.create_task(manager.job_ids())
        others = [start(manager, n) for n in range(1, 4)]
        await asyncio.sleep(0)
        gated.go.set()
        await asyncio.gather(first, listing, *others)
        await manager.close()

    asyncio.run(run())
    assert gated.lots == [1, 0, 3]


def test_each_coroutine_hears_of_its_own_refusal_alone(gated: Gated) -> None:
    class Broken(dict[str, Any]):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def __iter__(self) -> Any:
            raise self.error  # as any payload may when it is looked at

        keys = __iter__

    async def run() -> None:
        manager = AsyncStateManager(gated.manager)
        first = start(manager, 0)
        await gated.begins()
        others = [
            asyncio.create_task(manager.record("nobodys", [ItemEvent(0, "start")])),
            start(manager, 1),
            start(manager, 1),  # a second time
            *(
                asyncio.create_task(manager.record(JOB, [ItemEvent(2, "succeed", Broken(error))]))
                for error in (ZeroDivisionError(), StopIteration())
            ),
            start(manager, 2),
            asyncio.create_task(manager.fire(JOB, "finish_reduce", {"result": 1})),
            asyncio.create_task(manager.fire(JOB, "pause")),
            start(manager, 3),  # no item takes anything in a job that is paused
        ]
        await asyncio.sleep(0)
        gated.go.set()
        assert isinstance(await first, JobState)
        outcomes = await asyncio.gather(*others, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            JobAbsent,
            JobState,
            TransitionRefused,
            PayloadInvalid,
            PayloadInvalid,
            JobState,
            TransitionRefused,
            JobState,
            TransitionRefused,
        ]
        causes = [type(outcome.__cause__) for outcome in outcomes[3:5]]
        assert causes == [ZeroDivisionError, StopIteration]
        state = await manager.get_state(JOB)
        assert (state.phase, state.progress.pending) == ("paused", ITEMS - 3)
        await manager.close()

    asyncio.run(run())


def test_a_coroutine_that_is_cancelled_takes_nothing_back(gated: Gated) -> None:
    async def run() -> None:
        manager = AsyncStateManager(gated.manager)
        first, (second, third) = await asked(gated, manager, [1, 2])
        second.cancel()
        gated.go.set()
        assert (await third).progress.running == 3
        assert (await first).progress.running == 1
        with pytest.raises(asyncio.CancelledError):
            await second
        await manager.close()

    asyncio.run(run())


def test_closing_waits_for_what_was_asked(gated: Gated) -> None:
    async def run() -> None:
        manager = AsyncStateManager(gated.manager)
        first, (second,) = await asked(gated, manager, [1])
        closing = asyncio.create_task(manager.close())
        gated.go.set()
        await closing
        assert [task.done() for task in (first, second)] == [True, True]
        assert (await second).progress.running == 2
        with pytest.raises(RuntimeError, match="shutdown"):
            await manager.record(JOB, [ItemEvent(2, "start")])

    asyncio.run(run())


def test_every_coroutine_hears_of_a_store_that_fails(gated: Gated) -> None:
    async def run() -> None:
        manager = AsyncStateManager(gated.manager)
        first, (second,) = await asked(gated, manager, [1])
        gated.manager.close()
        gated.go.set()
        for task in (first, second):
            with pytest.raises(StoreError, match="closed"):
                await task
        await manager.close()

    asyncio.run(run())


def test_a_fault_of_ours_reaches_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, whatever goes wrong in the thread."""

    def faulty(manager: StateManager, writes: Iterable[Write]) -> list[JobState | Exception]:
        raise AssertionError("a fault")

    async def run() -> None:
        monkeypatch.setattr(StateManager, "write_each", faulty)
        manager = AsyncStateManager(StateManager.open("memory:"))
        for _ in range(2):
            with pytest.raises(AssertionError, match="a fault"):
                await manager.record(JOB, [ItemEvent(0, "start")])
        await manager.close()

    asyncio.run(run())


def test_loops_of_several_threads_share_a_manager() -> None:
    """Each is answered in its own loop, and a loop that has ended holds no other up."""
    manager = AsyncStateManager(StateManager.open("memory:"))
    manager.manager.create_job([f"{n}" for n in range(ITEMS)], job_id=JOB)
    manager.manager.fire(JOB, "start_map")

    def looped(items: range) -> Callable[[], None]:
        async def run() -> None:
            await asyncio.gather(*(start(manager, n) for n in items))

        return lambda: asyncio.run(run())

    threads = [threading.Thread(target=looped(range(n, ITEMS, 4))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.manager.get_state(JOB).progress.running == ITEMS
    asyncio.run(manager.close())


class Entered:
    """A block that is entered once it may be, and says when it was left."""

    def __init__(self) -> None:
        self.begun, self.go, self.left = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, *_: object, **__: object) -> Entered:
        return self

    def __enter__(self) -> str:
        self.begun.set()
        assert self.go.wait(timeout=60)
        return "held"

    def __exit__(self, *_: object) -> None:
        self.left.set()


def test_a_lease_that_nobody_waits_for_any_more_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A coroutine that is cancelled while it waits for one leaves no job held for ever."""
    lease = Entered()
    monkeypatch.setattr(StateManager, "lease", lease)

    async def run() -> None:
        manager = AsyncStateManager(StateManager.open("memory:"))

        async def hold() -> None:
            async with manager.lease(JOB):
                raise AssertionError("it was cancelled before")

        holding = asyncio.create_task(hold())
        await asyncio.to_thread(lease.begun.wait, 60)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        lease.go.set()
        await manager.close()  # waits for the threads
        assert lease.left.is_set()

    asyncio.run(run())


def test_a_lease_is_given_back_however_often_its_holder_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while its end waits for a thread."""
    lease = Entered()
    lease.go.set()
    monkeypatch.setattr(StateManager, "lease", lease)
    begun, go = threading.Event(), threading.Event()

    def busy(*_: object) -> None:
        begun.set()
        assert go.wait(timeout=60)

    monkeypatch.setattr(StateManager, "get_state", busy)

    async def run() -> None:
        manager = AsyncStateManager(StateManager.open("memory:"), threads=1)
        held = asyncio.Event()

        async def hold() -> None:
            async with manager.lease(JOB):
                held.set()
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await held.wait()
        other = asyncio.create_task(manager.get_state(JOB))
        await asyncio.to_thread(begun.wait, 60)  # the only thread is taken
        for _ in range(2):
            holding.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await holding
        go.set()
        await other
        await manager.close()
        assert lease.left.is_set()

    asyncio.run(run())


def test_a_manager_that_nobody_waits_for_any_more_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, go, closed = threading.Event(), threading.Event(), threading.Event()
    opened = StateManager.open

    def gated(*given: Any, **keywords: Any) -> StateManager:
        begun.set()
        assert go.wait(timeout=60)
        return opened(*given, **keywords)

    def close(manager: StateManager) -> None:
        closed.set()

    monkeypatch.setattr(StateManager, "open", gated)
    monkeypatch.setattr(StateManager, "close", close)

    async def run() -> None:
        opening = asyncio.create_task(AsyncStateManager.open("memory:"))
        await asyncio.to_thread(begun.wait, 60)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        go.set()
        assert await asyncio.to_thread(closed.wait, 60)

    asyncio.run(run())
