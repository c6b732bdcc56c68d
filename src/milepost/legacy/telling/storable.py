"""Old values as they can be stored here: all JSON within the limits, without any environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from milepost.errors import ValueInvalid
from milepost.log.codec import MAX_BLOCK_BYTES
from milepost.worker.values import encode_value

__all__ = ["MAX_VALUE_BYTES", "encoded", "item_key", "without_environment"]

MAX_VALUE_BYTES: Final = MAX_BLOCK_BYTES // 4
"""The most that one value, result or variable of an old job may take as JSON."""

_KEY: Final = re.compile(r"[^\0\ud800-\udfff]{1,512}", re.DOTALL)


def encoded(value: object, what: str) -> msgspec.Raw | ValueInvalid:
    """`value` as JSON, or why it cannot be stored: too deep, too large, a number too great."""
    try:
        raw = encode_value(value, what)
    except ValueInvalid as error:
        return error
    except RecursionError:
        return ValueInvalid(what=what, path="$", problem="is nested too deeply")
    if len(raw) > MAX_VALUE_BYTES:
        problem = f"takes {len(raw):,} bytes and at most {MAX_VALUE_BYTES:,} are stored"
        return ValueInvalid(what=what, path="$", problem=problem)
    return msgspec.Raw(raw)


def item_key(old_id: str) -> str:
    """The key of an item: its old id, or where that is no key, one made from its digest."""
    if _KEY.fullmatch(old_id):
        return old_id
    digest = blake2b(old_id.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"item-{digest}"


def without_environment(value: Any, names: set[str]) -> Any:  # Any: JSON
    """Steps of a workflow whose `env` has names and no values; the names are added to `names`."""
    match value:
        case Mapping():
            kept: dict[str, Any] = {}
            for name, inner in value.items():
                if name == "env" and isinstance(inner, Mapping):
                    names.update(map(str, inner))
                    kept[name] = dict.fromkeys(map(str, inner))
                else:
                    kept[name] = without_environment(inner, names)
            return kept
        case list() | tuple():
            return [without_environment(inner, names) for inner in value]
        case _:
            return value
