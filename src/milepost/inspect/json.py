"""Views as JSON: named by their schema, keys sorted, times in RFC 3339 UTC, ids as text."""

from __future__ import annotations

import msgspec

from milepost.inspect.views import View

__all__ = ["to_json"]


def to_json(view: View) -> str:
    """`view` as an indented JSON object that ends with a line feed.

    Within one version of a schema keys are only ever added.
    """
    fields = msgspec.to_builtins(view)
    encoded = msgspec.json.encode({"schema": view.SCHEMA, **fields}, order="sorted")
    return msgspec.json.format(encoded, indent=2).decode() + "\n"
