"""A store that writes down which of its methods were called: for test_controls.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from milepost.state.persistence import open_store
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.testing.contracts import Opener
from milepost.testing.contracts.stores.beside import BesideContract
from milepost.testing.contracts.stores.commits import CommitContract
from milepost.testing.contracts.stores.jobs import JobContract
from milepost.testing.contracts.stores.places import PlaceContract
from milepost.testing.contracts.stores.removal import RemovalContract
from milepost.testing.contracts.stores.reopening import ReopeningContract

from .passing import Passing

CALLED = "MILEPOST_CALLED"
"""The variable that names the file in which calls are written down."""


class Counting(Passing):
    """Writes down what is asked of it."""

    of: type = StateStore

    def __getattribute__(self, name: str) -> Any:
        of = object.__getattribute__(self, "of")
        if name in dir(of) and not name.startswith("_"):
            met(f"{of.__name__}.{name}")
        return object.__getattribute__(self, name)


class CountingReader(Counting):
    of = Reader


class CountingWriter(Counting):
    of = Writer


seen: set[str] = set()


def met(name: str) -> None:
    if name not in seen:
        seen.add(name)
        with Path(os.environ[CALLED]).open("a", encoding="utf-8") as called:
            called.write(f"{name}\n")


class TestCounted(
    CommitContract,
    JobContract,
    PlaceContract,
    BesideContract,
    RemovalContract,
    ReopeningContract,
):
    @pytest.fixture
    def store_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'jobs.db'}"

    @pytest.fixture
    def opener(self, store_url: str) -> Opener:
        def opened(*, read_only: bool = False) -> StateStore:
            inner = open_store(
                store_url, create=not read_only, read_only=read_only, durability="process"
            )
            store: Any = Counting(inner)
            store.reader, store.writer = CountingReader, CountingWriter
            return store

        return opened
