"""A definition with every name in it replaced by another of the same length."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from milepost_codegen.findings import Findings
from milepost_codegen.source import read_source

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMED = {  # where the keys of a mapping are names: its path within a machine
    *(("context",), ("states",), ("groups",), ("collections",), ("events",), ("guards",)),
    *(("invariants",), ("events", "*", "payload"), ("collections", "*", "accepts")),
    *(("transitions", "*", "set"), ("transitions", "*", "members")),
    *(("transitions", "*", "members", "*"), ("roles", "phases"), ("roles", "resume")),
    ("roles", "outcomes"),
}
_KEPT = {"doc", "outcomes", "version"}
"""Keys whose values are no names."""


def other(name: str) -> str:
    """The name that stands for `name`, and `name` for it."""
    return codecs.encode(name, "rot13")


def renamed(text: str) -> tuple[str, frozenset[str]]:
    """The definition with other names and without its migrations, and the names that it had."""
    source = read_source(text.encode(), "original.yaml", Findings())
    assert source is not None
    data: Any = source.data
    names = frozenset(_names(data))
    return json.dumps(_document(data, names)), names


def in_text(text: str, names: frozenset[str]) -> str:
    """`text` with the other names in it."""
    return _WORD.sub(lambda word: other(word[0]) if word[0] in names else word[0], text)


def _names(data: dict[str, Any]) -> Iterator[str]:
    yield data["lifecycle"]
    for enum, members in data.get("enums", {}).items():
        yield from (enum, *members)
    for machine, parts in data["machines"].items():
        yield machine
        for path in (one[0] for one in _NAMED if len(one) == 1):
            yield from parts.get(path, {})
        for event in parts["events"].values():
            yield from (event or {}).get("payload", {})


def _document(data: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    machines = {other(name): _part(parts, (), names) for name, parts in data["machines"].items()}
    enums = {
        other(name): [other(member) for member in members]
        for name, members in data.get("enums", {}).items()
    }
    head = {"lifecycle": other(data["lifecycle"]), "version": data["version"]}
    return {**head, "enums": enums, "machines": machines}


def _part(value: Any, path: tuple[str, ...], names: frozenset[str]) -> Any:
    if isinstance(value, str):
        return in_text(value, names)
    if isinstance(value, list):
        return [_part(one, (*path, "*"), names) for one in value]
    if not isinstance(value, dict):
        return value
    named = any(_alike(path, one) for one in _NAMED)
    kept = bool(path) and path[-1] in _KEPT
    return {
        other(key) if named else key: one
        if kept or (not named and key in _KEPT and key != "outcomes")
        else _part(one, (*path, key), names)
        for key, one in value.items()
    }


def _alike(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    return len(path) == len(pattern) and all(
        want in ("*", is_) for is_, want in zip(path, pattern, strict=True)
    )
