"""Lines of a view as CSV: a column for each field, those of an inner object by `outer.inner`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

__all__ = ["Lines", "to_csv"]

_TRUTH: Final = {True: "true", False: "false"}


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
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([".".join(path) for path in paths])
    for line in given.lines:
        writer.writerow([_cell(_at(line, path)) for path in paths])
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
    return line


def _cell(given: Any) -> str:  # Any: any value of a field
    if given is None or given is UNSET:
        return ""
    if isinstance(given, bool):
        return _TRUTH[given]
    if isinstance(given, str):
        return str(given)
    if isinstance(given, datetime):
        return given.isoformat().replace("+00:00", "Z")
    return msgspec.json.encode(given, order="sorted", enc_hook=str).decode()
