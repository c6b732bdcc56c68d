#!/bin/sh
# Package    luigi 3.8.1
# Question   Two tasks differ in a parameter's type alone: 1 and 1.0, [1] and [True]. What does the second one hold?
# Good guess What it was given. Task identity is made of the serialized parameters, and those differ: '1' and '1.0', '[1]' and '[true]'.
# Behaviour  The second call of the class gives the first object. Job(1.0).x is 1, and Job([True]) has (1,) for its list. So the id
#            of a task, and the output path made from its parameters, depend on which equal value was named first in this process:
#            a program that names 1.0 alone looks for another file than one that named 1 before. Job("1") is a task of its own
#            with the very id of Job(1), to which it compares equal.
# Why        Instances are cached in a dict by the tuple of parameter values; Python's 1, 1.0 and True are one key.
# Seen       after 1: 1, same True, id Job_1_*; fresh process: 1.0, id Job_1_0_*; list (1,); '1' is not 1 but equal, ids same
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q luigi==3.8.1
cd "$work"
cat > seen.py <<'EOF'
import sys
import warnings

import luigi

warnings.simplefilter("ignore")


class Job(luigi.Task):
    x = luigi.FloatParameter()


class Plain(luigi.Task):
    x = luigi.Parameter()


class Listed(luigi.Task):
    x = luigi.ListParameter()


named_first = [Job(x=1)] if sys.argv[1] == "after" else []
job = Job(x=1.0)
print(repr(job.x), job.task_id.rsplit("_", 1)[0], job in named_first and job is named_first[0])
if named_first:
    Listed(x=[1])
    assert repr(Listed(x=[True]).x) == "(1,)", Listed(x=[True]).x
    number, text = Plain(x=1), Plain(x="1")
    assert number is not text and number == text and number.task_id == text.task_id
EOF
after=$("$work/venv/bin/python" seen.py after)
fresh=$("$work/venv/bin/python" seen.py fresh)
echo "after: $after, fresh: $fresh"
[ "$after" = "1 Job_1 True" ] && [ "$fresh" = "1.0 Job_1_0 False" ]
