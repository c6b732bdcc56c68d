"""CSV files to parquet: killed, gone on with, whole parts, nothing converted twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from milepost import StateManager
from tests.integration.examples.programs import (
    EXAMPLES,
    begun_since,
    imported,
    killed_once,
    recorded,
)

FOLDER = EXAMPLES / "csv_to_parquet"
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def etl() -> Iterator[Any]:
    with imported("csv_to_parquet", "etl") as module:
        yield module


def test_parts_are_whole_and_none_is_made_twice(
    etl: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve files with 240 lines, three of which cannot be read."""
    db, target = tmp_path / "etl.db", tmp_path / "out"
    given = [str(FOLDER / "sales"), str(target), "--db", str(db)]
    with StateManager.open(db) as manager:
        command = [str(FOLDER / "etl.py"), *given, "--pause-s", "0.3"]
        killed_once(command, tmp_path, recorded(manager, "etl", 2))
        killed = manager.get_state("etl")
        assert killed.progress.left > 0
        done = {key: target / f"{Path(key).stem}.parquet" for key in killed.processed_items}
        for part in done.values():
            assert parquet.read_table(part).num_rows > 0
        made = {key: part.stat().st_mtime_ns for key, part in done.items()}

        assert etl.main(given) == 0
        told = json.loads(capsys.readouterr().out)
        every = {file.name for file in (FOLDER / "sales").iterdir()}
        assert begun_since(manager, "etl", killed.seq) == every - set(done)
        assert {key: part.stat().st_mtime_ns for key, part in done.items()} == made
    assert (told["files"], told["rows"]) == (12, 237)
    assert told["left_out"] == {"2025-03.csv": [8], "2025-08.csv": [13, 16]}
    assert json.loads((target / "summary.json").read_text(encoding="utf-8")) == told
    parts = [parquet.read_table(part) for part in sorted(target.glob("*.parquet"))]
    assert sum(part.num_rows for part in parts) == 237
    worth = sum(row["price"] * row["pieces"] for part in parts for row in part.to_pylist())
    assert str(worth) == told["worth"]
    assert not list(target.glob("*.unfinished"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a,b\n1,2\n", "the columns are ['a', 'b']"),
        (b"day,shop,article,pieces,price\n2025-01-01,\xff,tea,1,3.20\n", "is no CSV in UTF-8"),
    ],
    ids=["columns", "bytes"],
)
def test_a_file_that_is_something_else_fails_after_one_call(
    etl: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, why: str
) -> None:
    """And the program says what comes next."""
    source, db = tmp_path / "source", tmp_path / "etl.db"
    source.mkdir()
    (source / "other.csv").write_bytes(content)
    assert etl.main([str(source), str(tmp_path / "out"), "--db", str(db)]) == 1
    told = capsys.readouterr().out
    assert "1 dead, 0 allowed" in told
    assert "milepost dead etl --details" in told
    with StateManager.open(db) as manager:
        (attempt,) = manager.failed_attempts("etl")
    assert why in attempt.failure.message


@pytest.mark.parametrize(
    "line",
    [
        "2025-02-30,north,tea,1,3.20",
        "2025-02-01,north,tea,1,3.20,more",
        "2025-02-01,north",
        "2025-02-01,north,tea,2147483648,3.20",
        "2025-02-01,north,tea,-1,3.20",
        "2025-02-01,north,tea,1,10000000",
        "2025-02-01,north,tea,1,NaN",
        "2025-02-01,north,tea,1,1e999999",
    ],
)
def test_a_line_that_no_column_can_hold_is_left_out(
    etl: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    head, good = ",".join(etl.COLUMNS), "2025-02-01,north,tea,2147483647,9999999.99"
    (source / "one.csv").write_text(f"{head}\n{line}\n{good}\n", encoding="utf-8")
    given = [str(source), str(tmp_path / "out"), "--db", str(tmp_path / "etl.db")]
    assert etl.main(given) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["left_out"]) == (1, {"one.csv": [2]})
