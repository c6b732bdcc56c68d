#!/bin/sh
# Package    dask, distributed 2026.8.0
# Question   Client.get_executor() gives a concurrent.futures executor. Two futures come of submit(work, 1) and submit(work, 1), and the
#            first is cancelled while the work is under way. What does the second give?
# Good guess Its result. concurrent.futures refuses to cancel what runs, and a future is a call of its own.
# Behaviour  cancel() says True although the work goes on, and result() of the second raises CancelledError, while its own cancelled() is
#            False and nobody ever cancelled it. With pure=False the second gives its result; the first is still "cancelled" and runs.
# Why        Equal calls have one key on the cluster, and to cancel is to forget the key. The executor's futures are never set running.
# Seen       pure: cancel True, second CancelledError, cancelled() False; pure=False: cancel True, second 1, and both calls ran
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dask==2026.8.0 distributed==2026.8.0
cd "$work"
cat > calls.py <<'EOF'
import threading

begun = threading.Semaphore(0)
go_on = threading.Event()
ended = threading.Semaphore(0)


def work(value):
    begun.release()
    go_on.wait(60)
    ended.release()
    return value
EOF
cat > twins.py <<'EOF'
from concurrent.futures import CancelledError

from distributed import Client, LocalCluster

from calls import begun, ended, go_on, work


def twins(executor, calls):
    go_on.clear()
    first, second = executor.submit(work, 1), executor.submit(work, 1)
    for _ in range(calls):
        assert begun.acquire(timeout=60)
    cancelled = first.cancel()
    told = second.cancelled()
    go_on.set()
    for _ in range(calls):
        assert ended.acquire(timeout=60)
    try:
        return cancelled, told, second.result(timeout=60)
    except CancelledError as error:
        return cancelled, told, type(error).__name__


if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            pure = twins(client.get_executor(), 1)
            apart = twins(client.get_executor(pure=False), 2)
    print("pure", pure, "pure=False", apart)
    assert pure == (True, False, "CancelledError")
    assert apart == (True, False, 1)
EOF
"$work/venv/bin/python" twins.py 2> /dev/null
