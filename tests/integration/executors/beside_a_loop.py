"""A program that awaits a run beside an event loop. The tests press Ctrl-C in it, once.

python -m tests.integration.executors.beside_a_loop STORE HOW
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from milepost import AsyncStateManager, Item, StateManager
from milepost.executors import CoroutineExecutor, run, run_async

FOUR = partial(CoroutineExecutor, 4)


async def work(item: Item) -> str:
    """The first item ends; the program says that it is at work; the rest never end."""
    if item.key != "k0":
        print("at work", flush=True)
        await asyncio.Event().wait()
    return item.key


async def outside(store: str) -> None:
    await asyncio.to_thread(run, StateManager.open(store), "j", work, executor=FOUR, grace_s=0.2)


async def inside(store: str) -> None:
    with StateManager.open(store) as manager:
        await asyncio.to_thread(run, manager, "j", work, executor=FOUR, grace_s=0.2)


async def in_a_pool(store: str) -> None:
    call = partial(run, StateManager.open(store), "j", work, executor=FOUR, grace_s=0.2)
    await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1), call)


async def in_a_task(store: str) -> None:
    manager = StateManager.open(store)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(run, manager, "j", work, executor=FOUR, grace_s=0.2))


async def awaited(store: str) -> None:
    with StateManager.open(store) as manager:
        await run_async(manager, "j", work, executor=FOUR, grace_s=0.2)


async def awaited_async(store: str) -> None:
    async with await AsyncStateManager.open(store) as manager:
        await run_async(manager, "j", work, executor=FOUR, grace_s=0.2)


HOWS: dict[str, Callable[[str], Awaitable[None]]] = {
    each.__name__: each for each in (outside, inside, in_a_pool, in_a_task, awaited, awaited_async)
}


async def main() -> None:
    await HOWS[sys.argv[2]](sys.argv[1])


if __name__ == "__main__":
    asyncio.run(main())
