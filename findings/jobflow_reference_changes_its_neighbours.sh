#!/bin/sh
# Package    jobflow 0.4.0 (run_locally), numpy 2.4.6
# Question   A job gets a list of a tuple, a dict with a number as its key, a member of an enum, a path and an array. In one flow the
#            last item of the list is 1, in the other one it is the output of an earlier job, which is 1. What does the job get?
# Good guess The same in both. Resolving puts the output where its reference stands, and the values beside it are those of the caller,
#            as nothing leaves the process. (Or, if arguments are made JSON on the way, then in both.)
# Behaviour  With the number the values are as they were given. With the reference all values in the same argument have been through
#            JSON: the tuple is a list, the key is text, the member is its value, the path is text, the array a list. Another argument of
#            the same call is left alone, unless it has a reference too. So a call works until one of its values comes from a job.
# Why        An argument in which a reference is found is encoded as a whole, the references are replaced in what came of it, and it is
#            decoded. What has no reference is handed on as it is.
# Seen       1: (1, 2) {7: 'x'} Colour.RED PosixPath('a') array([1, 2]); reference: [1, 2] {'7': 'x'} 'red' 'a' [1, 2];
#            the argument beside it: (1, 2), twice
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q jobflow==0.4.0 numpy==2.4.6
cd "$work"
cat > main.py <<'PROGRAM'
import enum
import warnings
from pathlib import PosixPath

import numpy
from jobflow import Flow, job, run_locally


class Colour(enum.Enum):
    RED = "red"


@job
def earlier():
    return 1


@job
def told(items, beside):
    return " ".join(repr(item) for item in [*items, beside])


def seen(with_reference):
    """What the job got, as it saw it."""
    first = earlier()
    last = first.output if with_reference else 1
    second = told([(1, 2), {7: "x"}, Colour.RED, PosixPath("a"), numpy.array([1, 2]), last], beside=(1, 2))
    return run_locally(Flow([first, second]), log=False, ensure_success=True)[second.uuid][1].output


warnings.simplefilter("ignore")
given, resolved = seen(with_reference=False), seen(with_reference=True)
print("1:        ", given)
print("reference:", resolved)
assert given == "(1, 2) {7: 'x'} <Colour.RED: 'red'> PosixPath('a') array([1, 2]) 1 (1, 2)"
assert resolved == "[1, 2] {'7': 'x'} 'red' 'a' [1, 2] 1 (1, 2)"
PROGRAM
"$work/venv/bin/python" main.py
