"""Pages on a terminal: colours, glyphs, and tables that fit its width. Needs rich.

rich reads markup, emoji codes and links in plain `str`; here it is given nothing but `Text`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from textwrap import wrap
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from milepost.drawings.looks import look
from milepost.inspect.page import Block, Cell, Fields, Lines, Note, Page, Table
from milepost.inspect.states import StateName
from milepost.text.escapes import encodable, printable

__all__ = ["draw", "drawn"]

_Show: TypeAlias = Callable[[str], str]


def drawn(page: Page) -> tuple[str, int]:
    """`page` as it is drawn on stdout, line by line, and how many lines stdout shows at once."""
    console = Console(highlight=False)
    with console.capture() as captured:
        draw(page, console)
    return captured.get(), console.height


def draw(page: Page, console: Console | None = None) -> None:
    """Draw `page` on stdout, or on `console`. NO_COLOR is honoured.

    What steers a terminal, and what its encoding does not have, is written as an escape.
    """
    console = console or Console(highlight=False)
    show = partial(_shown, encoding=console.encoding)
    pieces = (_block(block, show, console.width) for block in page)
    drawn = [piece for piece in pieces if piece is not None]
    for position, piece in enumerate(drawn):
        if position:
            console.print()
        console.print(piece)


def _block(block: Block, show: _Show, width: int) -> RenderableType | None:
    match block:
        case Note():
            return Text(show(block.text), overflow="fold")
        case Lines():
            told = Text("\n".join(map(show, block.lines)), overflow="fold")
            return _titled(block.title, told, show) if block.lines else None
        case Fields():
            return _titled(block.title, _fields(block, show), show) if block.entries else None
        case Table() if block.rows:
            return _titled(block.title, _table(block, show, width), show)
        case Table():
            return Text(show(block.empty), overflow="fold") if block.empty else None


def _titled(title: str, body: RenderableType, show: _Show) -> RenderableType:
    return Group(Text(show(title), style="bold"), body) if title else body


def _fields(fields: Fields, show: _Show) -> Grid:
    grid = _grid(show_header=False)
    grid.add_column(style="dim")
    grid.add_column()
    for name, cell in fields.entries:
        grid.add_row(Text(show(name), overflow="fold"), _cell(cell, show))
    return grid


def _table(table: Table, show: _Show, width: int) -> Grid:
    narrow = _wide(table, show) > width
    grid = _grid(show_header=True, gap=1 if narrow else 2)
    for column in table.columns:
        name = Text(show(column.name))
        justify: JustifyMethod = "right" if column.numeric else "left"
        grid.add_column(name, justify=justify, no_wrap=column.numeric or column.whole)
    for row in table.rows:
        grid.add_row(
            *(
                _words(cell, show) if narrow and column.whole else _cell(cell, show)
                for cell, column in zip(row, table.columns, strict=True)
            )
        )
    return grid


def _wide(table: Table, show: _Show) -> int:
    """How wide a table is whose cells all stand on one line."""
    widest = [cell_len(show(column.name)) for column in table.columns]
    for row in table.rows:
        widest = [
            max(before, _cell(cell, show).cell_len)
            for before, cell in zip(widest, row, strict=True)
        ]
    return sum(widest) + 2 * len(widest)


def _grid(*, show_header: bool, gap: int = 2) -> Grid:
    padding = (0, gap, 0, 0)
    return Grid(
        box=None, show_header=show_header, header_style="bold", pad_edge=False, padding=padding
    )


def _cell(cell: Cell, show: _Show) -> Text:
    if isinstance(cell, StateName):
        colour, glyph = look(cell.meaning)
        state = show(cell)
        named = f"{glyph} {state}" if show(glyph) == glyph else state
        return Text(named, style=colour, no_wrap=True)
    return Text(show(cell), overflow="fold")


def _words(cell: Cell, show: _Show) -> Text:
    """A cell on as many lines as its words need, each as wide as the longest of them."""
    words = show(cell).split()
    longest = max(map(len, words), default=1)
    return Text("\n".join(wrap(" ".join(words), longest, break_on_hyphens=False)))


def _shown(text: str, encoding: str) -> str:
    return encodable(printable(text), encoding)
