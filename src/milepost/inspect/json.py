"""Views as JSON: named by their schema, keys sorted, times in RFC 3339 UTC, ids as text.

It is safe to print: what steers a terminal, reorders or hides is an escape of JSON, which every
reader turns back into the character.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from milepost.inspect.states import StateName
from milepost.inspect.view import View
from milepost.text.escapes import escaped

__all__ = ["as_json", "to_json", "to_json_line"]


def as_json(char: str) -> str:
    r"""The escape of JSON for a character: `\u202e`, or two for one above U+FFFF."""
    return json.dumps(char)[1:-1] if char > "\x7f" else f"\\u{ord(char):04x}"


def to_json_line(entry: Mapping[str, Any]) -> str:  # Any: JSON, or typed by the view
    """`entry` on a line of its own, its names in their order."""
    return escaped(_encoded(entry), as_json) + "\n"


def to_json(view: View) -> str:
    """`view` as an indented JSON object that ends with a line feed.

    Within one version of a schema keys are only ever added.
    """
    fields = msgspec.to_builtins(view, enc_hook=_plain)
    named = {"schema": view.SCHEMA, **fields}
    lines = msgspec.json.format(_encoded(named, in_order=True), indent=2).split("\n")
    return "\n".join(escaped(line, as_json) for line in lines) + "\n"


def _plain(name: object) -> str:
    """The text of a state's name."""
    if isinstance(name, StateName):
        return str(name)
    raise NotImplementedError


def _encoded(entry: Mapping[str, Any], *, in_order: bool = False) -> str:
    """`entry` as JSON without spaces; with the halves of surrogate pairs that paths may hold."""
    try:
        return msgspec.json.encode(entry, order="sorted" if in_order else None).decode()
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(entry)
        return json.dumps(plain, sort_keys=in_order, separators=(",", ":"))
