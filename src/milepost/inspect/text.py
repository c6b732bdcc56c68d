"""Pages as plain text: no colour, no box, nothing cut off, the same bytes for the same page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from milepost.inspect.page import Block, Cell, Fields, Lines, Note, Page, Table
from milepost.text.escapes import columns, encodable, printable

__all__ = ["to_text"]

_GAP = "  "
_Show: TypeAlias = Callable[[str], str]


def to_text(page: Page, encoding: str = "utf-8") -> str:
    """`page` as text, blocks an empty line apart; it ends with a line feed unless it is empty.

    What steers a terminal, and what `encoding` does not have, is written as an escape.
    """
    show = partial(_shown, encoding=encoding)
    blocks = ["\n".join(_lines(block, show)) for block in page]
    text = "\n\n".join(block for block in blocks if block)
    return f"{text}\n" if text else ""


def _lines(block: Block, show: _Show) -> Iterator[str]:
    match block:
        case Note():
            yield show(block.text)
        case Lines():
            if block.lines and block.title:
                yield show(block.title)
            yield from map(show, block.lines)
        case Fields():
            if block.entries and block.title:
                yield show(block.title)
            lines = [(show(name), _plain(cell, show)) for name, cell in block.entries]
            width = max((columns(name) for name, _ in lines), default=0)
            for name, cell in lines:
                yield f"{name}{_fill(name, width)}{_GAP}{cell}".rstrip()
        case Table():
            yield from _table(block, show)


def _table(table: Table, show: _Show) -> Iterator[str]:
    if not table.rows:
        if table.empty:
            yield show(table.empty)
        return
    if table.title:
        yield show(table.title)
    lines = [[show(column.name) for column in table.columns]]
    lines += [[_plain(cell, show) for cell in row] for row in table.rows]
    widths = [max(map(columns, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            f"{_fill(cell, width)}{cell}" if column.numeric else f"{cell}{_fill(cell, width)}"
            for cell, width, column in zip(line, widths, table.columns, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def _fill(cell: str, width: int) -> str:
    return " " * (width - columns(cell))


def _plain(cell: Cell, show: _Show) -> str:
    return show(cell)


def _shown(text: str, encoding: str) -> str:
    return encodable(printable(text), encoding)
