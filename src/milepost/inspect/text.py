"""Pages as plain text: no colour, no box, nothing cut off, the same bytes for the same page."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.inspect.page import Badge, Block, Cell, Fields, Note, Page, Table, printable

__all__ = ["to_text"]

_GAP = "  "


def to_text(page: Page) -> str:
    """`page` as text, blocks an empty line apart; it ends with a line feed unless it is empty."""
    blocks = ["\n".join(_lines(block)) for block in page]
    text = "\n\n".join(block for block in blocks if block)
    return f"{text}\n" if text else ""


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Note():
            yield printable(block.text)
        case Fields():
            if block.entries and block.title:
                yield printable(block.title)
            width = max((len(name) for name, _ in block.entries), default=0)
            for name, cell in block.entries:
                yield f"{name.ljust(width)}{_GAP}{_plain(cell)}".rstrip()
        case Table():
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        if table.empty:
            yield printable(table.empty)
        return
    if table.title:
        yield printable(table.title)
    lines = [[column.name for column in table.columns]]
    lines += [[_plain(cell) for cell in row] for row in table.rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(line, widths, table.columns, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def _plain(cell: Cell) -> str:
    return cell.state if isinstance(cell, Badge) else printable(cell)
