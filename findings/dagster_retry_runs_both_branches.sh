#!/bin/sh
# Package    dagster 1.13.29 (execute_in_process)
# Question   An op with two optional outputs decides between two branches. Its first attempt yields "left" and then raises; its second,
#            by the retry policy, yields "right" and succeeds. Which branches run? And what if it yields dynamic outputs instead, a and b
#            at first, then b and c?
# Good guess The right branch alone, as only the second attempt succeeded; and b and c. Nothing downstream starts before an op has
#            succeeded, so what a failed attempt had yielded is dropped.
# Behaviour  Both branches run, the left one on a value of the attempt that failed, in a run that is a success. The dynamic outputs are
#            those of the second attempt, b and c, for the ops behind it; who asks the result of the run for them is given a, b and c.
# Why        An output is stored and counted as there when it is yielded. Dynamic ones are collected per attempt and looked at when the op
#            has succeeded, and the optional outputs that are there are never taken back.
# Seen       branches: left of attempt 1, right of attempt 2; dynamic: b and c of attempt 2; of the result: a 1, b 2, c 2
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dagster==1.13.29
cd "$work"
cat > main.py <<'PROGRAM'
from dagster import DynamicOut, DynamicOutput, Out, Output, RetryPolicy, job, op

attempts = []
worked = []
OPTIONAL = {"left": Out(is_required=False), "right": Out(is_required=False)}


@op(out=OPTIONAL, retry_policy=RetryPolicy(max_retries=1))
def decide():
    attempts.append("decide")
    if len(attempts) == 1:
        yield Output(1, "left")
        raise RuntimeError("the first attempt fails")
    yield Output(2, "right")


@op(out=DynamicOut(), retry_policy=RetryPolicy(max_retries=1))
def spread():
    attempts.append("spread")
    for key in ("ab", "bc")[len(attempts) - 1]:
        yield DynamicOutput(len(attempts), mapping_key=key)
    if len(attempts) == 1:
        raise RuntimeError("the first attempt fails")


@op
def work(context, attempt):
    worked.append((context.op_handle.name, context.get_mapping_key(), attempt))


@job
def branches():
    left, right = decide()
    work.alias("left")(left)
    work.alias("right")(right)


@job
def parts():
    spread().map(work)


def run(which):
    """The result of a run, and what the ops behind the first one worked on."""
    attempts.clear()
    worked.clear()
    result = which.execute_in_process()
    assert result.success and len(attempts) == 2
    return result, sorted(worked, key=str)


_, of_branches = run(branches)
print("branches:", of_branches)
assert of_branches == [("left", None, 1), ("right", None, 2)]

result, of_parts = run(parts)
told = result.output_for_node("spread")
print("dynamic:", of_parts, "of the result:", told)
assert of_parts == [("work", "b", 2), ("work", "c", 2)]
assert told == {"a": 1, "b": 2, "c": 2}
PROGRAM
DAGSTER_HOME="$work" DAGSTER_DISABLE_TELEMETRY=1 "$work/venv/bin/python" main.py 2>log || { cat log; exit 1; }
