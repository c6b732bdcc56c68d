"""YAML text as plain data, with the place of every key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import yaml

from milepost_codegen.findings import Findings, Place
from milepost_codegen.surrogates import lone_half, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Data", "Path", "Source", "lines_of", "read_source"]

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | bool | None"
Path: TypeAlias = tuple[str | int, ...]

_MAX_BYTES: Final = 1 << 20
_MAX_DEPTH: Final = 32
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LINE_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as the YAML parser counts them
_PLAIN: Final = re.compile(r"(?:[ -$&->@-\[\]-~]*\n)+")  # ASCII without tabs, `?`, `%` and `\`
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_MAX_INT_DIGITS: Final = 18
_CONSTANTS: Final[Mapping[str, Data]] = {"true": True, "false": False, "null": None, "": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A definition file as read: its data, its lines, and where each part of the data stands.

    `keys` and `values` map a path to the place of the key or value there. `texts` holds, for
    scalars whose characters stand in the file one for one, the place of the first character,
    so that a column within the text is a column in the file.
    """

    file: str
    lines: tuple[str, ...]
    data: Data
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    texts: Mapping[Path, Place]

    def at(self, *path: str | int) -> Place:
        """The place of the value at `path`, or of the nearest part that encloses it."""
        return self._nearest(self.values, path)

    def key_at(self, *path: str | int) -> Place:
        """The place of the key that `path` ends with, or else of its value."""
        return self.keys.get(path) or self.at(*path)

    def within(self, path: Path, column: int) -> Place:
        """The place `column` characters (from 0) into the text at `path`."""
        start = self.texts.get(path)
        return start.shifted(column) if start else self.at(*path)

    def _nearest(self, places: Mapping[Path, Place], path: Path) -> Place:
        while path and path not in places:
            path = path[:-1]
        return places.get(path, Place(file=self.file, line=1, column=1))


