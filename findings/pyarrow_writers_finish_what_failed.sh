#!/bin/sh
# Package    pyarrow 26.0.1 (ParquetWriter, ORCWriter, ipc.new_file, dataset.write_dataset)
# Question   A program writes a file batch by batch in a with-block, and raises after the first of two batches. What is left?
# Good guess A file without its footer, as after a kill: whoever reads it is told that it is no Parquet, ORC or Arrow file.
# Behaviour  Each of the three is finished with a footer on the way out. It reads without a warning, with the rows so far. Only
#            write_dataset, which pulls the batches itself, leaves nothing.
# Why        Leaving the block closes the writer, whatever the reason, and to close is to write the footer. That a file can be read
#            says nothing of whether it is whole: write beside it, and rename when the last batch is in.
# Seen       parquet: 10 of 20 rows; orc: 10 of 20 rows; arrow: 10 of 20 rows; dataset: no file
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyarrow==26.0.1
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from pathlib import Path

import pyarrow as pa
from pyarrow import dataset, ipc, orc, parquet

BATCH = pa.table({"number": range(10)})
FORMATS = {
    "parquet": (
        lambda path: parquet.ParquetWriter(path, BATCH.schema),
        lambda path: parquet.read_table(path).num_rows,
    ),
    "orc": (orc.ORCWriter, lambda path: orc.read_table(path).num_rows),
    "arrow": (
        lambda path: ipc.new_file(path, BATCH.schema),
        lambda path: ipc.open_file(path).read_all().num_rows,
    ),
}


class SourceBroke(Exception):
    pass


def batches():
    yield BATCH
    raise SourceBroke("the second of two batches")


seen = {}
for name, (opened, rows_of) in FORMATS.items():
    path = f"out.{name}"
    try:
        with opened(path) as writer:
            for batch in batches():
                writer.write(batch) if name != "parquet" else writer.write_table(batch)
    except SourceBroke:
        seen[name] = rows_of(path)
    print(f"{name}: {seen[name]} of 20 rows")

pulled = (part for table in batches() for part in table.to_batches())
try:
    dataset.write_dataset(
        pa.RecordBatchReader.from_batches(BATCH.schema, pulled), "out", format="parquet"
    )
except SourceBroke:
    files = sorted(path.name for path in Path("out").rglob("*")) if Path("out").exists() else []
    print(f"dataset: {files or 'no file'}")

assert seen == {"parquet": 10, "orc": 10, "arrow": 10}
assert files == []
EOF
