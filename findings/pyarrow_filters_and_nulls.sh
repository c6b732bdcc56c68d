#!/bin/sh
# Packages   pyarrow 26.0.1, polars 2.1.0, duckdb 2.0.0
# Question   The column x holds 1, null, 3. Is ('x', 'not in', [1]) the same filter as ('x', '!=', 1)?
# Good guess Yes, and null is in neither, as in SQL.
# Behaviour  In pyarrow '!=' drops the null row and 'not in' keeps it; ('x', 'in', [1, None]) finds the null, while no '=='
#            does. Polars and DuckDB drop it in all three. So a tool that rewrites "not in [1]" into "!= 1", or moves a filter from
#            pyarrow to an engine, changes the rows.
# Why        Comparison kernels answer null for null and a filter drops null; is_in answers false, and not false is true.
# Seen       pyarrow {'!=': [3], 'not in': [None, 3], 'in': [1, None]}, polars and duckdb {'!=': [3], 'not in': [3], 'in': [1]}
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

parquet.write_table(pyarrow.table({"x": [1, None, 3]}), "x.parquet")
x = polars.col("x")
asked = {
    "!=": (("x", "!=", 1), x != 1, "x <> 1"),
    "not in": (("x", "not in", [1]), ~x.is_in([1]), "x not in (1)"),
    "in": (("x", "in", [1, None]), x.is_in([1, None]), "x in (1, null)"),
}
arrow, bear, duck = {}, {}, {}
for name, (filtered, expression, sql) in asked.items():
    arrow[name] = [row["x"] for row in parquet.read_table("x.parquet", filters=[filtered]).to_pylist()]
    bear[name] = [row[0] for row in polars.scan_parquet("x.parquet").filter(expression).collect().rows()]
    duck[name] = [row[0] for row in duckdb.sql(f"select x from read_parquet('x.parquet') where {sql}").fetchall()]
print("pyarrow", arrow, "polars", bear, "duckdb", duck)
assert arrow == {"!=": [3], "not in": [None, 3], "in": [1, None]}
assert bear == duck == {"!=": [3], "not in": [3], "in": [1]}
EOF
