"""Views as JSON: named by their schema, keys sorted, times in RFC 3339 UTC, ids as text."""

from __future__ import annotations

import msgspec

from milepost.inspect.views import DeadLine, View

__all__ = ["to_json", "to_json_line"]


def to_json_line(line: DeadLine) -> str:
    """A line of an export: key, value and failures, in the order of their names."""
    failures = [
        {"at": each.at, "cause": each.cause, "message": each.message, "seq": each.seq}
        for each in line.failures
    ]
    entry = {"failures": failures, "key": line.key, "value": line.value}
    return msgspec.json.encode(entry).decode() + "\n"


def to_json(view: View) -> str:
    """`view` as an indented JSON object that ends with a line feed.

    Within one version of a schema keys are only ever added.
    """
    fields = msgspec.to_builtins(view)
    encoded = msgspec.json.encode({"schema": view.SCHEMA, **fields}, order="sorted")
    return msgspec.json.format(encoded, indent=2).decode() + "\n"
