"""A definition file as plain data, by the rules of the language: few things in it are no text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from milepost.definition.problems import NotUnderstood, Path

__all__ = ["MOST_BYTES", "Written", "written_in"]

MOST_BYTES: Final = 1 << 20
"""What a file has at the most."""
_DEEPEST: Final = 32
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_LONGEST: Final = 18  # characters of an integer; what is longer is text
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "": None}
_MARK: Final = b"\xef\xbb\xbf"
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HALF: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The data in a file, and the line at which each part of it begins, with its key."""

    data: Any  # Any: JSON
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the part at `path`, or of the least part around it that there is."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 0)


def written_in(content: bytes | str) -> Written:
    """What stands in the content of a file. Raises NotUnderstood, which says why nothing does.

    Only `true`, `null` and decimal integers are no text, and those in quotes are. PyYAML reads it.
    """
    import yaml  # noqa: PLC0415 an extra brings it

    if len(content) > MOST_BYTES:
        raise NotUnderstood(f"it has more than {MOST_BYTES:,} bytes")
    text = content if isinstance(content, str) else _decoded(content)
    try:
        return _document(yaml.parse(text, Loader=yaml.SafeLoader))
    except NotUnderstood:
        raise
    except yaml.MarkedYAMLError as error:
        raise NotUnderstood(f"it cannot be read: {_said(error)}", line=_line(error)) from error
    except yaml.reader.ReaderError as error:
        line = _line_after(text[: error.position])
        raise NotUnderstood(f"it cannot be read: {error.reason}", line=line) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # absurd escapes among them
        raise NotUnderstood(f"it cannot be read: {error}") from error


def _decoded(content: bytes) -> str:
    try:
        return content.removeprefix(_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        line = _line_after(error.object[: error.start].decode("utf-8"))
        raise NotUnderstood("it cannot be read: it is not in UTF-8", line=line) from error


def _line_after(text: str) -> int:
    """The line that a text ends in, as YAML counts them."""
    return len(_BREAK.findall(text)) + 1


def _said(error: Any) -> str:
    """What the reader of YAML objects to, and while reading what."""
    begun = error.context or ""
    if error.context_mark is not None and error.context_mark.line + 1 != _line(error):
        begun += f" that begins in line {error.context_mark.line + 1}"
    return ", ".join(part for part in (begun, error.problem, error.note) if part)


def _line(error: Any) -> int:
    mark = error.problem_mark or error.context_mark
    return int(mark.line) + 1 if mark is not None else 0


def _document(events: Iterator[Any]) -> Written:
    """The only document, `null` for none."""
    found: list[Any] = []
    lines: dict[Path, int] = {}
    for event in events:
        kind = type(event).__name__
        if kind == "DocumentStartEvent" and found:
            raise _no("it has a second document", event)
        if kind in ("AliasEvent", "ScalarEvent", "SequenceStartEvent", "MappingStartEvent"):
            found.append(_value(event, events, (), lines))
    return Written(data=found[0] if found else None, lines=lines)


def _value(event: Any, events: Iterator[Any], path: Path, lines: dict[Path, int]) -> Any:
    kind = type(event).__name__
    lines.setdefault(path, event.start_mark.line + 1)
    if kind == "AliasEvent" or event.anchor is not None:
        raise _no("it has an anchor or an alias: write it out", event)
    if event.tag:
        raise _no("it has a tag: leave it out", event)
    if kind == "ScalarEvent":
        return _scalar(_whole(event), quoted=bool(event.style))
    if len(path) >= _DEEPEST:
        raise _no(f"it is nested more than {_DEEPEST} deep", event)
    if kind == "SequenceStartEvent":
        listed: list[Any] = []
        while type(one := next(events)).__name__ != "SequenceEndEvent":
            listed.append(_value(one, events, (*path, len(listed)), lines))
        return listed
    mapped: dict[str, Any] = {}
    while type(one := next(events)).__name__ != "MappingEndEvent":
        if type(one).__name__ != "ScalarEvent" or one.anchor is not None or one.tag:
            raise _no("it has a key that is no name", one)
        key = _whole(one)
        if key in mapped:
            raise _no(f"it has the key '{key}' a second time", one)
        lines[(*path, key)] = one.start_mark.line + 1
        mapped[key] = _value(next(events), events, (*path, key), lines)
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
        raise _no("it has an escape that is half of a character", event)
    return value


def _no(problem: str, event: Any) -> NotUnderstood:
    return NotUnderstood(problem, line=event.start_mark.line + 1)
