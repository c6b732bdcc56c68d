"""The glossary has no dead entry, and the words that it replaces are gone from what users read."""

from __future__ import annotations

import importlib
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest

import milepost
from milepost.cli.program import main
from tests.architecture.surface import exported

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "glossary.md"
_ROW = re.compile(r"^\| (?!term|---)(.+?) \| (.+?) \| (.+?) \| (.*?) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
ROWS = _ROW.findall(PAGE.read_text(encoding="utf-8"))
GONE = ("told", "intake", "omissions", "coalescing")
"""Words of the last column that mean nothing else in what users read of the API."""


def there(name: str) -> bool:
    """Whether a command, a module, or a name below `milepost` or a module is there."""
    if name.startswith("milepost "):
        return name.removeprefix("milepost ") in main.list_commands(None)  # type: ignore[arg-type]
    if not name.startswith("milepost."):
        name = f"milepost.{name}"
    parts = name.split(".")
    thing: Any = milepost
    for depth in range(1, len(parts)):
        if hasattr(thing, parts[depth]):
            thing = getattr(thing, parts[depth])
        elif parts[depth] in getattr(thing, "__dataclass_fields__", ()):
            return depth == len(parts) - 1
        else:
            try:
                thing = importlib.import_module(".".join(parts[: depth + 1]))
            except ImportError:
                return False
    return True


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_an_entry_names_what_is_there(row: tuple[str, str, str, str]) -> None:
    names = _CODE.findall(row[2])
    assert names
    assert [name for name in names if not there(name)] == []


def test_each_idea_has_one_word() -> None:
    """No term stands twice, and none is a word that another entry replaces."""
    terms = [term for term, *_ in ROWS]
    assert len(terms) > 50
    assert sorted(set(terms)) == sorted(terms)
    replaced = {word for *_, old in ROWS for word in old.split(", ")}
    assert set(GONE) <= replaced
    assert {"lease", "fence", "commit", "fact", "checkpoint", "plan"} <= set(terms)


@pytest.mark.parametrize("word", GONE)
def test_a_word_that_is_replaced_is_gone_from_help(word: str) -> None:
    """Of everything that can be imported."""
    pattern = re.compile(rf"\b{word}\b")
    left = {
        name: line.strip()
        for name, thing in exported().items()
        if callable(thing)
        for line in pydoc.plain(pydoc.render_doc(thing)).splitlines()
        if pattern.search(line) and "." + word not in line
    }
    assert left == {}


def test_words_that_are_replaced_are_gone_from_the_pages() -> None:
    """Of the reference, the how-tos and the tutorial; the glossary itself is where they stand."""
    pattern = re.compile(rf"\b({'|'.join(GONE)})\b")
    pages = [page for page in PAGE.parents[1].rglob("*.md") if page.parent.name in _READ]
    assert len(pages) > 15
    left = {
        f"{page.name}:{number}": line
        for page in pages
        if page != PAGE
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    }
    assert left == {}


_READ = ("reference", "how-to", "tutorial")


def test_a_dead_entry_would_be_found() -> None:
    """The negative control."""
    dead = ("milepost.nowhere", "JobStat", "StateManager.travel", "milepost collect", "Lease.x.y")
    assert not any(map(there, dead))
    live = ("milepost.job.fold", "JobState", "JobState.phase", "milepost gc", "Upkeep.repair")
    assert all(map(there, live))
