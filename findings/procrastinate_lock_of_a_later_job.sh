#!/bin/sh
# Packages   procrastinate 3.10.0, psycopg[binary] 3.3.9; PostgreSQL 15.18 (Debian 15.18-0+deb12u1)
# Question   A job with lock "L" is scheduled for the year 2999. A job with the same lock is deferred for now. Does it run? And if the first
#            is not scheduled but failed, and waits for its retry in an hour?
# Good guess Yes to both: a lock keeps two jobs from running at once, and none is running. The tests, with InMemoryConnector, say so.
# Behaviour  On PostgreSQL it does not run, neither now nor after: the earlier job holds the lock from its deferral to its end, its waiting
#            time included. One job with a long back-off stops all others of its lock. In memory both run. A higher
#            priority does pass an earlier job on both. In memory arguments also come back as the very objects: a tuple, a dict
#            by int, inf. On PostgreSQL they are a list, a dict by str, and an error.
# Why        The query that fetches asks for an earlier unfinished job of the lock, whenever that is due; the double in memory asks
#            for a running one.
# Seen       memory {'scheduled': [2], 'retried': [3, 4], 'arguments': [(1, 2), {1: 2}]}
#            postgres {'scheduled': [], 'retried': [3], 'arguments': [[1, 2], {'1': 2}]}
set -eu
work=$(mktemp -d)
trap 'if [ -s "$work/pg/postmaster.pid" ]; then as_user pg_ctl -D "$work/pg" -m immediate stop >/dev/null; fi; rm -rf "$work"' EXIT
as_user() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q procrastinate==3.10.0 'psycopg[binary]==3.3.9'
cd "$work"
chmod 711 "$work"
mkdir pg
if [ "$(id -u)" = 0 ]; then chown nobody pg; fi
as_user initdb -D "$work/pg" -A trust -U tester -N >/dev/null
as_user pg_ctl -D "$work/pg" -w -l "$work/pg/log" -o "-c listen_addresses='' -c unix_socket_directories=$work/pg" start >/dev/null
cat > seen.py <<'EOF'
import asyncio
import logging
import sys
from datetime import datetime, timezone

from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.testing import InMemoryConnector


async def outcomes(connector):
    app, ran = App(connector=connector), []

    @app.task(name="note")
    async def note(x):
        ran.append(x)

    @app.task(name="fail", retry=RetryStrategy(max_attempts=2, wait=3600))
    async def fail(x):
        ran.append(x)
        raise ValueError(x)

    async def all_that_run():
        ran.clear()
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
        return list(ran)

    async with app.open_async():
        if isinstance(connector, PsycopgConnector):
            await app.schema_manager.apply_schema_async()
        far = datetime(2999, 1, 1, tzinfo=timezone.utc)
        await note.configure(lock="L", schedule_at=far).defer_async(x=1)
        await note.configure(lock="L").defer_async(x=2)
        scheduled = await all_that_run()
        await fail.configure(lock="M").defer_async(x=3)
        await note.configure(lock="M").defer_async(x=4)
        retried = await all_that_run()
        await note.configure(lock="P", priority=0).defer_async(x=5)
        await note.configure(lock="P", priority=1).defer_async(x=6)
        prior = await all_that_run()
        for value in ((1, 2), {1: 2}):
            await note.defer_async(x=value)
        return {"scheduled": scheduled, "retried": retried, "prior": prior, "arguments": await all_that_run()}


logging.disable(logging.CRITICAL)
memory = asyncio.run(outcomes(InMemoryConnector()))
postgres = asyncio.run(outcomes(PsycopgConnector(conninfo=f"host={sys.argv[1]} user=tester dbname=postgres")))
print("memory", memory, "postgres", postgres)
assert memory == {"scheduled": [2], "retried": [3, 4], "prior": [6, 5], "arguments": [(1, 2), {1: 2}]}
assert postgres == {"scheduled": [], "retried": [3], "prior": [6, 5], "arguments": [[1, 2], {"1": 2}]}
EOF
"$work/venv/bin/python" seen.py "$work/pg" 2>/dev/null
