#!/bin/sh
# Package    zarr 3.1.6 (zarr_format 2 and 3)
# Question   Two workers have opened an array of 3 results. One appends 3 more. Then the other one, which reads and writes none of
#            them, sets an attribute. What does the next reader find?
# Good guess 6 results and the attribute. An attribute is no data, and in format 2 it even has a document of its own, .zattrs.
# Behaviour  3 results. The array has the shape again that it had when the other worker opened it, while the worker that appended still
#            reads 6. The chunk of the new ones is still stored: to resize the array by hand brings them back, but an append, which is
#            what a worker does next, writes over them. An attribute that the first worker had set is gone too, and a group loses it alike.
# Why        To set an attribute writes the whole metadata document, shape and all, as the handle read it when it was opened, and in
#            format 2 .zarray beside .zattrs.
# Seen       for both formats: appended 6, read 3 after the attribute; resized [1, 2, 3, 4, 5, 6]; after an append and a resize
#            [1, 2, 3, 7, 0, 0]; attributes {'step': 2} of two that were set, for the array and for a group
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q zarr==3.1.6
cd "$work"
cat > main.py <<'PROGRAM'
import itertools

import zarr

for version, resize_first in itertools.product((2, 3), (True, False)):
    name = f"results-{version}-{resize_first}"
    made = zarr.create_array(name, shape=(3,), chunks=(3,), dtype="i4", zarr_format=version)
    made[:] = [1, 2, 3]

    worker, other = zarr.open_array(name, mode="a"), zarr.open_array(name, mode="a")
    worker.append([4, 5, 6])
    worker.attrs["host"] = 1
    assert zarr.open_array(name)[:].tolist() == [1, 2, 3, 4, 5, 6]
    other.attrs["step"] = 2

    reader = zarr.open_array(name)
    print(f"format {version}: {reader[:].tolist()} {dict(reader.attrs)}; the worker reads {worker[:].tolist()}")
    assert reader[:].tolist() == [1, 2, 3] and dict(reader.attrs) == {"step": 2}
    assert worker[:].tolist() == [1, 2, 3, 4, 5, 6]

    again = zarr.open_array(name, mode="a")
    if resize_first:
        again.resize((6,))
    again.append([7])
    again.resize((7,) if resize_first else (6,))
    print("after an append", again[:].tolist())
    assert again[:].tolist() == ([1, 2, 3, 4, 5, 6, 7] if resize_first else [1, 2, 3, 7, 0, 0])

    zarr.open_group(f"group-{version}", mode="w", zarr_format=version)
    one, two = (zarr.open_group(f"group-{version}", mode="a") for _ in range(2))
    one.attrs["host"] = 1
    two.attrs["step"] = 2
    kept = dict(zarr.open_group(f"group-{version}", mode="r").attrs)
    print("a group", kept)
    assert kept == {"step": 2}
PROGRAM
"$work/venv/bin/python" main.py
