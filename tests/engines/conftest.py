"""Engines to run jobs on, each with two slots: started once, and closed at the end."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from milepost.executors import process_pool
from milepost.executors.engines import RayEngine

ENGINES = ("threads", "processes", "loky", "dask", "ray")


@dataclass(frozen=True)
class Place:
    """Where a run makes its calls. `given` is its `executor`; `kills`: a worker may be killed."""

    name: str
    given: Any
    kills: bool = True

    @property
    def pickles(self) -> bool:
        return self.name == "processes"


@pytest.fixture(scope="session", params=ENGINES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with _PLACES[request.param]() as found:
        yield found


@contextmanager
def _threads() -> Iterator[Place]:
    yield Place("threads", partial(ThreadPoolExecutor, 2), kills=False)


@contextmanager
def _processes() -> Iterator[Place]:
    yield Place("processes", partial(process_pool, 2))


@contextmanager
def _loky() -> Iterator[Place]:
    loky = pytest.importorskip("loky")
    yield Place("loky", partial(loky.ProcessPoolExecutor, 2))


@contextmanager
def _dask() -> Iterator[Place]:
    """Two workers, on this machine alone, without the pages that others look at."""
    distributed = pytest.importorskip("distributed")
    made = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=60,
    )
    with made as cluster, distributed.Client(cluster) as client:
        yield Place("dask", client)


@contextmanager
def _ray() -> Iterator[Place]:
    ray = pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of its own defaults to come
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
        )
    try:
        yield Place("ray", RayEngine())
    finally:
        ray.shutdown()


_PLACES: dict[str, Callable[[], Any]] = {
    "threads": _threads,
    "processes": _processes,
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}
