"""The pictures in the documentation can be taken again, and are those that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser

from tests.web.browser.pictures import FOLDER, PICTURES, taken

_PAGE: Final = FOLDER.parent / "serve.md"
_MOST_BYTES: Final = 60_000


def test_pictures_are_taken_again(browser: Browser, tmp_path: Path) -> None:
    """Under the same names, in the same sizes; letters are the machine's."""
    written = taken(browser, tmp_path)
    assert [path.stem for path in written] == list(PICTURES)
    assert {path.name for path in written} == {path.name for path in FOLDER.iterdir()}
    for path in written:
        with Image.open(path) as now, Image.open(FOLDER / path.name) as kept:
            assert now.size == kept.size, path.name


def test_the_page_shows_each_small_picture_with_a_text() -> None:
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([a-z-]+)\.png\)", _PAGE.read_text("utf-8"))
    assert {name for _, name in shown} == set(PICTURES)
    assert all(len(text) > 20 for text, _ in shown)
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < _MOST_BYTES
