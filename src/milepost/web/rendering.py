"""HTML of an answer: blocks, the bar of progress and the grid; everything is escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import DictLoader, Environment, StrictUndefined

from milepost.drawings.looks import Meaning, look
from milepost.inspect.counts import Counts
from milepost.inspect.facets import FacetsView
from milepost.inspect.grid import GridView
from milepost.inspect.jobs import WANTED_OUTCOMES, Sort
from milepost.inspect.page import Cell, Column
from milepost.inspect.states import StateName
from milepost.inspect.timeline import TimelineView, timeline_page
from milepost.inspect.words import duration, stamp
from milepost.text.escapes import printable

__all__ = ["Chrome", "html", "picture", "static"]

_COLUMNS: Final = 50
_SIDE: Final = 14
_FEW: Final = 500
_LARGER: Final = 1.6
_SHORT: Final = 24
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_BAR: Final = 1_000

_PARTS: Final = {
    "done": Meaning.DONE,
    "ended": Meaning.DONE,
    "skipped": Meaning.SKIPPED,
    "running": Meaning.WORKING,
    "pending": Meaning.WAITING,
    "other": Meaning.NONE,
    "failed": Meaning.FAILED,
    "dead": Meaning.DEAD,
}


_ORDERS: Final = {
    str(Sort.CREATED): "newest first",
    str(Sort.UPDATED): "last written to first",
    str(Sort.ID): "by id",
    str(Sort.LEFT): "most left first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chrome:
    """What stands around an answer: its title, the job, the address of its data, and if it lives.

    `data` is that of its JSON, `table` that of its CSV, "" where it is no table; `whole` is that
    of the page without a filter.
    `query` is what was asked, for forms that show it again; `problem` is said instead of an answer.
    """

    title: str
    job: str = ""
    page: str = ""
    data: str = ""
    table: str = ""
    whole: str = ""
    live: bool = False
    query: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def html(chrome: Chrome, **given: Any) -> str:  # Any: what the template takes
    """The page, whole."""
    return _environment().get_template("page.html").render(chrome=chrome, **given)


def picture(view: GridView, address: str) -> dict[str, Any]:  # Any: for the template
    """Where each cell of a grid stands, and what it says."""
    cells = []
    for place, cell in enumerate(view.cells):
        row, column = divmod(place, _COLUMNS)
        told = ", ".join(f"{count} {name}" for name, count in cell.counts.items())
        items = (
            f"item {cell.first}"
            if cell.first == cell.last
            else f"items {cell.first} to {cell.last}"
        )
        at = urlencode({"first": cell.first, "last": cell.last})
        cells.append(
            (
                column * _SIDE,
                row * _SIDE,
                kind(cell.worst),
                glyph(cell.worst),
                f"{items}: {told}",
                f"{address}?{at}",
            )
        )
    rows = -(-len(cells) // _COLUMNS)
    return {
        "cells": cells,
        "side": _SIDE,
        "width": min(len(cells), _COLUMNS) * _SIDE,
        "height": rows * _SIDE,
        "scale": _LARGER if len(cells) <= _FEW else 1,
        "states": view.states,
        "size": view.size,
        "total": view.total,
    }


def static(name: str) -> str:
    """The text of a file that pages load."""
    return files("milepost.web").joinpath("static", name).read_text(encoding="utf-8")


def kind(state: Cell) -> str:
    """The class of a state's look; `""` for a text that is no state, or has no role."""
    meaning = state.meaning if isinstance(state, StateName) else Meaning.NONE
    return "" if meaning is Meaning.NONE else f"m-{meaning.name.lower()}"


def glyph(state: Cell) -> str:
    """The sign of a state, so that colour is never alone."""
    return look(state.meaning).glyph if isinstance(state, StateName) else ""


def _bar(counts: Counts | None) -> dict[str, Any] | None:  # Any: for the template
    """Where the parts of a job's progress stand on a bar, largest detail first."""
    if counts is None or not counts.total:
        return None
    shares = {**counts.settled, **counts.left, **counts.parts}
    drawn, x = [], 0.0
    for name, meaning in _PARTS.items():
        count = shares.get(name, 0)
        if not count:
            continue
        width = _BAR * count / counts.total
        drawn.append(
            (
                round(x, 2),
                round(width, 2),
                f"m-{meaning.name.lower()}",
                name,
                count,
                look(meaning).glyph,
            )
        )
        x += width
    return {"parts": drawn, "total": counts.total}


def _fit(cell: Cell, column: Column) -> str | None:
    """The class of a cell: numbers stand to the right, what is short stands in one line."""
    short = "s" if len(cell) <= _SHORT else ""
    return f"n {short}".strip() if column.numeric else short or None


def _is_instant(cell: Cell) -> bool:
    return _INSTANT.fullmatch(cell) is not None


def _stays(view: TimelineView | None) -> dict[str, Any] | None:  # Any: for the template
    """Where the stays of a job in its phases stand on a bar, and how long it was in each phase."""
    if view is None or not view.stays:
        return None
    whole = sum(stay.seconds for stay in view.stays)
    drawn, by_phase, x = [], dict[StateName, float](), 0.0
    for stay in view.stays:
        width = _BAR * stay.seconds / whole if whole else _BAR / len(view.stays)
        told = f"{stay.phase} for {duration(stay.seconds)} from {stamp(stay.entered_at)}"
        drawn.append((round(x, 2), round(width, 2), kind(stay.phase) or "m-none", told))
        by_phase[stay.phase] = by_phase.get(stay.phase, 0.0) + stay.seconds
        x += width
    shares = [
        (phase, duration(seconds), round(100 * seconds / whole) if whole else 0)
        for phase, seconds in by_phase.items()
    ]
    return {"parts": drawn, "phases": shares, "whole": duration(whole), "page": timeline_page(view)}


def _choices(view: FacetsView | None, asked: dict[str, str]) -> list[Any]:  # Any: for the template
    """The choices of each filter: its name, then each with what it leaves and its address."""
    if view is None:
        return []
    found = []
    filters = (("phase", view.phases), ("outcome", view.outcomes), ("of", view.lifecycles))
    for name, values in filters:
        others = {key: given for key, given in asked.items() if key != name and given}
        every = [
            (one.value, one.count, urlencode({**others, name: one.value}), one.value == chosen)
            for chosen in (asked.get(name, ""),)
            for one in values
        ]
        found.append((name, every, urlencode(others)))
    return found


def _block(block: object) -> str:
    return type(block).__name__.lower()


@cache
def _environment() -> Environment:
    folder = files("milepost.web").joinpath("templates")
    sources = {
        each.name: each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith(".html")
    }
    made = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["fit"] = _fit
    made.globals["outcomes"] = WANTED_OUTCOMES
    made.globals["orders"] = _ORDERS
    made.filters["kind"] = kind
    made.filters["glyph"] = glyph
    made.filters["block"] = _block
    made.filters["bar"] = _bar
    made.filters["choices"] = _choices
    made.filters["stays"] = _stays
    made.filters["shown"] = printable
    made.tests["instant"] = _is_instant
    return made
