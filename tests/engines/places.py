"""Engines to run jobs on, each with two slots."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final

import pytest

from milepost.executors import end_with_parent, process_pool
from milepost.executors.engines import RayEngine

__all__ = ["needed", "opened"]

SOAKED: Final = ("pebble",)
"""What `make soak` alone tries."""


def opened(name: str) -> AbstractContextManager[Any]:
    """What a run is given as its `executor`, started, and closed at the end."""
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
def _threads() -> Iterator[Any]:
    yield partial(ThreadPoolExecutor, 2)


@contextmanager
def _processes() -> Iterator[Any]:
    yield partial(process_pool, 2)


@contextmanager
def _loky() -> Iterator[Any]:
    yield partial(needed("loky").ProcessPoolExecutor, 2)


@contextmanager
def _pebble() -> Iterator[Any]:
    context = multiprocessing.get_context("forkserver")
    made = partial(needed("pebble").ProcessPool, 2, context=context, initializer=end_with_parent)
    yield made


@contextmanager
def _dask() -> Iterator[Any]:
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
        yield client


@contextmanager
def _ray() -> Iterator[Any]:
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
        yield RayEngine()
    finally:
        ray.shutdown()


_PLACES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "threads": _threads,
    "processes": _processes,
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
    "pebble": _pebble,
}
