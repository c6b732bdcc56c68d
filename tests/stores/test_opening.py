"""Stores that packages bring, found by the scheme of their URLs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from milepost import StateManager
from milepost.errors import StoreError
from milepost.state.persistence import open_store

OPENER = """
from milepost.stores.memory import MemoryStore

asked = []

def open_one(url, **given):
    asked.append((url, given))
    return MemoryStore()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package that has stores at toy:// and names what is not there for broken://."""
    described = tmp_path / "toy_stores-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-stores\nVersion: 1\n")
    (described / "entry_points.txt").write_text(
        "[milepost.stores]\ntoy = toy_stores:open_one\nbroken = toy_stores:nothing\n"
    )
    (tmp_path / "toy_stores.py").write_text(OPENER)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("toy_stores")
    del sys.modules["toy_stores"]


def test_a_scheme_of_a_package_is_opened_by_it(package: Any) -> None:
    """It gets the URL as it was written, and what open was asked for."""
    with StateManager.open("toy://me:SECRET@host/1", durability="process") as manager:
        manager.create_job(["a"], job_id="j")
        assert manager.get_state("j").phase == "setup"
    asked = {
        "create": True,
        "read_only": False,
        "durability": "process",
        "busy_timeout_s": 30.0,
    }
    assert package.asked == [("toy://me:SECRET@host/1", asked)]


def test_one_that_cannot_be_loaded_is_said(package: Any) -> None:
    """With its name, and without the password."""
    del package
    with pytest.raises(StoreError, match=r"toy_stores:nothing.*install") as caught:
        open_store("broken://me:SECRET@host/1")
    assert "SECRET" not in str(caught.value)


def test_a_scheme_that_nobody_has_is_no_url_of_a_store() -> None:
    """Neither is a slip of ours; a password in it is not shown."""
    with pytest.raises(StoreError, match="is no URL of a store: use") as caught:
        open_store("postgress://me:SECRET@host/1")
    assert "SECRET" not in str(caught.value)
