"""The address of a PostgreSQL store: a URL as libpq takes it, with what is ours taken out of it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from milepost.errors import StoreError

__all__ = ["SCHEMA", "Address", "address_of", "shown"]

SCHEMA: Final = "milepost"
"""The schema that the tables are in, unless the URL says another."""

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRET: Final = ("password", "sslpassword")
_LOGIN: Final = re.compile(r"(://[^:/?#@]*):(.*)@", re.DOTALL)
_ENDS: Final = frozenset("/?#[]")
"""What ends the part of a URL in which a password is, unless it is written as %2F and so on."""
_OWN: Final = "schema"

_DEFAULTS: Final = {
    "application_name": "milepost",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "9000",
}
"""What libpq is told unless the URL says otherwise: a peer that is gone is noticed in 9 s.

With what is waited for afterwards, in `lending` and `sessions`, a holder that was cut off stops in
less than two thirds of the 30 s that a lease is good for: it had been renewed a third before.
"""

_FIXED: Final = {"client_encoding": "UTF8"}
"""What it is told whatever the URL, the role or the server say: texts are Unicode."""


class Address(NamedTuple):
    """Where a store is: `url` for people, without a password; `conninfo` for libpq; the schema."""

    url: str
    conninfo: str
    schema: str


def shown(text: str) -> str:
    """The URL without what is secret in it. What cannot be read as a URL is cut at its scheme."""
    text = _LOGIN.sub(r"\1@", text)
    try:
        parts = urlsplit(text)
        named = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return f"{text.partition('://')[0]}://..."
    query = urlencode([pair for pair in named if pair[0] not in _SECRET], safe="/,:")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def address_of(text: str) -> Address:
    """The address that `text` names: `postgresql://user@host:5432/database?schema=milepost`.

    All parameters but `schema` are libpq's. Raises StoreError for what is no such URL.
    """
    url = shown(text)
    login = _LOGIN.search(text)
    if login is not None and _ENDS & set(login[2]):
        raise StoreError(
            url=url,
            problem="has a character in its password that ends it: write / as %2F, ? as %3F,"
            " # as %23, [ as %5B and ] as %5D",
        )
    try:
        parts = urlsplit(text)
        named = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        # Neither the text nor what the parser says of it: a password may be in both.
        problem = "cannot be read as a URL: write postgresql://USER@HOST:PORT/DATABASE"
        raise StoreError(url=url, problem=problem) from error.__class__(problem)
    own = [value for name, value in named if name == _OWN]
    schema = own[-1] if own else SCHEMA
    if _NAME.fullmatch(schema) is None:
        problem = (
            f"{schema!r} is no name for a schema: use a small letter or _, and then small letters,"
            " digits and _, 63 at most"
        )
        raise StoreError(url=url, problem=problem)
    if parts.fragment:
        raise StoreError(url=url, problem="has a part after #: write it as %23")
    given = {name: value for name, value in named if name != _OWN}
    query = urlencode(_DEFAULTS | given | _FIXED)
    conninfo = urlunsplit(("postgresql", parts.netloc, parts.path, query, ""))
    return Address(url, conninfo, schema)
