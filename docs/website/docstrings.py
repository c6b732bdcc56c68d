"""Docstrings of Milepost as reStructuredText: code spans, lists and the four sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

__all__ = ["as_rst", "readable"]

_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Cost|Attributes):$")
_ENTRY: Final = re.compile(r"^ {4}(?P<name>\*{0,2}[\w.]+): ?(?P<text>.*)$")
_FIELDS: Final = {"Args": "param", "Attributes": "ivar", "Raises": "raises"}
_SPAN: Final = re.compile(r"(`+)(?P<code>.+?)\1(?P<after>\w?)", re.DOTALL)
_STRONG: Final = re.compile(r"(\*+)(?=\S)([^*]+?)(?<=\S)\1")
_SPECIAL: Final = re.compile(r"[\\*|]|_(?!\w)")
_DEFAULT: Final = re.compile(
    r"<(?:function (?P<function>\w+) at 0x\w+|class '(?:\w+\.)*(?P<type>\w+)'"
    r"|(?P<member>\w+\.\w+): [^<>]*|[^<>]*)>"
)
_ITEM: Final = re.compile(r"^ *[-*] ")
_NAMED: Final = re.compile(r"^ {4}(?P<names>\w+(?:, \w+)*): (?P<text>\S.*)$")


def as_rst(docstring: Iterable[str], link: Callable[[str], str | None]) -> list[str]:
    """The lines of a docstring as reStructuredText, with sections as lists of fields.

    Args:
        docstring: Its lines, without the indentation that all of them have.
        link: Gives the whole name of what a code span names, or None where that is code alone.
    """
    found: list[str] = []
    for name, lines in _sections(docstring):
        if not name:
            found += _text(lines, link)
        elif name in _FIELDS:
            for entry, text in _entries(lines):
                field = f":{_FIELDS[name]} {entry.replace('*', chr(92) + '*')}: "
                found += _field(field, _text(text, link))
        else:
            found += _field(f":{name}: ", _text(_dedented(lines), link))
    return found


def readable(signature: str) -> str:
    """A signature in which a default that Python shows as `<...>` is its name, or dots."""
    return _DEFAULT.sub(
        lambda found: found["function"] or found["type"] or found["member"] or "...", signature
    )


def _sections(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The parts of a docstring; the first one has no name."""
    name: str = ""
    part: list[str] = []
    for line in lines:
        if match := _SECTION.match(line):
            yield name, part
            name, part = match[1], []
        else:
            part.append(line)
    yield name, part


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The entries of a section, each with its name and its lines."""
    name: str | None = None
    text: list[str] = []
    for line in lines:
        if match := _ENTRY.match(line):
            if name is not None:
                yield name, _dedented(text)
            name, text = match["name"], [match["text"]]
        else:
            text.append(line)
    if name is not None:
        yield name, _dedented(text)


def _dedented(lines: list[str]) -> list[str]:
    """The lines, of which the first may stand further left than the others."""
    rest = [line for line in lines[1:] if line.strip()]
    least = min((len(line) - len(line.lstrip()) for line in rest), default=0)
    return [lines[0].strip(), *(line[least:].rstrip() for line in lines[1:])] if lines else []


def _field(head: str, lines: list[str]) -> list[str]:
    """A field: its head before the first line, and the rest below it."""
    text = [*lines]
    while text and not text[-1].strip():
        text.pop()
    first, *rest = text or [""]
    return ["", head + first, *(f"    {line}" if line.strip() else "" for line in rest), ""]


def _text(lines: list[str], link: Callable[[str], str | None]) -> list[str]:
    """Paragraphs and lists: a list has an empty line around it, and code spans are literals."""
    spaced: list[str] = []
    in_list = False
    for line in _as_lists(lines):
        item = _ITEM.match(line)
        continued = in_list and (line.startswith(" ") or not line)
        begins_or_ends = bool(item) != in_list and not continued
        if spaced and spaced[-1] and line and begins_or_ends:
            spaced.append("")
        in_list = bool(item) or continued
        spaced.append(line)
    return _inline("\n".join(spaced), link).split("\n")


def _as_lists(lines: list[str]) -> Iterator[str]:
    """The lines, in which indented entries of names, as in `Roles`, are items of a list."""
    named = False
    for line in lines:
        if match := _NAMED.match(line):
            named = True
            names = ", ".join(f"`{name}`" for name in match["names"].split(", "))
            yield f"- {names}: {match['text']}"
        elif named and line.startswith(" " * 8):
            yield f"  {line.strip()}"
        else:
            named = False
            yield line.rstrip()


def _inline(text: str, link: Callable[[str], str | None]) -> str:
    """Code spans as literals or links, emphasis as it is, and what else would be markup escaped."""
    made: list[str] = []
    at = 0
    for span in _SPAN.finditer(text):
        made.append(_escaped(text[at : span.start()]))
        code = span["code"]
        target = link(code)
        literal = f"``{code}``" if target is None else f":py:obj:`{code} <{target}>`"
        before = "\\ " if span.start() and text[span.start() - 1].isalnum() else ""
        made.append(before + literal + ("\\ " if span["after"] else ""))
        at = span.end() - len(span["after"])
    made.append(_escaped(text[at:]))
    return "".join(made)


def _escaped(text: str) -> str:
    """Plain text with emphasis; a dash at the beginning of a line is a list's."""
    made: list[str] = []
    at = 0
    for strong in _STRONG.finditer(text):
        made.append(_SPECIAL.sub(r"\\\g<0>", text[at : strong.start()]))
        made.append(strong[0])
        at = strong.end()
    made.append(_SPECIAL.sub(r"\\\g<0>", text[at:]))
    return "".join(made)
