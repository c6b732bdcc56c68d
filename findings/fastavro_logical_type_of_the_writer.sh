#!/bin/sh
# Package    fastavro 1.13.1
# Question   Writer and reader disagree on a field's logical type only (int against date). Who decides what Python gets?
# Good guess The reader's schema: it says in which types the program wants its data, and it governs every other promotion.
# Behaviour  The writer's. A reader that adds `date` gets the bare number; a reader that asks for a plain int, long or even
#            double gets a datetime.date.
# Why        The logical type is applied where the value is decoded, by the schema of the bytes; promotion comes after.
# Seen       {'int -> date': 18262, 'date -> int': date(2020, 1, 1), 'date -> double': date(2020, 1, 1)}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q fastavro==1.13.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import io
from datetime import date
from fastavro import parse_schema, schemaless_reader, schemaless_writer

DATE = {"type": "int", "logicalType": "date"}


def passed(value, written, read):
    of = lambda kind: parse_schema({"type": "record", "name": "Row", "fields": [{"name": "x", "type": kind}]})
    file = io.BytesIO()
    schemaless_writer(file, of(written), {"x": value})
    file.seek(0)
    return schemaless_reader(file, of(written), of(read))["x"]


seen = {
    "int -> date": passed(18262, "int", DATE),
    "date -> int": passed(date(2020, 1, 1), DATE, "int"),
    "date -> double": passed(date(2020, 1, 1), DATE, "double"),
}
print(seen)
assert seen == {"int -> date": 18262, "date -> int": date(2020, 1, 1), "date -> double": date(2020, 1, 1)}
EOF
