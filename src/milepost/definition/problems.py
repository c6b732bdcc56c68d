"""What is wrong with a definition, and at which part of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

__all__ = ["NotUnderstood", "Path", "all_known", "among", "known", "once", "places", "within"]

Path: TypeAlias = tuple[str | int, ...]
"""The keys, and the places in lists from 0 on, that lead to a part."""

_MOST_TOLD: Final = 12


class NotUnderstood(ValueError):
    """A part of a definition that means nothing there; it says which, and why.

    `path` leads to the part, as far as that is known; `line` is its line where nothing has a path.
    """

    def __init__(self, problem: str, path: Path = (), line: int = 0) -> None:
        self.path = path
        self.line = line
        super().__init__(problem)


@contextmanager
def within(where: str, *path: str | int) -> Iterator[None]:
    """Say where that is, before what is raised in it; `where` may be empty."""
    try:
        yield
    except NotUnderstood as error:
        told = f"{where}: {error}" if where else str(error)
        raise NotUnderstood(told, (*path, *error.path), error.line) from error


def known(kind: str, name: str, names: Collection[str]) -> str:
    """`name`, if it is one of `names`. Raises NotUnderstood."""
    if name not in names:
        raise NotUnderstood(f"unknown {kind} '{name}'{among(name, names)}")
    return name


def among(name: str, names: Collection[str], others: Collection[str] = ()) -> str:
    """What there is in place of `name`, and the nearest of it; `others` are not listed."""
    from difflib import get_close_matches  # noqa: PLC0415 seldom needed

    shown = list(names)[:_MOST_TOLD]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    near = get_close_matches(name, [*names, *others], n=1)
    hint = f": did you mean '{near[0]}'?" if near else ""
    return f" (there are: {', '.join(shown) or 'none'}{more}){hint}"


def all_known(kind: str, said: Any, names: Collection[str]) -> None:
    """Raise NotUnderstood unless each name, one alone or all of a list, is one of `names`.

    Of a mapping these are its values.
    """
    for path, name in places(said):
        with within("", *path):
            known(kind, name, names)


def places(said: Any) -> Iterator[tuple[Path, str]]:
    """Names that stand alone, in a list, or as values, each with the way to it."""
    if isinstance(said, str):
        yield (), said
    elif isinstance(said, Mapping):
        yield from (((key,), name) for key, name in said.items())
    else:
        yield from (((at,), name) for at, name in enumerate(said))


def once(kind: str, names: Iterable[tuple[Path, str]]) -> None:
    """Raise NotUnderstood for a name that is given twice, each with the way to it."""
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            raise NotUnderstood(f"the {kind} '{name}' is given twice", path)
        seen.add(name)
