"""The file of a definition as mappings, lists and text: nothing in it is taken for what it is not.

PyYAML's reader makes nodes of it, with no types and no tags.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

from milepost.testing.definition.expressions import NotUnderstood

__all__ = ["Quoted", "constant", "listed", "read"]

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")


class Quoted(str):
    """A text that stood in quotes, which is never a number or a truth value."""

    __slots__ = ()


def read(path: Path) -> dict[str, Any]:
    """The file at `path`. Raises NotUnderstood if it is no mapping with texts as keys."""
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.BaseLoader(text).get_single_node()
    except yaml.YAMLError as error:
        raise NotUnderstood(f"{path} is no YAML: {error}") from None
    found = _data(node)
    if not isinstance(found, dict):
        raise NotUnderstood(f"{path} is no definition: it has no names at its outermost")
    return found


def _data(node: yaml.Node | None) -> Any:
    match node:
        case yaml.MappingNode(value=pairs):
            found: dict[str, Any] = {}
            for key, value in pairs:
                name = _data(key)
                if not isinstance(name, str) or name in found:
                    place = f"line {key.start_mark.line + 1}"
                    raise NotUnderstood(f"{place}: a key that is no text, or stands twice")
                found[str(name)] = _data(value)
            return found
        case yaml.SequenceNode(value=nodes):
            return [_data(each) for each in nodes]
        case yaml.ScalarNode(value=text, style=style):
            return str(text) if style is None else Quoted(text)
        case _:
            return None


def constant(found: Any) -> Any:
    """The value that a default or an initial value stands for."""
    if isinstance(found, dict):
        return {name: constant(value) for name, value in found.items()}
    if isinstance(found, list):
        return [constant(value) for value in found]
    if isinstance(found, Quoted) or found is None:
        return None if found is None else str(found)
    if found in ("null", ""):
        return None
    if found in ("true", "false"):
        return found == "true"
    return int(found) if _INTEGER.fullmatch(found) else found


def listed(found: Any) -> list[Any]:
    """Names that may stand as one alone, or in brackets."""
    if found is None or found == "":
        return []
    return list(found) if isinstance(found, list) else [found]
