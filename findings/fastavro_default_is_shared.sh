#!/bin/sh
# Package    fastavro 1.13.1
# Question   A reader's schema adds fields with defaults. What do old records give for them?
# Good guess Each record gets a value of the field's type, made anew: an empty list, bytes, a date.
# Behaviour  Every record gets the object that stands in the schema. So the default of a bytes field is a str, that of a date is
#            an int, and that of an array is one list for all records and for all later files that are read with that parsed
#            schema: what is appended to one row stands in rows that were never touched.
# Why        A written value passes through the decoder and the logical types; a default is handed out as the JSON it is.
# Seen       {'x': 0, 'l': [7], 'b': 'ÿ', 'd': 18262} is row 0 of a second read, after rows[0]['l'].append(7) in the first
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q fastavro==1.13.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
from fastavro import parse_schema, reader, writer


def schema(*more):
    return parse_schema({"type": "record", "name": "Row", "fields": [{"name": "x", "type": "int"}, *more]})


file = io.BytesIO()
writer(file, schema(), [{"x": 0}, {"x": 1}])
newer = schema(
    {"name": "l", "type": {"type": "array", "items": "int"}, "default": []},
    {"name": "b", "type": "bytes", "default": "\u00ff"},
    {"name": "d", "type": {"type": "int", "logicalType": "date"}, "default": 18262},
)
file.seek(0)
rows = list(reader(file, newer))
assert rows[1] == {"x": 1, "l": [], "b": "\u00ff", "d": 18262}, rows
rows[0]["l"].append(7)
assert rows[1]["l"] == [7], "rows of one read share the list"
file.seek(0)
again = next(reader(file, newer))
print(ascii(again))
assert again == {"x": 0, "l": [7], "b": "\u00ff", "d": 18262}
EOF
