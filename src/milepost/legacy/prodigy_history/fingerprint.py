"""The fingerprint of an old job: the same as long as what is read of it is the same."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from milepost.legacy.prodigy import OldJob
from milepost.log.codec import DIGEST_BYTES

__all__ = ["fingerprint_of"]

_LEFT_OUT: Final = ("items", "report")


def fingerprint_of(old: OldJob) -> str:
    """The digest of all that was read of the job but the report, in hexadecimal.

    Files that say nothing of the job, a lock or a pruned state, do not matter. O(bytes).
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    values = {
        one.name: getattr(old, one.name)
        for one in dataclasses.fields(old)
        if one.name not in _LEFT_OUT
    }
    for part in (values, *old.items):
        digest.update(_encoded(part) + b"\n")
    return digest.hexdigest()


def _encoded(part: object) -> bytes:
    try:
        return _encode(part).encode()
    except RecursionError:
        return b"nested too deeply to be read here, so that no word of it is stored"


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return [value.days, value.seconds, value.microseconds]
        case Mapping():
            return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is no part of an old job")


_encode: Final = json.JSONEncoder(sort_keys=True, default=_plain).encode  # integers of any size
