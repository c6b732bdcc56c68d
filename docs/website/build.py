"""Builds the site: lays its pages out in a folder, and has Sphinx make HTML of them.

python -m docs.website.build [FOLDER]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from docs.website.pages import (
    DOCS,
    FOLDERS,
    ROOT,
    contents,
    kept_at,
    names,
    relinked,
    with_contents,
)
from docs.website.reference import API, linked, parts, text_of

__all__ = ["lay_out", "main"]

_OUT: Final = ROOT / "build" / "docs"


def lay_out(source: Path) -> None:
    """Write every page of the site into the folder `source`, which is made anew.

    Raises:
        LinkDead: A page links to a file that is not there.
    """
    shutil.rmtree(source, ignore_errors=True)
    known = names()
    for page, name in known.items():
        made = relinked(page, known)
        text = linked(made.text) if page == API else made.text
        if page == API:
            text += "\n" + contents(f"/reference/api/{part.page}" for part in parts()) + "\n"
        if Path(name).name == "index":
            text = with_contents(text, name)
        _write(source / f"{name}.md", text)
        for file in made.files:
            place = source / kept_at(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    for folder in FOLDERS.values():
        _write(source / f"{folder.name}.md", folder.text(known))
    met: set[str] = set()
    for part in parts():
        text = text_of(part, first=part.module not in met)
        _write(source / "reference" / "api" / f"{part.page}.rst", text)
        met.add(part.module)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Build the site into a folder; exit code 0 if nothing had to be warned of."""
    from sphinx.cmd.build import main as sphinx  # noqa: PLC0415 - tests lay pages out without it

    out = Path(arguments[0]).resolve() if arguments else _OUT
    source = ROOT / "build" / "docs-pages"
    lay_out(source)
    trees = ROOT / "build" / "docs-trees"
    places = ["-c", str(DOCS), "-d", str(trees)]
    options = ["-b", "html", "-W", "--keep-going", "-q", "-j", "2", *places]
    return sphinx([*options, str(source), str(out)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
