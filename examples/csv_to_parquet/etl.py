"""Turns a folder of CSV files into parquet files, one for each, and a summary of them all.

    python etl.py sales out

Each file is one item. A part is on the disk before its result is recorded, and is renamed into its
place: a kill leaves a part that is whole or none. Doing a file twice gives the same part.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from milepost import StateManager
from milepost.executors import Permanent, WorkItem, run

JOB = "etl"
COLUMNS = ["day", "shop", "article", "pieces", "price"]
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("shop", pa.string()),
        ("article", pa.string()),
        ("pieces", pa.int32()),
        ("price", pa.decimal128(9, 2)),
    ]
)


def convert(source: Path, target: Path, pause_s: float, item: WorkItem) -> dict[str, Any]:
    """Write the part of one CSV file; say how many rows it has, and which lines were left out."""
    rows: list[dict[str, Any]] = []
    left_out: list[int] = []
    try:
        with (source / item.key).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="")
            if reader.fieldnames != COLUMNS:
                raise Permanent(f"{item.key}: the columns are {reader.fieldnames}, not {COLUMNS}")
            for row in reader:
                try:
                    rows.append(_typed(row))
                except (InvalidOperation, ValueError):
                    left_out.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Permanent(f"{item.key} is no CSV in UTF-8: {error}") from error
    sleep(pause_s)
    _write(pa.Table.from_pylist(rows, schema=SCHEMA), target / f"{Path(item.key).stem}.parquet")
    worth = sum((row["price"] * row["pieces"] for row in rows), Decimal(0))
    return {"rows": len(rows), "left_out": left_out, "worth": str(worth)}


def summary(target: Path, results: Iterator[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """What all parts hold together, also written beside them."""
    found = list(results)
    told = {
        "files": len(found),
        "rows": sum(result["rows"] for _, result in found),
        "left_out": {key: result["left_out"] for key, result in found if result["left_out"]},
        "worth": str(sum((Decimal(result["worth"]) for _, result in found), Decimal(0))),
    }
    (target / "summary.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return told


def _typed(row: dict[str, str]) -> dict[str, Any]:
    """The values of a line. Raises ValueError or InvalidOperation where it has others."""
    if list(row) != COLUMNS:
        raise ValueError("it has more columns than the first line")
    year, month, day = map(int, row["day"].split("-"))
    pieces, price = int(row["pieces"]), Decimal(row["price"])
    if not (0 <= pieces < 2**31 and price.is_finite() and abs(price) < 10**7):
        raise ValueError("the column cannot hold it")
    price = price.quantize(Decimal("0.01"))
    return {**row, "day": date(year, month, day), "pieces": pieces, "price": price}


def _write(table: pa.Table, part: Path) -> None:
    """Put the whole part in its place, or nothing; what is there survives the loss of power."""
    unfinished = part.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(part)
    folder = os.open(part.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job, or what is left of it; 0 if it is complete."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--db", default="etl.db")
    parser.add_argument("--pause-s", type=float, default=0, help="time for you to kill it in")
    asked = parser.parse_args(arguments)
    asked.target.mkdir(parents=True, exist_ok=True)
    with StateManager.open(asked.db) as manager, ThreadPoolExecutor(2) as pool:
        if not manager.has_job(JOB):
            manager.create_job(sorted(p.name for p in asked.source.glob("*.csv")), job_id=JOB)
        outcome = run(
            manager,
            JOB,
            partial(convert, asked.source, asked.target, asked.pause_s),
            partial(summary, asked.target),
            executor=pool,
            progress=True,
        )
        print(json.dumps(manager.result(JOB)) if outcome.succeeded else outcome)
        return 0 if outcome.succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
