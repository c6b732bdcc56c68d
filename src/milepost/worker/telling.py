"""An exception in words: one line with all that is behind it, and the places where it was raised.

Texts and notes of a stranger's exception may raise what they like; all that comes out is bounded
and can be encoded.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final, NamedTuple

__all__ = ["Behind", "behind", "leaves", "message_of", "raised", "traceback_of", "type_of"]

_MESSAGE_CHARS: Final = 2_000
_PART_CHARS: Final = 600  # of one exception where there are several
_TRACEBACK_CHARS: Final = 4_000
_LINE_CHARS: Final = 300
_MOST: Final = 10  # causes, and members of groups
_FRAMES: Final = 12  # the last ones of a traceback
_DEPTH: Final = 5  # of groups in groups
_OWN: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 compared as text, often
_LIBRARIES: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD: Final = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 as above

_PUBLIC: Final = {"milepost.worker.signals": "milepost.executors"}  # where it is imported from


class Behind(NamedTuple):
    """An exception behind another: its cause, or what was handled when the other was raised."""

    error: BaseException
    word: str


def type_of(error: BaseException) -> str:
    """The name of its class, with the module unless it is built in."""
    kind = type(error)
    module = str(getattr(kind, "__module__", ""))
    module = _PUBLIC.get(module, module)
    name = str(getattr(kind, "__qualname__", kind.__name__))
    known = module in ("", "builtins", "__main__")
    return encodable(name if known else f"{module}.{name}")


def behind(error: BaseException) -> list[Behind]:
    """What is behind `error`, nearest first, ten at most; none of it twice."""
    found: list[Behind] = []
    seen = {id(error)}
    while len(found) < _MOST:
        cause, context = error.__cause__, error.__context__
        if cause is not None:
            follows = Behind(cause, "from")
        elif context is not None and not error.__suppress_context__:
            follows = Behind(context, "while handling")
        else:
            break
        error = follows.error
        if id(error) in seen:
            break
        seen.add(id(error))
        if "RemoteTraceback" not in type(error).__name__:  # a text of places, of another process
            found.append(follows)
    return found


def leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group that are no groups, in order; `error` itself if it is none."""
    found: list[BaseException] = []
    level: list[tuple[BaseException, int]] = [(error, 0)]
    while level:
        one, depth = level.pop(0)
        if isinstance(one, BaseExceptionGroup) and depth < _DEPTH:
            level[:0] = [(member, depth + 1) for member in one.exceptions]
        else:
            found.append(one)
    return found


def message_of(error: BaseException) -> str:
    """`error` on one line of at most 2,000 characters: type, text, notes, members and causes."""
    chain = behind(error)
    several = bool(chain) or isinstance(error, BaseExceptionGroup)
    parts = [_told(error, _PART_CHARS if several else _MESSAGE_CHARS)]
    parts += [f"{each.word} {_told(each.error, _PART_CHARS)}" for each in chain]
    return _cut(", ".join(parts), _MESSAGE_CHARS)


def raised(error: BaseException) -> dict[str, str]:
    """Type and text of one exception, for the record."""
    return {"type": type_of(error), "message": _cut(_text(error), _PART_CHARS)}


def traceback_of(error: BaseException) -> str:
    """Where `error` and what is behind it was raised, a line a frame, the innermost last.

    Frames of libraries that call each other are told by the last of them. At most 4,000
    characters: the places of the error itself come first.
    """
    told: list[str] = []
    errors = [error, *(each.error for each in behind(error))]
    for one in errors:
        members = leaves(one)[:3] if isinstance(one, BaseExceptionGroup) else []
        for each in (one, *members):
            lines = list(_places(each.__traceback__))
            if lines:
                told.append("\n".join([f"{type_of(each)}:", *lines]))
    return _cut("\n".join(told), _TRACEBACK_CHARS)


def encodable(text: str) -> str:
    """`text` with escapes for the lone surrogates in it, which are no JSON."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _told(error: BaseException, most: int) -> str:
    """Type, text, notes and members of one exception."""
    told, text = type_of(error), _text(error)
    if text:
        told = f"{told}: {text}"
    notes = _notes(error)
    if notes:
        told = f"{told} ({'; '.join(notes)})"
    if isinstance(error, BaseExceptionGroup):
        members = leaves(error)
        each = [_told_in_group(member) for member in members[:_MOST]]
        if len(members) > _MOST:
            each.append(f"{len(members) - _MOST} more")
        return f"{_cut(told, most)} [{'; '.join(each)}]"
    return _cut(told, most)


def _told_in_group(member: BaseException) -> str:
    """One member of a group, with what is behind it: a third of the room of one exception."""
    if isinstance(member, BaseExceptionGroup):
        return f"{type_of(member)}, deeper than is told"
    parts = [_told(member, _PART_CHARS // 3)]
    parts += [f"{each.word} {_told(each.error, _PART_CHARS // 3)}" for each in behind(member)[:2]]
    return ", ".join(parts)


def _text(error: BaseException) -> str:
    """The text of the exception on one line."""
    try:
        text = str.__str__(str(error))
    except BaseException:  # noqa: BLE001 whatever a stranger's __str__ raises
        return "<exception str() failed>"
    return encodable(" ".join(text[: 4 * _MESSAGE_CHARS].split()))


def _notes(error: BaseException) -> list[str]:
    try:
        notes = getattr(error, "__notes__", None)
        if not isinstance(notes, list | tuple):
            return []
        return [encodable(" ".join(str(note)[:_PART_CHARS].split())) for note in notes[:_MOST]]
    except BaseException:  # noqa: BLE001 as in `_text`
        return []


def _places(traceback: TracebackType | None) -> Iterator[str]:
    """The last frames of a traceback, those of this folder left out."""
    frames: list[tuple[FrameType, int]] = []
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_OWN):
            frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    lines: list[str] = []
    passed: list[str] = []
    for place, (frame, line) in enumerate(frames):
        library = _library(frame)
        last = place + 1 == len(frames) or _library(frames[place + 1][0]) == ""
        if library and not last:
            passed.append(library)
            continue
        if passed:
            names = ", ".join(dict.fromkeys(passed))
            lines.append(f"  … {len(passed)} frame{'s' * (len(passed) > 1)} of {names}")
            passed = []
        lines.append(f"  {_place(frame, line)}")
    if len(lines) > _FRAMES:
        yield f"  … {len(lines) - _FRAMES} lines before"
    yield from lines[-_FRAMES:]


def _place(frame: FrameType, line: int) -> str:
    """One frame: file, line, function and what stands there; no values."""
    name = frame.f_code.co_filename
    source = linecache.getline(name, line, frame.f_globals).strip()
    for folder in _LIBRARIES:
        name = name.rpartition(folder)[2]
    name = name.removeprefix(_STANDARD)
    told = f"{name}:{line} in {frame.f_code.co_qualname}"
    return _cut(encodable(f"{told}: {source}" if source else told), _LINE_CHARS)


def _library(frame: FrameType) -> str:
    """The package that the frame's code is of, if it is a library's; else empty."""
    name = frame.f_code.co_filename
    if any(folder in name for folder in _LIBRARIES) or name.startswith((_STANDARD, "<frozen ")):
        return str(frame.f_globals.get("__name__", "a library")).partition(".")[0]
    return ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
