"""Commands that messages advise, as a shell takes them, and so that they reach the same store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["STORELESS", "command", "reaching", "salvage_of"]

STORELESS: Final = frozenset(
    ("check", "compile", "completion", "diff", "explain", "move", "salvage", "schema", "traces")
)
"""The commands that take no `--db`: they reach no store, or name theirs by arguments."""


def _nothing() -> Sequence[str]:
    return ()


_ADDED: Final = ContextVar[Callable[[], Sequence[str]]]("milepost.reaching", default=_nothing)


def command(name: str, *words: object) -> str:
    """`milepost NAME WORDS…`, each word quoted for a shell, and then what `reaching` adds."""
    from shlex import quote  # noqa: PLC0415 with the first advice

    added = () if name in STORELESS else _ADDED.get()()
    return " ".join(("milepost", name, *(quote(str(word)) for word in (*words, *added))))


def salvage_of(url: str) -> str:
    """`milepost salvage STORE NEW` for the SQLite store at `url`, a path from the root."""
    from pathlib import Path  # noqa: PLC0415 with the first advice

    return command("salvage", Path(url.removeprefix("sqlite:///")).absolute(), "NEW")


@contextmanager
def reaching(words: Callable[[], Sequence[str]] = _nothing) -> Iterator[None]:
    """Within it, advised commands end with `words`, asked for each; by itself, with none.

    It holds for the thread, or the task, that enters it.
    """
    token = _ADDED.set(words)
    try:
        yield
    finally:
        _ADDED.reset(token)
