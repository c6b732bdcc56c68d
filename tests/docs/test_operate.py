"""The page for those who run the machines speaks of every error that they may meet."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
ROOTS = {"milepost", "state"}  # nothing raises them themselves


def test_every_error_has_a_line() -> None:
    """And none is spoken of that does not exist."""
    reference = (DOCS / "reference" / "state-errors.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"(?m)^### `([a-z-]+)`$", reference)) - ROOTS
    page = (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8")
    table = page.split("## What each error means")[1]
    told = {code for cell in re.findall(r"(?m)^\| (`[^|]*`) \|", table) for code in cell.split("`")}
    assert told - {"", ", "} == codes
