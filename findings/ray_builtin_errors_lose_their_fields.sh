#!/bin/sh
# Package    ray 2.60.0
# Question   A remote function raises FileNotFoundError(2, ...). ray.get raises an error that `except FileNotFoundError` takes.
#            What is its errno?
# Good guess 2. The error is of both classes, and attributes of errors of one's own (a status, a retry_after) do come through.
# Behaviour  None, and filename and strerror too; of a UnicodeDecodeError start is 0 and object None, of an ImportError name is None,
#            of a StopIteration value is None. Fields that Python code set in __init__ (JSONDecodeError.pos, returncode) are right.
#            A retry policy that asks `error.errno in (...)` takes every error for one that it does not know.
# Why        The class that ray makes derives from RayTaskError and the user's class, and asks the original in __getattr__. Python calls
#            that only where nothing was found, and fields that a built-in class keeps in C are always found, empty.
# Seen       errno None, start 0, name None, value None; pos 1, retry_after 7; error.cause.errno 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q ray==2.60.0
cd "$work"
cat > fields.py <<'EOF'
import json
import os

import ray


class Quota(Exception):
    def __init__(self, retry_after):
        super().__init__(retry_after)
        self.retry_after = retry_after


@ray.remote
def fails(how):
    if how == "file":
        raise FileNotFoundError(2, "No such file", "part-7")
    if how == "text":
        b"abc\xff".decode()
    if how == "import":
        raise ImportError("no", name="model")
    if how == "stop":
        raise StopIteration(5)
    if how == "json":
        json.loads("{]")
    raise Quota(7)


def caught(how):
    try:
        ray.get(fails.remote(how))
    except Exception as error:
        return error


ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
file, text, absent, stop, pos, quota = map(caught, ["file", "text", "import", "stop", "json", "quota"])
print("errno", file.errno, "start", text.start, "name", absent.name, "value", stop.value)
print("pos", pos.pos, "retry_after", quota.retry_after, "cause.errno", file.cause.errno)
assert isinstance(file, FileNotFoundError) and isinstance(text, UnicodeDecodeError)
assert (file.errno, file.filename, file.strerror) == (None, None, None)
assert (text.start, text.object, absent.name, stop.value) == (0, None, None, None)
assert (pos.pos, quota.retry_after, file.cause.errno, text.cause.start) == (1, 7, 2, 3)
ray.shutdown()
EOF
"$work/venv/bin/python" fields.py 2> /dev/null
