"""Engines to run jobs on, each with two slots, and what holds on each of them."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from milepost.executors import end_with_parent, process_pool
from milepost.executors.engines import RayEngine

__all__ = ["EVERY", "SOAKED", "Place", "needed", "opened"]

EVERY: Final = ("threads", "processes", "loky", "dask", "ray")
"""What `make test` tries."""

SOAKED: Final = ("pebble",)
"""What `make soak` tries as well."""


@dataclass(frozen=True)
class Place:
    """Where a run makes its calls. `given` is its `executor`; `kills`: a worker may be killed."""

    name: str
    given: Any
    kills: bool = True


def opened(name: str) -> AbstractContextManager[Place]:
    """The engine of that name, started, and closed at the end."""
    if name in SOAKED and not os.environ.get("MILEPOST_SOAK"):
        pytest.skip(f"{name} is tried by make soak")
    return _PLACES[name]()


def needed(module: str) -> Any:  # Any: a package that may not be there
    """A package, without which a test is skipped; where everything is to be tried, it fails."""
    try:
        return importlib.import_module(module)
    except ImportError:
        soaked = os.environ.get("MILEPOST_SOAK")
        assert not os.environ.get("CI"), f"the engine of {module} was not tested"
        assert not soaked, f"the engine of {module} was not tested"
        pytest.skip(f"needs the package {module}")


@contextmanager
def _threads() -> Iterator[Place]:
    yield Place("threads", partial(ThreadPoolExecutor, 2), kills=False)


@contextmanager
def _processes() -> Iterator[Place]:
    yield Place("processes", partial(process_pool, 2))


@contextmanager
def _loky() -> Iterator[Place]:
    yield Place("loky", partial(needed("loky").ProcessPoolExecutor, 2))


@contextmanager
def _pebble() -> Iterator[Place]:
    context = multiprocessing.get_context("forkserver")
    made = partial(needed("pebble").ProcessPool, 2, context=context, initializer=end_with_parent)
    yield Place("pebble", made)


@contextmanager
def _dask() -> Iterator[Place]:
    """Two workers, on this machine alone, without the pages that others look at."""
    distributed = needed("distributed")
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
    ray = needed("ray")
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


_PLACES: dict[str, Callable[[], AbstractContextManager[Place]]] = {
    "threads": _threads,
    "processes": _processes,
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
    "pebble": _pebble,
}
