"""The pages of the site: which there are, what they are called there, and where their links lead.

A page is written for whoever reads it in the repository, with links to files. Here those links
are turned into links of the site, and the lists of an index page into its table of contents.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "DOCS",
    "FOLDERS",
    "ROOT",
    "Folder",
    "LinkDead",
    "Relinked",
    "contents",
    "kept_at",
    "listed",
    "names",
    "relinked",
    "with_contents",
]

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
_ROOT_PAGES: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK: Final = re.compile(
    r"(?ms)^ *```.*?^ *```[ \t]*$"  # code is left alone
    r"|`[^`\n]+`"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`]*`|[^\[\]])*)\]\((?P<to>[^()\s]+)\)"
)
_ENTRY: Final = re.compile(r"(?m)^- \[(?P<title>(?:`[^`]*`|[^\[\]])*)\]\((?P<to>[^()\s]+)\.md\)")
_SECTION: Final = re.compile(r"(?m)^## (?P<title>.+)\n")


class LinkDead(Exception):
    """A page links to what there is not; `page` and `to` say which and where."""

    def __init__(self, page: Path, to: str) -> None:
        super().__init__(f"{page.relative_to(ROOT)}: a link to {to!r}, which is not there")
        self.page = page
        self.to = to


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder whose pages are listed by their titles, on a page that is made for the site."""

    name: str
    title: str
    says: str
    pages: str

    def text(self, known: Mapping[Path, str]) -> str:
        """The page: its title, what it is about, and a table of contents."""
        found = [f"/{known[path]}" for path in sorted(ROOT.glob(self.pages))]
        entries = "\n".join(f"- []({each}.md)" for each in found)
        return f"# {self.title}\n\n{self.says}\n\n{entries}\n\n{contents(found)}\n"


FOLDERS: Final = {
    DOCS / "explanation" / "decisions": Folder(
        name="explanation/decisions/index",
        title="Decisions",
        says="What else could have been, and why it is not.",
        pages="docs/explanation/decisions/*.md",
    ),
    ROOT / "examples": Folder(
        name="examples/index",
        title="Examples",
        says="Each is a folder of the repository, and is run by tests.",
        pages="examples/*/README.md",
    ),
}


@dataclass(frozen=True, slots=True)
class Relinked:
    """The text of a page for the site, and the files beside it that it shows or offers."""

    text: str
    files: frozenset[Path]


def names() -> dict[Path, str]:
    """The pages of the repository that are in the site, each with its name there.

    Names have no suffix. Pages of `docs` have their place in it, those of the root are at the
    root of the site, and an example has the name of its folder.
    """
    found = {ROOT / each: Path(each).stem.lower() for each in _ROOT_PAGES}
    for path in sorted(DOCS.rglob("*.md")):
        found[path] = path.relative_to(DOCS).with_suffix("").as_posix()
    for path in sorted(ROOT.glob("examples/*/README.md")):
        found[path] = f"examples/{path.parent.name}"
    return found


def relinked(page: Path, known: Mapping[Path, str]) -> Relinked:
    """The text of `page` as it is in the site, links and all.

    Raises:
        LinkDead: A link leads to a file that is not there.
    """
    files: set[Path] = set()
    home = Path(known[page]).parent

    def to_site(found: re.Match[str]) -> str:
        if found["to"] is None or re.match(r"[a-z]+:|#", found["to"]):
            return found[0]
        path, mark, anchor = found["to"].partition("#")
        target = Path(os.path.normpath(page.parent / path))
        if target in known or target in FOLDERS:
            name = known[target] if target in known else FOLDERS[target].name
            to = os.path.relpath(f"{name}.md", home)
        elif target.is_dir():
            return found["text"]
        elif target.is_file():
            files.add(target)
            to = os.path.relpath(kept_at(target), home)
        else:
            raise LinkDead(page, found["to"])
        return f"{found['image']}[{found['text']}]({to}{mark}{anchor})"

    return Relinked(_LINK.sub(to_site, page.read_text(encoding="utf-8")), frozenset(files))


def kept_at(file: Path) -> Path:
    """Where a file that is no page lies in the site: as in `docs`, or else as in the repository."""
    return file.relative_to(DOCS if file.is_relative_to(DOCS) else ROOT)


def listed(text: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The sections of an index page, each with the pages that its list names and their titles.

    Args:
        text: The page, with the links that it has in the site.
        name: The name of the page in the site.
    """
    home = Path(name).parent
    starts = [*_SECTION.finditer(text)]
    for start, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=True):
        entries = _ENTRY.finditer(text, start.end(), end)
        found = {os.path.normpath(home / each["to"]): each["title"] for each in entries}
        if found:
            yield start["title"], found


def with_contents(text: str, name: str) -> str:
    """An index page whose lists are the table of contents too."""
    tables = [
        contents((f"{title} </{page}>" for page, title in pages.items()), f":caption: {section}")
        for section, pages in listed(text, name)
    ]
    return "\n\n".join((text.rstrip(), *tables)) + "\n"


def contents(pages: Iterable[str], *options: str) -> str:
    """A table of contents of these entries, in the words of MyST, which the page itself hides."""
    return "\n".join(("```{toctree}", ":hidden:", ":titlesonly:", *options, "", *pages, "```"))
