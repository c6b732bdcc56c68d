#!/bin/sh
# Package    zstandard 0.25.0, lz4 4.4.5, Python 3.11
# Question   Each run of a job compresses its results and appends them to one file, as one does with gzip. Two runs have done so, with
#            two lines each. How many lines do the ways to read that file give?
# Good guess Four, by all: both formats say that frames may follow one another, and gzip.decompress and bz2.decompress read on. Or
#            two by all of a library, or an error where something is left over.
# Behaviour  It depends on the function. zstandard.open and copy_stream give four; decompress, decompressobj and read_to_iter give the
#            two of the first run. lz4.frame.open gives four and lz4.frame.decompress two. None of them raises or warns.
# Why        A decompressor ends with its frame, and what comes behind it is the caller's. Only the readers that have a file go on to
#            the next frame. decompressobj keeps the rest in unused_data; the others say nothing of it.
# Seen       zstandard: open 4, copy_stream 4, decompress 2, decompressobj 2, read_to_iter 2; lz4: open 4, decompress 2; gzip, bz2: 4
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q zstandard==0.25.0 lz4==4.4.5
cd "$work"
cat > main.py <<'EOF'
import bz2
import gzip
import io
from pathlib import Path

import lz4.frame
import zstandard

RUNS = (b'{"item": 0}\n{"item": 1}\n', b'{"item": 2}\n{"item": 3}\n')


def appended(name, compress):
    """The bytes of a file to which each run has appended."""
    with open(name, "wb") as file:
        for run in RUNS:
            file.write(compress(run))
    return Path(name).read_bytes()


zst = appended("results.zst", zstandard.ZstdCompressor().compress)
lz = appended("results.lz4", lz4.frame.compress)
copied = io.BytesIO()
zstandard.ZstdDecompressor().copy_stream(io.BytesIO(zst), copied)
rest = zstandard.ZstdDecompressor().decompressobj()
read = {
    "zstandard.open": zstandard.open("results.zst", "rb").read(),
    "copy_stream": copied.getvalue(),
    "decompress": zstandard.ZstdDecompressor().decompress(zst),
    "decompressobj": rest.decompress(zst),
    "read_to_iter": b"".join(zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(zst))),
    "lz4.frame.open": lz4.frame.open("results.lz4", "rb").read(),
    "lz4.frame.decompress": lz4.frame.decompress(lz),
    "gzip.decompress": gzip.decompress(appended("results.gz", gzip.compress)),
    "bz2.decompress": bz2.decompress(appended("results.bz2", bz2.compress)),
}
lines = {name: data.count(b"\n") for name, data in read.items()}
for name, count in lines.items():
    print(name, count)
assert lines == {
    "zstandard.open": 4,
    "copy_stream": 4,
    "decompress": 2,
    "decompressobj": 2,
    "read_to_iter": 2,
    "lz4.frame.open": 4,
    "lz4.frame.decompress": 2,
    "gzip.decompress": 4,
    "bz2.decompress": 4,
}
assert rest.unused_data
EOF
"$work/venv/bin/python" main.py
