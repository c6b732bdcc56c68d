#!/bin/sh
# Packages   pyarrow 26.0.1, polars 2.1.0, duckdb 2.0.0
# Question   Results are written to Parquet by pyarrow and read by the engines. Are they the same values, if no reader complains?
# Good guess Yes: the types stand in the file, and a type that an engine lacks is an error.
# Behaviour  decimal(40, 2): DuckDB reads a DOUBLE and changes the number, Polars refuses. A map with a key twice: DuckDB refuses, Polars keeps
#            the last, pyarrow both. date64: pyarrow writes a date and reads a date32 back, but Polars reads a datetime. duration:
#            DuckDB reads a BIGINT, without the unit. uuid: Polars reads 16 bytes. Nobody says a word where no error is.
# Why        Parquet has fewer types than Arrow; what is missing is kept in a key-value note of Arrow's own schema, which
#            each reader obeys as far as it likes.
# Seen       decimal 1234567890123456789012345678.91 -> 1.2345678901234567e+27, map -> {'a': 2}, date64 -> datetime, duration -> BIGINT
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q duckdb==2.0.0 pyarrow==26.0.1 polars==2.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from datetime import date, datetime, timedelta
from decimal import Decimal
import duckdb
import polars
import pyarrow
import pyarrow.parquet as parquet


def read(value, kind):
    parquet.write_table(pyarrow.table({"x": pyarrow.array([value], kind)}), "x.parquet")
    readers = (
        lambda: parquet.read_table("x.parquet").column("x").to_pylist()[0],
        lambda: polars.read_parquet("x.parquet").rows()[0][0],
        lambda: duckdb.sql("select x from read_parquet('x.parquet')").fetchall()[0][0],
    )
    for reader in readers:
        try:
            yield reader()
        except Exception as refused:
            yield type(refused).__name__


money = Decimal("1234567890123456789012345678.91")
seen = {
    "decimal": list(read(money, pyarrow.decimal256(40, 2))),
    "map": list(read([("a", 1), ("a", 2)], pyarrow.map_(pyarrow.string(), pyarrow.int64()))),
    "date64": list(read(date(2020, 1, 1), pyarrow.date64())),
    "duration": list(read(timedelta(seconds=1), pyarrow.duration("us"))),
}
for name, values in seen.items():
    print(name, values)
number = seen["decimal"].pop()
assert isinstance(number, float) and abs(Decimal(number) - money) > 1_000, number
assert seen == {
    "decimal": [money, "InvalidOperationError"],
    "map": [[("a", 1), ("a", 2)], {"a": 2}, "InvalidInputException"],
    "date64": [date(2020, 1, 1), datetime(2020, 1, 1), date(2020, 1, 1)],
    "duration": [timedelta(seconds=1), timedelta(seconds=1), 1_000_000],
}
EOF
