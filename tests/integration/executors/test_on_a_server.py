"""Runs on a PostgreSQL store, with every kind of worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from milepost import Item, StateManager
from milepost.executors import Beside, CoroutineExecutor, process_pool, run
from tests.postgres import needs_postgres, new_url

pytestmark = needs_postgres


@pytest.fixture
def url(postgres: str) -> str:
    return new_url(postgres)


def double(item: Item) -> str:
    return f"{item.value}" * 2


async def double_awaited(item: Item) -> str:
    await asyncio.sleep(0)
    return double(item)


def large(item: Item) -> str:
    return "x" * (int(item.value) * 1000)


def _sum(results: Any) -> int:
    return len(dict(results))


@pytest.mark.parametrize(
    ("map_fn", "executor"),
    [
        (double, partial(ThreadPoolExecutor, 2)),
        (double_awaited, partial(CoroutineExecutor, 4)),
        (double, partial(process_pool, 2)),
    ],
    ids=["threads", "coroutines", "processes"],
)
def test_a_run_ends_as_in_a_file(url: str, map_fn: Callable[..., Any], executor: Any) -> None:
    with StateManager.open(url) as manager:
        manager.create_job({f"{n}": n for n in range(40)}, job_id="j")
        run(manager, "j", map_fn, _sum, executor=executor)
        state = manager.get_state("j")
        assert (state.phase, state.progress.done, state.owner) == ("completed", 40, None)
        assert dict(manager.results("j")) == {f"{n}": f"{n}" * 2 for n in range(40)}
        assert manager.result("j") == 40
        assert manager.verify("j")[0].sound


def test_large_results_are_kept_where_beside_says(url: str, tmp_path: Path) -> None:
    """A place of its own, that all machines reach; nothing is guessed from the store's URL."""
    with StateManager.open(url) as manager:
        manager.create_job({"a": 7}, job_id="j")
        beside = Beside(tmp_path / "kept", above_bytes=1024)
        run(manager, "j", large, _sum, executor=partial(ThreadPoolExecutor, 1), beside=beside)
        assert dict(manager.results("j")) == {"a": "x" * 7000}
        kept = manager.verify_beside("j")
        assert (kept.objects, kept.problems) == (1, ())
