"""The JSON forms that classes have of their own, found without importing what made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec

__all__ = ["form_of", "hint"]


def form_of(value: Any, inner: Callable[[Any], object]) -> Callable[[], object] | None:
    """What makes the form that `value` has as JSON by its own class, None if it has none.

    What is in that form need not be JSON yet. `inner` gives what stands in a Struct and is of no
    type that msgspec knows. Any: `value` is asked what it is, and may raise anything.
    """
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return lambda: msgspec.to_builtins(value, enc_hook=inner)
    if hasattr(kind, "__pydantic_core_schema__") and callable(getattr(kind, "model_dump", None)):
        return lambda: value.model_dump(mode="json")
    serializer = getattr(kind, "__pydantic_serializer__", None)  # of pydantic's own dataclasses
    if serializer is not None and dataclasses.is_dataclass(kind):
        return lambda: serializer.to_python(value, mode="json")
    if dataclasses.is_dataclass(kind):
        return lambda: {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    described = getattr(kind, "__attrs_attrs__", None)
    if isinstance(described, tuple):
        return lambda: {each.name: getattr(value, each.name) for each in described}
    if hasattr(kind, "ndim") and callable(getattr(kind, "item", None)) and value.ndim == 0:
        return lambda: _scalar(value)
    return None


def hint(value: object) -> str:
    """How `value`, which is not JSON, could be given: the end of a sentence."""
    kind = type(value)
    if isinstance(value, Enum):
        return ": give its value"
    if isinstance(value, bytes | bytearray | memoryview):
        return ": give text, of base 64 for one"
    if hasattr(kind, "isoformat"):
        return ": give its isoformat()"
    if hasattr(kind, "tolist"):
        return ": give its tolist()"
    if isinstance(value, Mapping):
        return ": give a dict of it"
    if isinstance(value, Iterable):
        return ": give a list of it"
    return ": convert it, with encode= of run, say"


def _scalar(value: Any) -> object:
    """The Python object that an array library has for its scalar. Any: as in `form_of`."""
    plain = value.item()
    if type(plain) is type(value):
        raise TypeError("its item() is of the same type")  # as of numpy.longdouble
    return plain
