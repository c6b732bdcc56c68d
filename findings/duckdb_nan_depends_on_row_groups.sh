#!/bin/sh
# Packages   duckdb 2.0.0, pyarrow 26.0.1, polars 2.1.0
# Question   A Parquet column holds 0.5, NaN, 0.2, 2.0. Which rows does WHERE x > 1 give?
# Good guess In DuckDB NaN is the greatest number, so NaN and 2.0, however the file is cut into row groups.
# Behaviour  It depends on the row groups. Where a group's statistics say "at most 0.5", DuckDB skips the group with its NaN. A group
#            that holds nothing but NaN has no statistics and is read. So the same rows, written with another row_group_size, give
#            another answer; Polars gives NaN each time and PyArrow never.
# Why        Parquet's statistics leave NaN out by the format's own rule, and the comparison's order is the reader's affair.
# Seen       {4: (['nan', '2.0'], ['nan', '2.0'], ['2.0']), 2: (['2.0'], ...), 1: (['nan', '2.0'], ...)} for duckdb, polars, pyarrow
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q duckdb==2.0.0 pyarrow==26.0.1 polars==2.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import duckdb
import polars
import pyarrow
import pyarrow.parquet as parquet

table = pyarrow.table({"x": [0.5, float("nan"), 0.2, 2.0]})
seen = {}
for size in (4, 2, 1):
    parquet.write_table(table, "x.parquet", row_group_size=size)
    duck = duckdb.sql("select x from read_parquet('x.parquet') where x > 1").fetchall()
    bear = polars.scan_parquet("x.parquet").filter(polars.col("x") > 1).collect().rows()
    arrow = parquet.read_table("x.parquet", filters=[("x", ">", 1)]).to_pylist()
    seen[size] = ([str(x) for x, in duck], [str(x) for x, in bear], [str(row["x"]) for row in arrow])
print(seen)
both, alone = ["nan", "2.0"], ["2.0"]
assert seen == {4: (both, both, alone), 2: (alone, both, alone), 1: (both, both, alone)}
EOF
