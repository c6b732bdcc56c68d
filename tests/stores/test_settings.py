"""What durability rests on is set and read back: a setting that did not take is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost.errors import StoreError
from milepost.stores.sqlite.store import Durability, SqliteStore


def deaf_to(pragma: str) -> type[apsw.Connection]:
    """A connection that does not hear one setting, as an SQLite that was built without it."""

    class Deaf(apsw.Connection):  # type: ignore[misc]  # apsw has no stubs here
        def execute(self, statements: str, *args: Any, **kwargs: Any) -> Any:
            if statements.startswith(f"PRAGMA {pragma} ="):
                return iter(())
            return super().execute(statements, *args, **kwargs)

    return Deaf


@pytest.mark.parametrize(
    ("pragma", "durability", "problem"),
    [
        ("journal_mode", "full", "journal_mode is delete and WAL was asked for"),
        ("synchronous", "process", "synchronous is 2 and NORMAL was asked for"),
        ("fullfsync", "full", "fullfsync is 0 and 1 was asked for"),
    ],
)
def test_a_setting_that_did_not_take_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pragma: str,
    durability: Durability,
    problem: str,
) -> None:
    """INV-ACK is never promised where it does not hold."""
    monkeypatch.setattr(apsw, "Connection", deaf_to(pragma))
    with pytest.raises(StoreError, match=problem):
        SqliteStore(tmp_path / "jobs.db", durability=durability)


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("process", 1)])
def test_a_connection_that_hears_all_is_set_as_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, synchronous: int
) -> None:
    """The negative control: nothing is refused, and both durabilities are what they are."""
    monkeypatch.setattr(apsw, "Connection", deaf_to("nothing"))
    store = SqliteStore(tmp_path / "jobs.db", durability=durability)
    writer = store._connections.writer
    assert writer is not None
    found = {
        pragma: next(iter(writer.execute(f"PRAGMA {pragma}")))[0]
        for pragma in ("journal_mode", "synchronous", "fullfsync", "trusted_schema")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "fullfsync": 1,
        "trusted_schema": 0,
    }
    store.close()
