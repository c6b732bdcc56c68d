"""The documentation site: its pages, links, contents and reference, as they are laid out for it."""

from __future__ import annotations

import inspect
import io
import re
from pathlib import Path

import pytest
from docs.website.build import lay_out
from docs.website.docstrings import as_rst, readable
from docs.website.pages import DOCS, FOLDERS, ROOT, LinkDead, listed, names, relinked
from docs.website.reference import linked, parts, public, said_of, targets
from docutils.frontend import get_default_settings
from docutils.nodes import system_message
from docutils.parsers.rst import Parser
from docutils.utils import new_document

from tests.architecture.surface import exported, functions

KNOWN = names()
SETTINGS = get_default_settings(Parser)
SETTINGS.report_level, SETTINGS.halt_level, SETTINGS.warning_stream = 2, 5, io.StringIO()
_CODE = re.compile(r"(?ms)^ *```.*?^ *```[ \t]*$")
_HEADING = re.compile(r"(?m)^#{1,4} (.+)$")
_ANCHORED = re.compile(r"\]\(([^()\s]*)#([^()\s]+)\)")


def anchors(text: str) -> set[str]:
    """What headings can be led to by, as the repository's page and the site both make it."""
    titles = _HEADING.findall(_CODE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def dead_anchors(page: Path) -> list[str]:
    """Links of a page to headings that are not there."""
    text = page.read_text(encoding="utf-8")
    dead = []
    for to, anchor in _ANCHORED.findall(_CODE.sub("", text)):
        target = page if not to else (page.parent / to).resolve()
        is_page = ":" not in to and target.suffix == ".md"
        if is_page and anchor not in anchors(target.read_text(encoding="utf-8")):
            dead.append(f"{to}#{anchor}")
    return dead


@pytest.mark.parametrize("page", KNOWN, ids=KNOWN.get)
def test_links_lead_to_pages_headings_and_files(page: Path) -> None:
    relinked(page, KNOWN)
    assert dead_anchors(page) == []


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    """The negative control: to a file, to a heading; and code is no link."""
    page = DOCS / "how-to" / "made-up.md"
    known = {page: "how-to/made-up"}

    class Made(type(page)):  # type: ignore[misc]
        def read_text(self, *_: object, **__: object) -> str:
            return "# Here\n[a](serve.md) [b](nowhere.md) [c](#here) [d](#there)\n"

    with pytest.raises(LinkDead, match=r"how-to/made-up\.md: a link to 'nowhere\.md'"):
        relinked(Made(page), known)
    assert dead_anchors(Made(page)) == ["#there"]


def test_every_page_is_in_the_contents_once() -> None:
    """Beginning at the index, by the lists of index pages and of folders."""
    met: list[str] = []
    waiting = ["index"]
    paths = {name: path for path, name in KNOWN.items()}
    folders = {folder.name: folder for folder in FOLDERS.values()}
    while waiting:
        name = waiting.pop()
        met.append(name)
        if name in folders:
            met += [KNOWN[path] for path in ROOT.glob(folders[name].pages)]
        elif Path(name).name == "index":
            text = relinked(paths[name], KNOWN).text
            waiting += [each for _, pages in listed(text, name) for each in pages]
    assert sorted(met) == sorted({*KNOWN.values(), *folders})


def test_every_public_name_is_described_once() -> None:
    """And whatever else is offered under another name leads there."""
    described = public()
    offered = exported()
    assert set(described) <= set(offered)
    assert {id(thing) for thing in described.values()} == {id(thing) for thing in offered.values()}
    whole = "milepost.StateManager.create_job"
    assert (
        targets()["StateManager.create_job"] == targets()[whole.rpartition(".")[0]] + ".create_job"
    )
    assert "run" not in targets()
    assert "Verdict" not in targets()  # two modules have one


def test_names_of_the_page_on_the_api_lead_to_their_descriptions() -> None:
    text = linked("## `milepost`\n\n- **Writing:** `Item`, `JobAbsent`, `manager.upkeep`\n")
    assert "{py:obj}`Item <milepost.Item>`" in text
    assert "{py:obj}`JobAbsent <milepost.errors.JobAbsent>`" in text
    assert "`manager.upkeep`" in text


def test_a_docstring_reads_in_the_site_as_it_was_meant() -> None:
    """Sections are fields, code is code or a link, and no sign of it is taken for markup."""
    doc = """A row of `Item`s, *once*, for a_ | b.

    What comes:
    - one, with `a b`
      that goes on
    - another

    Args:
        items: Some: or
            more of `them`.
        *rest: Others.

    Returns:
        A table: one row each.

    Raises:
        JobAbsent: There is none.

    Cost:
        O(n): a query.
    """
    found = "\n".join(
        as_rst([line[4:] for line in f"    {doc}".splitlines()], {"Item": "m.Item"}.get)
    )
    for part in (
        "A row of :py:obj:`Item <m.Item>`\\ s, *once*, for a\\_ \\| b.",
        "What comes:\n\n- one, with ``a b``\n  that goes on\n- another\n",
        ":param items: Some: or\n    more of ``them``.\n",
        ":param \\*rest: Others.\n",
        ":Returns: A table: one row each.\n",
        ":raises JobAbsent: There is none.\n",
        ":Cost: O(n): a query.\n",
    ):
        assert part in found, found


def rendered(docstring: str) -> list[str]:
    """What docutils has to say against a docstring, as it is given to the site."""
    text = "\n".join(as_rst(inspect.cleandoc(docstring).splitlines(), targets().get))
    tree = new_document("docstring", SETTINGS)
    Parser().parse(re.sub(r":py:obj:`[^`]*`", "``code``", text), tree)  # the role is Sphinx's
    return [said.astext() for said in tree.findall(system_message)]


def test_every_public_docstring_is_sound_markup() -> None:
    """Of all names and of their public members, without Sphinx."""
    docs = {name: thing.__doc__ or "" for name, thing in public().items() if callable(thing)}
    for name, thing in public().items():
        if isinstance(thing, type):
            docs |= {f"{name}.{m}": each.__doc__ or "" for m, each in functions(thing)}
    assert len(docs) > 500
    assert {name: said for name, doc in docs.items() if (said := rendered(doc))} == {}


def test_unsound_markup_would_be_found() -> None:
    """The negative control: a block that ends where none can."""
    assert rendered("One line.\n\nAnother:\n        deep\n    less deep\nout again")
    assert rendered("One line.\n\nArgs:\n    a: `b`s, *c and d_.") == []


def test_a_signature_names_its_defaults() -> None:
    given = (
        "(a=<function refuse at 0x7e>, b=<class 'm.n.Kind'>, c=<N.M: 'm'>, d=<factory>, e=1 < 2)"
    )
    assert readable(given) == "(a=refuse, b=Kind, c=N.M, d=..., e=1 < 2)"


def test_a_constant_says_what_it_was_written_with() -> None:
    """Wherever it is offered; and nothing where nothing was said."""
    assert said_of("milepost.machine.LARGEST_INT").startswith("Between these are the integers")
    assert said_of("milepost.tables.Format").startswith("The format of a file")
    assert said_of("milepost.machine.LEAST_INT") == ""


def test_the_site_is_laid_out(tmp_path: Path) -> None:
    """Pages, the drawings that they show, and a page for each part of the API."""
    lay_out(tmp_path)
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "(diagrams/mapreduce.job.svg)" in index
    assert (tmp_path / "diagrams" / "mapreduce.job.svg").is_file()
    assert "\nDecisions </explanation/decisions/index>\n" in index
    changes = (tmp_path / "changelog.md").read_text(encoding="utf-8")
    assert "](explanation/decisions/" in changes
    assert "](docs/" not in changes
    for part in parts():
        text = (tmp_path / "reference" / "api" / f"{part.page}.rst").read_text(encoding="utf-8")
        for name in part.names:
            assert name in text
    manager = (tmp_path / "reference" / "api" / "the-manager.rst").read_text(encoding="utf-8")
    assert ".. automethod:: milepost.StateManager.create_job\n" in manager
