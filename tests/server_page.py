"""The SQL of docs/how-to/store-on-a-server.md, run as the page says, for the schema of a test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from milepost.state.persistence import open_store
from tests.postgres import run_sql

__all__ = ["Logins", "page_sql", "with_roles"]

PAGE: Final = Path(__file__).parents[1] / "docs" / "how-to" / "store-on-a-server.md"
_LOGINS: Final = ("writer", "reader")


class Logins(NamedTuple):
    """The address of one store, by logins that have the roles of the page."""

    writer: str
    reader: str


def page_sql(heading: str, schema: str) -> list[str]:
    """The blocks of SQL under that heading, with `schema` where the page has `milepost`."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?ms)^```sql\n(.*?)^```$", section)
    named = re.compile(r"\bmilepost(?=[.; ]|_views\b)")
    return [named.sub(schema, block) for block in blocks]


def with_roles(url: str, password: str) -> Logins:
    """The store at `url`, made, with the roles of the page and a login for each of them."""
    open_store(url).close()
    server, _, schema = url.partition("&schema=")
    (sql,) = page_sql("Roles", schema)
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'").fetchone()
        if found is not None:  # roles are of the whole server
            sql = re.sub(r"(?m)^CREATE ROLE .*$", "", sql)
    run_sql(server, sql)
    if found is None:
        logins = (f"CREATE ROLE {one} LOGIN; GRANT milepost_{one} TO {one};" for one in _LOGINS)
        run_sql(server, "\n".join(logins))
    return Logins(*(re.sub(r"//[^@]*@", f"//{one}:{password}@", url) for one in _LOGINS))
