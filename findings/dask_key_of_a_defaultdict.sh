#!/bin/sh
# Package    dask 2026.8.0, distributed 2026.8.0
# Question   Client.submit is pure by default: equal arguments, one key, one call. Which arguments count as equal?
# Good guess Those that are the same value of the same type, as 1, 1.0 and True do get three keys.
# Behaviour  A dict is keyed by its items in sorted order and nothing else. defaultdict(int), defaultdict(list) and {} have one
#            key, so the second call is never made and gets the first one's result. Nor is the order of a plain dict part of the key
#            (OrderedDict's is), so a function of "the first entry" answers for the other order. Subclasses of dict
#            are dicts here, subclasses of list are not lists.
# Why        Type and order are dropped for dict, and kept for nearly all else: list, tuple, set, deque, Decimal, -0.0.
# Seen       called ['int', 'list'], submitted ['int', 'int']; first entries ['a', 'a'] of {a, b} and {b, a}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q dask==2026.8.0 distributed==2026.8.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from collections import OrderedDict, defaultdict
from dask.distributed import Client
from dask.tokenize import tokenize


class Rows(list):
    pass


class Table(dict):
    pass


def missing(table):
    return type(table["absent"]).__name__


def first(table):
    return next(iter(table))


if __name__ == "__main__":
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        counts, lists = defaultdict(int), defaultdict(list)
        called = [missing(defaultdict(int)), missing(defaultdict(list))]
        submitted = client.gather([client.submit(missing, counts), client.submit(missing, lists)])
        futures = [client.submit(first, {"a": 1, "b": 2}), client.submit(first, {"b": 2, "a": 1})]
        firsts = client.gather(futures)
    print("called", called, "submitted", submitted, "first entries", firsts)
    assert called == ["int", "list"] and submitted == ["int", "int"] and firsts == ["a", "a"]
    assert tokenize(defaultdict(int)) == tokenize({}) and tokenize(Table(a=1)) == tokenize({"a": 1})
    assert tokenize(Rows([1])) != tokenize([1]) and len({tokenize(one) for one in (1, 1.0, True)}) == 3
    assert tokenize(OrderedDict(a=1, b=2)) != tokenize(OrderedDict(b=2, a=1))
EOF
