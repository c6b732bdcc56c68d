"""A definition file as plain data, by the rules of the language: few things in it are no text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from milepost.definition.formulas import NotUnderstood

__all__ = ["MOST_BYTES", "data_of"]

MOST_BYTES: Final = 1 << 20
"""What a file has at the most."""
_DEEPEST: Final = 32
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_LONGEST: Final = 18  # characters of an integer; what is longer is text
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "": None}
_MARK: Final = b"\xef\xbb\xbf"
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF: Final = re.compile("[\ud800-\udfff]")


def data_of(content: bytes | str) -> Any:
    """The data in the content of a file. Raises NotUnderstood, which says why there is none.

    Only `true`, `null` and decimal integers are no text, and those in quotes are. PyYAML reads it.
    """
    import yaml  # noqa: PLC0415 an extra brings it

    if len(content) > MOST_BYTES:
        raise NotUnderstood(f"it has more than {MOST_BYTES:,} bytes")
    try:
        text = content if isinstance(content, str) else content.removeprefix(_MARK).decode("utf-8")
        return _document(yaml.parse(text, Loader=yaml.SafeLoader))
    except NotUnderstood:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # absurd escapes among them
        raise NotUnderstood(f"it cannot be read: {error}") from error


def _document(events: Iterator[Any]) -> Any:
    """The data of the only document, `null` for none."""
    found: list[Any] = []
    for event in events:
        kind = type(event).__name__
        if kind == "DocumentStartEvent" and found:
            raise NotUnderstood(f"it has a second document{_where(event)}")
        if kind in ("AliasEvent", "ScalarEvent", "SequenceStartEvent", "MappingStartEvent"):
            found.append(_value(event, events, 0))
    return found[0] if found else None


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    kind = type(event).__name__
    if kind == "AliasEvent" or event.anchor is not None:
        raise NotUnderstood(f"it has an anchor or an alias{_where(event)}: write it out")
    if event.tag:
        raise NotUnderstood(f"it has a tag{_where(event)}: leave it out")
    if kind == "ScalarEvent":
        return _scalar(_whole(event), quoted=bool(event.style))
    if depth >= _DEEPEST:
        raise NotUnderstood(f"it is nested more than {_DEEPEST} deep{_where(event)}")
    if kind == "SequenceStartEvent":
        listed = []
        while type(one := next(events)).__name__ != "SequenceEndEvent":
            listed.append(_value(one, events, depth + 1))
        return listed
    mapped: dict[str, Any] = {}
    while type(one := next(events)).__name__ != "MappingEndEvent":
        if type(one).__name__ != "ScalarEvent" or one.anchor is not None or one.tag:
            raise NotUnderstood(f"it has a key that is no name{_where(one)}")
        key = _whole(one)
        if key in mapped:
            raise NotUnderstood(f"it has the key '{key}' a second time{_where(one)}")
        mapped[key] = _value(next(events), events, depth + 1)
    return mapped


def _scalar(value: str, *, quoted: bool) -> Any:
    if quoted:
        return value
    if value in _CONSTANTS:
        return _CONSTANTS[value]
    whole = len(value) <= _LONGEST and _INTEGER.fullmatch(value)
    return int(value) if whole else value


def _whole(event: Any) -> str:
    """The text of a scalar; two escapes may make one character, as JSON has it."""
    value: str = _PAIR.sub(
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), event.value
    )
    if _HALF.search(value):
        raise NotUnderstood(f"it has an escape that is half of a character{_where(event)}")
    return value


def _where(event: Any) -> str:
    mark = event.start_mark
    return f" in line {mark.line + 1}" if mark is not None else ""
