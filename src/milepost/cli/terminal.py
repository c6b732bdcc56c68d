"""Pages on a terminal: colours, glyphs, and tables that fit its width. Needs rich."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from milepost.inspect.page import Badge, Block, Cell, Fields, Note, Page, Table, printable
from milepost.inspect.palette import look

__all__ = ["draw"]


def draw(page: Page, console: Console | None = None) -> None:
    """Draw `page` on stdout, or on `console`. NO_COLOR is honoured."""
    console = console or Console(highlight=False)
    drawn = [piece for piece in map(_block, page) if piece is not None]
    for position, piece in enumerate(drawn):
        if position:
            console.print()
        console.print(piece)


def _block(block: Block) -> RenderableType | None:
    match block:
        case Note():
            return Text(printable(block.text))
        case Fields():
            return _titled(block.title, _fields(block)) if block.entries else None
        case Table() if block.rows:
            return _titled(block.title, _table(block))
        case Table():
            return Text(printable(block.empty)) if block.empty else None


def _titled(title: str, grid: Grid) -> RenderableType:
    return Group(Text(printable(title), style="bold"), grid) if title else grid


def _fields(fields: Fields) -> Grid:
    grid = _grid(show_header=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in fields.entries:
        grid.add_row(name, _cell(cell))
    return grid


def _table(table: Table) -> Grid:
    grid = _grid(show_header=True)
    for column in table.columns:
        grid.add_column(column.name, justify="right" if column.numeric else "left")
    for row in table.rows:
        grid.add_row(*map(_cell, row))
    return grid


def _grid(*, show_header: bool) -> Grid:
    return Grid(
        box=None, show_header=show_header, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )


def _cell(cell: Cell) -> Text:
    if isinstance(cell, Badge):
        colour, glyph = look(cell.machine, cell.state)
        return Text(f"{glyph} {cell.state}", style=colour, no_wrap=True)
    return Text(printable(cell), overflow="fold")
