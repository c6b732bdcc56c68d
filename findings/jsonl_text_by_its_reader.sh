#!/bin/sh
# Package    pyarrow 26.0.1, duckdb 2.0.0, pandas 3.1.1, polars 2.1.0
# Question   A file of JSON lines has text in quotes: "007", "2024-01-05", "2024-01-05T10:00:00+02:00", an upper-case UUID. What types are read?
# Good guess Text, by all four. JSON says in its syntax what is text, unlike CSV, and the readers tell numbers from text by the quotes.
# Behaviour  Only polars reads text. pandas makes the number 7 of "007". pyarrow makes a timestamp of the date and of the time, and folds
#            the +02:00 into it and forgets it. duckdb makes DATE, TIMESTAMP WITH TIME ZONE, UUID (lower case from then on).
#            One more line without such text turns the column of pyarrow and duckdb back to text, old lines as they were written.
# Why        Each reader guesses types from the text of columns as it does for CSV: pandas converts what it can, pyarrow tries times,
#            duckdb tries dates, times and UUIDs.
# Seen       polars str; pandas 7; pyarrow timestamp[s] 2024-01-05 08:00:00; duckdb DATE and UUID; with one more line: text
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyarrow==26.0.1 duckdb==2.0.0 pandas==3.1.1 polars==2.1.0
cd "$work"
cat > readers.py <<'EOF'
import json
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow.json

row = {
    "code": "007",
    "day": "2024-01-05",
    "at": "2024-01-05T10:00:00+02:00",
    "id": "B4F8E2A0-0000-4000-8000-00000000000A",
}


def types(name):
    table = pyarrow.json.read_json(name)
    frame = duckdb.sql(f"select * from read_json('{name}')")
    return (
        [str(each) for each in table.schema.types],
        str(table["at"][0].as_py()),
        [str(each) for each in frame.types],
        str(frame.select('id').fetchall()[0][0]),
    )


Path("one.jsonl").write_text(json.dumps(row) + "\n")
Path("two.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(dict.fromkeys(row, "none")) + "\n")
arrow, at, duck, uuid = types("one.jsonl")
arrow_two, at_two, duck_two, uuid_two = types("two.jsonl")
code = pandas.read_json("one.jsonl", lines=True)["code"][0]
rows = polars.read_ndjson("one.jsonl").to_dicts()
print("pyarrow", arrow, at, "duckdb", duck, uuid, "pandas", code)
print("one more line: pyarrow", arrow_two, at_two, "duckdb", duck_two, uuid_two)
assert rows == [row]
assert code == 7
assert arrow == ["string", "timestamp[s]", "timestamp[s]", "string"] and at == "2024-01-05 08:00:00"
assert duck == ["VARCHAR", "DATE", "TIMESTAMP WITH TIME ZONE", "UUID"] and uuid == row["id"].lower()
assert arrow_two == ["string"] * 4 and at_two == row["at"]
assert duck_two == ["VARCHAR"] * 4 and uuid_two == row["id"]
EOF
"$work/venv/bin/python" readers.py
