"""Lines of a view as CSV: a column for each field, those of an inner object by `outer.inner`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

from milepost.text import csv_lines

__all__ = ["Lines", "to_csv"]


class Lines(Struct, frozen=True, kw_only=True):
    """The lines of a view: what each of them is, and those that there are."""

    kind: type[Struct]
    lines: tuple[Struct, ...]


def to_csv(given: Lines) -> str:
    """A header and a row for each line; which columns there are depends on the kind alone.

    What is None or left out is empty, times are RFC 3339 in UTC, and what is neither text nor a
    number is JSON.
    """
    paths = list(_paths(given.kind))
    out = StringIO()
    write = csv_lines.writer(out.write)
    write([".".join(path) for path in paths])
    for line in given.lines:
        write([csv_lines.cell(_at(line, path), _encoded) for path in paths])
    return out.getvalue()


def _paths(kind: type[Struct]) -> Iterator[tuple[str, ...]]:
    """The fields of a struct, in their order, and of those that are structs the fields of these."""
    hints = get_type_hints(kind)
    for name in kind.__struct_fields__:
        inner = _struct_in(hints[name])
        if inner is None:
            yield (name,)
        else:
            yield from ((name, *path) for path in _paths(inner))


def _struct_in(hint: Any) -> type[Struct] | None:  # Any: a type
    """The struct that a field holds, if it holds one, or one or nothing."""
    among = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [each for each in among if each not in (type(None), UnsetType)]
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Struct):
        return kinds[0]
    return None


def _at(line: Any, path: Iterable[str]) -> Any:  # Any: any value of a field
    for name in path:
        if line is None or line is UNSET:
            return None
        line = getattr(line, name)
    return None if line is UNSET else line


def _encoded(given: Any) -> str:  # Any: any value of a field
    return msgspec.json.encode(given, order="sorted", enc_hook=str).decode()
