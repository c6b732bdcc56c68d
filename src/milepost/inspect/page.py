"""What an answer looks like before anybody draws it: notes, fields and tables of plain cells."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from msgspec import Struct

__all__ = ["Block", "Cell", "Column", "Fields", "Lines", "Note", "Page", "Table"]


Cell: TypeAlias = str
"""A text; a StateName may be drawn with its colour and glyph."""


class Column(NamedTuple):
    """A column's heading, and whether its cells are numbers, which stand to the right.

    Numbers, and the words of what is `whole`, such as a time, are never broken where a terminal is
    narrow.
    """

    name: str
    numeric: bool = False
    whole: bool = False


class Table(Struct, frozen=True, kw_only=True):
    """Rows of as many cells as there are columns. Without rows, `empty` stands for it."""

    title: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""


class Fields(Struct, frozen=True, kw_only=True):
    """Names and what they are, one a line."""

    title: str = ""
    entries: tuple[tuple[str, Cell], ...]


class Note(Struct, frozen=True):
    """One line of text."""

    text: str


class Lines(Struct, frozen=True, kw_only=True):
    """Lines of text that stand together as they are, such as a traceback."""

    title: str = ""
    lines: tuple[str, ...]


Block: TypeAlias = Table | Fields | Lines | Note

Page: TypeAlias = tuple[Block, ...]
