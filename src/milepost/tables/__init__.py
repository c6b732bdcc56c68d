"""Tables of a job: its results, items or failures as Arrow record batches, and as files."""

from milepost.tables.files import FORMATS, Format, write_table
from milepost.tables.rows import WHATS, Column, TableRow, What
from milepost.tables.table import Table, table

__all__ = [
    "FORMATS",
    "WHATS",
    "Column",
    "Format",
    "Table",
    "TableRow",
    "What",
    "table",
    "write_table",
]
