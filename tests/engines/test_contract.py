"""Every engine that there is, under the contract that others are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from milepost.executors import CoroutineExecutor
from milepost.testing.contracts import EngineContract
from milepost.testing.contracts.executors.claims import ClaimContract

from .places import opened


@pytest.fixture(autouse=True)
def counts(record_property: Callable[[str, object], None]) -> None:
    record_property("counted about", ("executor contract", {"tests of it on our own": 1}))


class TestThreads(EngineContract):
    kills = False
    sends = False

    @pytest.fixture
    def executor(self) -> Iterator[Any]:
        with opened("threads") as given:
            yield given


class TestProcesses(EngineContract):
    @pytest.fixture
    def executor(self) -> Iterator[Any]:
        with opened("processes") as given:
            yield given


class TestLoky(EngineContract):
    many = 2_500

    @pytest.fixture
    def executor(self) -> Iterator[Any]:
        with opened("loky") as given:
            yield given


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    with opened("dask") as given:
        yield given


class TestDask(EngineContract):
    many = 2_500

    @pytest.fixture
    def executor(self, dask: Any) -> Any:
        return dask


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with opened("ray") as given:
        yield given


class TestRay(EngineContract):
    many = 2_500

    @pytest.fixture
    def executor(self, ray: Any) -> Any:
        return ray


class TestCoroutines(ClaimContract):
    """The functions of the other tests are not awaited."""

    @pytest.fixture
    def executor(self) -> Any:
        return partial(CoroutineExecutor, 2)


class TestPebble(EngineContract):
    """By `make soak` alone."""

    @pytest.fixture
    def executor(self) -> Iterator[Any]:
        with opened("pebble") as given:
            yield given
