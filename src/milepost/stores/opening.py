"""How a store is opened by its URL: a path, `sqlite:///jobs.db`, `postgresql://...`, `memory:`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from milepost import arguments
from milepost.errors import StoreError
from milepost.log.rows import StoreFormat
from milepost.stores.protocol import Create, Durability, StateStore

__all__ = [
    "GROUP",
    "Create",
    "Durability",
    "Opener",
    "open_store",
    "server_format",
    "shown_url",
    "watching",
]

GROUP: Final = "milepost.stores"
"""The group of entry points by which packages bring stores of their own: a scheme for each."""

_SERVERS: Final = ("postgresql", "postgres")
_ALLOW_NETWORK: Final = "allow_network=1"


def open_store(
    url: str | Path,
    *,
    create: Create = True,
    read_only: bool = False,
    durability: Durability = "full",
    busy_timeout_s: float = 30.0,
    allow_network: bool = False,
) -> StateStore:
    """The store at `url`: a path, `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory:`.

    Or `postgresql://USER@HOST/DATABASE?schema=NAME`, of the extra `postgres`: then `create` makes
    the schema, and ExtraAbsent says that the extra is not installed. Any other scheme is one that
    a package brings by an entry point of the group `milepost.stores`.

    `?allow_network=1` at the end of a URL is as `allow_network`. Raises StoreAbsent,
    StoreForeign, StoreNewer, StoreUnreadable, StoreUnsafe or StoreLocked.
    """
    text = str(arguments.file_path("url", url)) if isinstance(url, os.PathLike) else _url(url)
    arguments.choice("create", create, (True, False, "folders"))
    arguments.flag("read_only", read_only)
    arguments.choice("durability", durability, ("full", "process"))
    busy_timeout_s = arguments.seconds("busy_timeout_s", busy_timeout_s)
    arguments.flag("allow_network", allow_network)
    if text in ("memory:", "memory://"):
        from milepost.stores.memory import MemoryStore  # noqa: PLC0415 as below

        return MemoryStore()
    if _names_a_server(text):
        from milepost.extras import needing  # noqa: PLC0415 as below
        from milepost.stores.postgres.address import address_of  # noqa: PLC0415

        address = address_of(text)
        with needing("postgres", "a store on a PostgreSQL server"):
            from milepost.stores.postgres.store import PostgresStore  # noqa: PLC0415

        return PostgresStore(
            address,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
        )
    opener = _opener(text)
    if opener is not None:
        return opener(
            text,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_timeout_s=busy_timeout_s,
        )
    from milepost.stores.sqlite.store import SqliteStore  # noqa: PLC0415 one kind is opened

    path, allowed = _place(text)
    return SqliteStore(
        path,
        allow_network=allow_network or allowed,
        create=create,
        read_only=read_only,
        durability=durability,
        busy_timeout_s=busy_timeout_s,
    )


def server_format(url: str, *, asked: bool = True) -> StoreFormat | None:
    """The format of what is on a server at `url`, where nothing need be yet; None for no server.

    Nothing is changed there. Without `asked` it is not even looked at, and taken to be nothing.
    Raises StoreError, StoreForeign, StoreNewer, ExtraAbsent.
    """
    if not _names_a_server(url):
        return None
    from milepost.extras import needing  # noqa: PLC0415 most stores are files
    from milepost.stores.postgres.address import address_of  # noqa: PLC0415

    address = address_of(url)
    with needing("postgres", "a store on a PostgreSQL server"):
        from milepost.stores.postgres.migration import format_at  # noqa: PLC0415

        return format_at(address, asked=asked)


def watching(url: str, job_id: str) -> AbstractContextManager[Callable[[float], None]] | None:
    """A way to wait for a job on a server to change: a call takes at most so many seconds.

    From when it is entered on; it keeps a connection of its own. None for a URL of no server.
    Raises StoreError, ExtraAbsent.
    """
    if not _names_a_server(url):
        return None
    from milepost.extras import needing  # noqa: PLC0415 most stores are files
    from milepost.stores.postgres.address import address_of  # noqa: PLC0415

    address = address_of(url)
    with needing("postgres", "a store on a PostgreSQL server"):
        from milepost.stores.postgres.notices import watching as watched  # noqa: PLC0415

        return watched(address, job_id)


def _names_a_server(text: str) -> bool:
    return text.partition("://")[0] in _SERVERS


class Opener(Protocol):
    """Opens the stores of a package: the object that its entry point of `milepost.stores` names.

    The entry point has the name of the scheme: `redis` for `redis://host/0`.
    """

    def __call__(
        self,
        url: str,
        *,
        create: Create,
        read_only: bool,
        durability: Durability,
        busy_timeout_s: float,
    ) -> StateStore:
        """The store at `url`, opened as `open_store` was asked to. Raises StoreError."""
        ...


def _opener(text: str) -> Opener | None:
    """What opens a URL of this scheme: of a package, None where it is ours or no URL.

    Raises StoreError for a package that cannot be loaded.
    """
    scheme, separator, _ = text.partition("://")
    if not separator or scheme == "sqlite":
        return None
    from importlib.metadata import entry_points  # noqa: PLC0415 only for schemes that are not ours

    for each in entry_points(group=GROUP, name=scheme):
        try:
            opener: Opener = each.load()
        except Exception as error:
            problem = (
                f"the package that has stores at {scheme}:// cannot be loaded"
                f" ({each.value}: {type(error).__name__}: {error}): install it anew"
            )
            raise StoreError(url=shown_url(text), problem=problem) from error
        return opener
    return None


def shown_url(text: str) -> str:
    """What names a store, for people: without a password, whatever else is wrong with it."""
    scheme, _, rest = text.partition(":/")
    if scheme == "sqlite" or not (rest.startswith("/") or _of_a_server(text)):
        return text
    from milepost.stores.postgres.address import shown  # noqa: PLC0415 most stores are files

    return shown(text.strip() if rest.startswith("/") else f"{scheme.strip()}://{rest}")


def _of_a_server(text: str) -> bool:
    """True for what is meant as the URL of a server, right or wrong."""
    return text.partition(":/")[0].strip().lower() in _SERVERS and ":/" in text


def _url(given: object) -> str:
    """A text that names a store: a path or a URL, its case and slashes as they were written."""
    arguments.path("url", shown_url(given) if isinstance(given, str) else given)
    return str.__str__(arguments.instance("url", given, str))


def _place(text: str) -> tuple[Path, bool]:
    """The path that a URL names, and whether it may be on a network."""
    wrong = StoreError(
        url=shown_url(text),
        problem="is no URL of a store: use a path, sqlite:///jobs.db, sqlite:////var/jobs.db,"
        " postgresql://USER@HOST/DATABASE or memory:",
    )
    if "://" not in text:
        if _of_a_server(text):
            raise wrong
        return Path(text), False
    try:
        parts = urlsplit(text)
    except ValueError:
        raise wrong from None  # a password may be in what the parser says
    known = parts.query in ("", _ALLOW_NETWORK) and not parts.fragment
    if parts.scheme != "sqlite" or parts.netloc or not known or len(parts.path) < 2:
        raise wrong
    path = arguments.path("url", unquote(parts.path[1:]))
    return path, parts.query == _ALLOW_NETWORK
