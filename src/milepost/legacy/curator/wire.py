"""One line of the files as it was meant: a request, or the answer to one.

Python's own JSON wrote them, so `NaN`, infinities and halves of characters may be in them, which
are no JSON; whatever JSON has no form for was made text before. Instants have no zone: they are of
the clock of the machine that wrote them.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from milepost.text.keys import key_twice

__all__ = [
    "Answer",
    "Failure",
    "KeyTwiceError",
    "NotALineError",
    "Request",
    "answer_of",
    "request_of",
]

_ROW: Final = "original_row_idx"
_REQUEST: Final = "generic_request"
_MOST_ROWS: Final = 2**53
_COUNTED: Final = re.compile(r"(?P<message>.*)\(x(?P<count>[1-9][0-9]{0,3})\)", re.DOTALL)
_HALF: Final = re.compile("[\ud800-\udfff]")
_DETAILS: Final = ("raw_response", "finish_reason", "token_usage", "response_cost")
_NO_ANSWER: Final = "nothing says why there was no answer"


class NotALineError(Exception):
    """The line cannot be read as what it should be."""


class KeyTwiceError(Exception):
    """The line has an object with `key` twice: nobody can tell which of its values is meant."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was to be asked of one row; `changed` if it held what is not JSON."""

    row: int
    value: dict[str, Any]  # Any: JSON
    changed: bool


class Failure(NamedTuple):
    """An error, and how many attempts of the row ended with it."""

    message: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one row: `failures`, or else a `result`, all of the line but its request.

    `details` is what else a failed line tells, as lines of text.
    """

    request: Request
    result: dict[str, Any]  # Any: JSON
    failures: tuple[Failure, ...]
    details: str
    changed: bool
    began_at: datetime | None
    ended_at: datetime | None
    zone_known: bool


def request_of(line: bytes) -> Request:
    """A line of a file of requests. Raises NotALineError, KeyTwiceError."""
    content, clean = _object_of(line)
    return _request(content, clean=clean)


def answer_of(line: bytes) -> Answer:
    """A line of a file of responses. Raises NotALineError, KeyTwiceError."""
    content, clean = _object_of(line)
    asked = content.pop(_REQUEST, None)
    if not isinstance(asked, dict):
        raise NotALineError("no request")
    request = _request(asked, clean=clean)
    result, changed = (content, False) if clean else _cleaned(content)
    began_at, began_zone = _instant(result.get("created_at"))
    ended_at, ended_zone = _instant(result.get("finished_at"))
    return Answer(
        request=request,
        result=result,
        failures=_failures(result),
        details=_details(result),
        changed=changed,
        began_at=began_at,
        ended_at=ended_at,
        zone_known=began_zone and ended_zone,
    )


def _object_of(line: bytes) -> tuple[dict[str, Any], bool]:
    """The object in a line, and whether it is JSON as it stands."""
    clean = True
    try:
        content: object = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        clean = False
        try:
            content = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise NotALineError(str(error)) from error
    if not isinstance(content, dict):
        raise NotALineError("no object")
    try:
        twice = key_twice(line.decode())
    except (ValueError, RecursionError) as error:
        raise NotALineError(str(error)) from error
    if twice is not None:
        raise KeyTwiceError(twice)
    return content, clean


def _request(content: dict[str, Any], *, clean: bool) -> Request:
    row = content.get(_ROW)
    if type(row) is not int or not 0 <= row < _MOST_ROWS:
        raise NotALineError("no number of a row")
    value, changed = (content, False) if clean else _cleaned(content)
    return Request(row=row, value=value, changed=changed)


def _cleaned(content: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The object as JSON: what is no number is null, half a character is U+FFFD."""
    changes: list[bool] = []

    def walk(value: Any) -> Any:  # Any: what Python's JSON gives
        match value:
            case float() if not math.isfinite(value):
                changes.append(True)
                return None
            case str() if _HALF.search(value):
                changes.append(True)
                return _HALF.sub("\ufffd", value)
            case dict():
                return {walk(name): walk(inner) for name, inner in value.items()}
            case list():
                return [walk(inner) for inner in value]
            case _:
                return value

    try:
        return walk(content), bool(changes)
    except RecursionError as error:
        raise NotALineError("nested too deeply") from error


def _failures(result: dict[str, Any]) -> tuple[Failure, ...]:
    """How the attempts failed, as curator judges it; nothing where there is an answer."""
    errors = result.get("response_errors")
    if not errors and result.get("response_message") is not None:
        return ()
    told = [errors] if isinstance(errors, str) else errors
    if not isinstance(told, list) or not told:
        return (Failure(_NO_ANSWER, 1),)
    return tuple(_failure(each) for each in told)


def _details(result: dict[str, Any]) -> str:
    kept = ((name, result.get(name)) for name in _DETAILS)
    return "".join(f"\n{name}: {_text(value)}" for name, value in kept if value is not None)


def _text(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, RecursionError):
        return "(cannot be stored)"


def _failure(error: object) -> Failure:
    text = error if isinstance(error, str) else _text(error)
    found = _COUNTED.fullmatch(text)
    return Failure(found["message"], int(found["count"])) if found else Failure(text, 1)


def _instant(value: object) -> tuple[datetime | None, bool]:
    """The instant, taken for UTC where no zone is told, and whether one is, or nothing is."""
    if not isinstance(value, str):
        return None, True
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is None:
            return read.replace(tzinfo=UTC), False
        return read.astimezone(UTC), True
    except (ValueError, OverflowError):
        return None, True
