#!/bin/sh
# Package    persist-queue 1.1.0 (UniqueAckQ, UniqueQ), Python 3.11
# Question   UniqueAckQ holds each item once. A job was taken and marked as failed, and is put again to be retried: what happens?
#            And one that was acknowledged, when the same work is due again?
# Good guess Unique among what waits: put() accepts both, as UniqueQ of the same package does once an item is taken and done.
# Behaviour  put() returns None, raises nothing, and nothing is there to take: neither the failed item nor the finished one can ever
#            be queued again while its row is kept. It is after clear_acked_data(): with its defaults that keeps the last 1,000 rows,
#            so whether a retry is dropped depends on how much was done since, and failed ones have an argument of their own.
# Why        The rows of what is done stay in the table, marked, and the unique index is on the table's data; the error is swallowed.
# Seen       UniqueQ: put gave 1, then 2; UniqueAckQ: None after a failure, None after an ack, nothing to take; cleared by default:
#            None; cleared of all: 3, and the item comes
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q persist-queue==1.1.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from persistqueue import Empty, UniqueAckQ, UniqueQ


def given(queue):
    try:
        return queue.get(block=False)
    except Empty:
        return "nothing"


plain = UniqueQ("plain", auto_commit=True)
first = plain.put("invoice 1")
assert given(plain) == "invoice 1"
plain.task_done()
second = plain.put("invoice 1")
print("UniqueQ", first, second)
assert first is not None and second is not None
assert given(plain) == "invoice 1"

queue = UniqueAckQ("acked")
assert queue.put("invoice 1") == 1
queue.ack_failed(queue.get(block=False))
failed = queue.put("invoice 1")
print("after a failure", failed, given(queue))
assert failed is None and given(queue) == "nothing"

queue.put("invoice 2")
queue.ack(queue.get(block=False))
acked = queue.put("invoice 2")
print("after an ack", acked, given(queue))
assert acked is None and given(queue) == "nothing"

queue.clear_acked_data()
kept = queue.put("invoice 2")
queue.clear_acked_data(keep_latest=0, clear_ack_failed=True)
free = queue.put("invoice 2")
print("cleared", kept, "cleared of all", free)
assert kept is None and free is not None
assert given(queue) == "invoice 2"
EOF