def lines_of(content: bytes) -> tuple[str, ...]:
    """The lines that places in a definition file are of, also where it cannot be read."""
    return tuple(_LINE_BREAK.split(content.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace")))


def read_source(content: bytes, file: str, findings: Findings) -> Source | None:
    """The data of a definition file, or None if it cannot be read; reports why."""
    start = Place(file=file, line=1, column=1)
    if len(content) > _MAX_BYTES:
        findings.report("E002", start, f"the file has {len(content)} bytes, more than {_MAX_BYTES}")
        return None
    text, broken = _decode(content)
    lines = tuple(_LINE_BREAK.split(text))
    if broken:
        place = Place(file=file, line=len(lines), column=len(lines[-1]) + 1)
        findings.report("E001", place, "the text is not UTF-8", "save the file as UTF-8")
        return None
    reader = _Reader(file, text, findings)
    try:
        data = reader.document(_events(text))
    except yaml.reader.ReaderError as problem:
        before = _LINE_BREAK.split(text[: problem.position])
        place = Place(file=file, line=len(before), column=len(before[-1]) + 1)
        findings.report("E001", place, f"the character U+{_code(problem):04X} is not allowed")
        return None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = reader.place(mark) if mark else start
        findings.report("E003", place, _describe(problem), _advise(problem, lines, place))
        return None
    except (ValueError, OverflowError):  # escapes and directives with absurd numbers
        findings.report("E003", reader.last, "a number here is out of range")
        return None
    except _Unreadable:
        return None
    return Source(
        file=file,
        lines=lines,
        data=data,
        keys=reader.keys,
        values=reader.values,
        texts=reader.texts,
    )


def _events(text: str) -> Iterator[yaml.Event]:
    """What the text says, as the parser in Python tells it: by the one in C where they agree.

    They read some texts in two ways. In one of plain characters, without what only one of them
    takes, they agree if the one in C takes it, but for where in braces an empty value stands.
    """
    fast = getattr(yaml, "CSafeLoader", None)  # not everywhere
    if fast is not None and _PLAIN.fullmatch(text):
        try:
            events: list[yaml.Event] = list(yaml.parse(text, Loader=fast))
        except yaml.YAMLError:
            pass  # the one in Python says what is wrong, or takes it
        else:
            if all(text[at - 1] == ":" for at in _empty(events)):
                return iter(events)
    return yaml.parse(text, Loader=yaml.SafeLoader)


def _empty(events: Iterable[yaml.Event]) -> Iterator[int]:
    """Where values stand that have no text and no quotes."""
    for event in events:
        if isinstance(event, yaml.ScalarEvent) and not event.value and not event.style:
            assert event.start_mark is not None
            yield event.start_mark.index


def _decode(content: bytes) -> tuple[str, bool]:
    """The text without a byte order mark, as far as it is UTF-8, and whether it ended early."""
    content = content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return content.decode(), False
    except UnicodeDecodeError as problem:
        return content[: problem.start].decode(), True


def _code(problem: yaml.reader.ReaderError) -> int:
    character = problem.character
    return character if isinstance(character, int) else ord(character)


def _describe(problem: yaml.MarkedYAMLError) -> str:
    said = (problem.problem or "cannot be read").replace("\n", " ")
    context = f" {problem.context}" if problem.context else ""
    return f"broken YAML{context}: {said}"


def _advise(problem: yaml.MarkedYAMLError, lines: tuple[str, ...], place: Place) -> str:
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: place.column]:
        return "indent with spaces, not tabs"
    if problem.problem and "mapping values are not allowed" in problem.problem:
        return "put text that holds ': ' in quotes"
    return ""


class _Mark(Protocol):
    """A position as the parser gives it, counted from 0."""

    index: int
    line: int
    column: int


class _Unreadable(Exception):
    """The rest of the file cannot be read; the finding is already reported."""


class _Reader:
    """Builds data from parser events, one document, by our own scalar rules."""

    def __init__(self, file: str, text: str, findings: Findings) -> None:
        self.text = text
        self.findings = findings
        self.last = Place(file=file, line=1, column=1)
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.texts: dict[Path, Place] = {}

    def place(self, mark: _Mark | None) -> Place:
        if mark is None:
            return self.last
        return Place(file=self.last.file, line=mark.line + 1, column=mark.column + 1)

    def document(self, events: Iterator[yaml.Event]) -> Data:
        data: Data = None
        documents = 0
        for event in self._noted(events):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    message = "a second document begins here; a file defines one lifecycle"
                    self.findings.report("E004", self.last, message)
                    raise _Unreadable
            elif isinstance(event, yaml.NodeEvent):
                data = self._value(event, events, ())
        return data

    def _noted(self, events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
        for event in events:
            self.last = self.place(event.start_mark)
            yield event

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Data:
        self.values[path] = self.place(event.start_mark)
        self._refuse_features(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.AliasEvent):
            return None
        if len(path) >= _MAX_DEPTH:
            self.findings.report(
                "E002", self.last, f"the data is nested more than {_MAX_DEPTH} deep"
            )
            raise _Unreadable
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> Data:
        items: list[Data] = []
        for event in self._noted(events):
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> Data:
        entries: dict[str, Data] = {}
        for event in self._noted(events):
            if isinstance(event, yaml.MappingEndEvent):
                break
            place = self.last
            self._refuse_features(event)
            if not isinstance(event, yaml.ScalarEvent):
                if not isinstance(event, yaml.AliasEvent):
                    self.findings.report("E103", place, "a key must be a name, not a collection")
                raise _Unreadable
            key = self._whole(event)
            value_event = next(self._noted(events))
            if key in entries:
                self.findings.report(
                    "E005",
                    place,
                    f"duplicate key '{key}'",
                    f"it is first given in line {self.keys[*path, key].line}",
                )
                self._value(value_event, events, (*path, f"{key} (again, line {place.line})"))
                continue
            self.keys[*path, key] = place
            entries[key] = self._value(value_event, events, (*path, key))
        return entries

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Data:
        value = self._whole(event)
        quotes = 1 if event.style else 0  # a plain one has none, or an empty one
        start, end = event.start_mark, event.end_mark
        if start and end and end.index - start.index == len(value) + 2 * quotes:
            self.texts[path] = self.values[path].shifted(quotes)
        if event.style:
            return value
        if value in _CONSTANTS:
            return _CONSTANTS[value]
        if _INT.fullmatch(value) and len(value) <= _MAX_INT_DIGITS:
            return int(value)
        return value

    def _whole(self, event: yaml.ScalarEvent) -> str:
        """The text of a scalar; one that holds half of a character is reported."""
        value: str = event.value
        joined = whole(value)
        if joined is not None:
            return joined
        begin = event.start_mark.index if event.start_mark else 0
        end = event.end_mark.index if event.end_mark else len(self.text)
        at, written = lone_half(self.text[begin:end])
        lines = _LINE_BREAK.split(self.text[: begin + at])
        place = Place(file=self.last.file, line=len(lines), column=len(lines[-1]) + 1)
        self.findings.report(
            "E001",
            place,
            f"the escape '{written}' is half of a character, and its other half is not beside it",
            "write the character itself, or leave the escape out",
        )
        return value.encode("utf-8", "replace").decode()

    def _refuse_features(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            feature = f"the alias '*{event.anchor}'"
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            feature = f"the anchor '&{event.anchor}'"
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag:
            feature = f"the tag '{event.tag}'"
        else:
            return
        place = self.place(event.start_mark)
        self.findings.report("E004", place, f"{feature} is not read", "write the value out")
