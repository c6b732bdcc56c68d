"""What a command that is advised needs, so that it reaches the store of this call from anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from milepost.cli.keys import STORE
from milepost.stores.opening import shown_url

__all__ = ["reaching_words"]

_VARIABLE: Final = "MILEPOST_DB"
"""What names the store where `--db` does not."""


def reaching_words(meta: Mapping[str, Any]) -> tuple[str, ...]:  # Any: as click declares it
    """`--db STORE` for the store that is named in `meta`; nothing where none is.

    Nothing either where the variable names that store: it does so for the next command too.
    """
    named: str | None = meta.get(STORE)
    if not named or named == (usual := os.environ.get(_VARIABLE, "")):
        return ()
    store = _from_anywhere(named)
    return () if usual and store == _from_anywhere(usual) else ("--db", store)


def _from_anywhere(named: str) -> str:
    """The store, as it is named from any folder: a path from the root, a URL without a password."""
    if named in ("memory:", "memory://"):
        return named
    shown = shown_url(named)
    if shown != named or ("://" in named and not named.startswith("sqlite:")):
        return shown
    if "://" not in named:
        return _absolute(named)
    try:
        parts = urlsplit(named)
    except ValueError:
        return named
    path = unquote(parts.path[1:])
    if not path or path.startswith("/"):
        return named
    return f"sqlite:///{quote(_absolute(path))}{'?' * bool(parts.query)}{parts.query}"


def _absolute(path: str) -> str:
    try:
        return str(Path(path).absolute())
    except OSError:  # the folder of this process is gone
        return path
