"""Definitions with texts that misbehave: every generated format says them and none obeys them."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from milepost.bridges.scxml import to_scxml
from milepost.cli import main
from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.mermaid import mermaid
from milepost.drawings.svg import render_svg
from milepost.text.escapes import printable
from milepost_codegen.compiler import compile_definition
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.findings import DefinitionError, render
from milepost_codegen.header import read_header, with_header
from milepost_codegen.python import emit_python
from milepost_codegen.reference import emit_reference
from tests.hostile import HALF_PAIRS, HOSTILE, misbehaving

from .lifecycles import load

TEXTS = list(HOSTILE.values())
_TITLE = "{http://www.w3.org/1999/xlink}title"

EVERYWHERE = """\
lifecycle: words
version: 1
doc: {text}
enums: {{colour: [red, blue]}}
machines:
  m:
    doc: {text}
    initial: a
    states: {{a: {{doc: {text}}}, b: {{final: true, doc: {text}}}}}
    groups: {{both: [a, b]}}
    context:
      n: {{type: int, initial: 0, doc: {text}}}
      c: {{type: colour, initial: red, doc: {text}}}
    events:
      go:
        doc: {text}
        payload:
          said: {{type: str, default: {text}, doc: {text}}}
          k: {{type: int, doc: {text}}}
    guards: {{few: n < 3 and c == red}}
    transitions:
      - {{from: a, on: go, to: b, when: few, set: {{n: n + 1}}, partial: true, doc: {text}}}
    invariants: {{low: {{holds: n <= 3, in: both, doc: {text}}}}}
"""


def everywhere(text: str) -> str:
    return EVERYWHERE.format(text=json.dumps(text))


def one_state_each() -> str:
    """A ring of states, each with another of the texts as its doc, and a way out."""
    last = len(TEXTS) - 1
    states = "".join(f"      s{n}: {{doc: {json.dumps(text)}}}\n" for n, text in enumerate(TEXTS))
    rows = "".join(f"      - {{from: s{n}, on: go, to: s{n + 1}}}\n" for n in range(last))
    return (
        f"lifecycle: ring\nversion: 1\nmachines:\n  m:\n    initial: s0\n    states:\n{states}"
        f"      end: {{final: true}}\n    events: {{go: {{}}}}\n    transitions:\n{rows}"
        f"      - {{from: s{last}, on: go, to: end}}\n"
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", HOSTILE)
def test_every_text_of_a_definition(name: str, tmp_path: Path) -> None:
    """The module has the text, to the character; the other formats have none of its signs."""
    text = HOSTILE[name]
    lifecycle = compile_definition(everywhere(text).encode(), "words.yaml").lifecycle
    (machine,) = lifecycle.machines
    made = [emit_python(lifecycle), mermaid(draw(sketch(machine))), emit_reference(lifecycle)]
    made += [dot(draw(sketch(machine)), lifecycle.name).replace("\t", "")]
    assert [misbehaving(one) for one in made] == [[], [], [], []]
    module = load(everywhere(text), tmp_path)
    compiled = module.LIFECYCLE.machines["m"]
    docs = {module.LIFECYCLE.doc, compiled.doc, compiled.state_specs["a"].doc}
    docs |= {compiled.event_specs["go"].doc, compiled.variables[0].doc}
    assert docs == {one_line(text)}
    assert compiled.event_specs["go"].fields[0].default == text
    assert one_line(text) in one_line(module.__doc__ or "")
    document = to_scxml(compiled)
    ET.fromstring(document)
    assert misbehaving(document) == []


@pytest.mark.parametrize(
    "command", [("check",), ("check", "--verbose"), ("check", "--json"), ("traces",)]
)
def test_every_text_of_what_is_proved(command: tuple[str, ...], tmp_path: Path) -> None:
    """What a check and traces print obeys none of them, in a file whose name misbehaves too."""
    for number, text in enumerate(TEXTS[::6]):
        file = tmp_path / f"words\x1b[31m{number}.yaml"
        file.write_bytes(everywhere(text).encode())
        done = CliRunner().invoke(main, [command[0], str(file), *command[1:]])
        assert done.exit_code in (0, 1, 3), done.output
        assert misbehaving(done.stdout) == []
        assert misbehaving(done.stderr) == []


def test_modules_are_as_the_formatter_leaves_them(tmp_path: Path) -> None:
    """With a text of every kind: nothing to format, and nothing for the checkers to say."""
    for number, text in enumerate((*TEXTS, "a" * 90 + '"', "\\" * 90, "日本" * 40)):
        body = emit_python(compile_definition(everywhere(text).encode(), "words.yaml").lifecycle)
        (tmp_path / f"words_{number}.py").write_text(body, encoding="utf-8")
    ruff = [str(Path(sys.executable).parent / "ruff"), "format", "--diff", "--isolated"]
    done = subprocess.run(
        [*ruff, "--line-length", "100", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_drawing_says_every_text() -> None:
    """As tooltips, which nothing in them ends or makes markup of; the XML is well-formed."""
    lifecycle = compile_definition(one_state_each().encode(), "ring.yaml").lifecycle
    svg = render_svg(dot(draw(sketch(lifecycle.machines[0])), lifecycle.name))
    assert misbehaving(html.unescape(svg)) == []
    groups = {one.get("id"): one for one in ET.fromstring(svg).iter() if one.get("id")}
    for number, text in enumerate(TEXTS):
        (link,) = (one for one in groups[f"state-s{number}"].iter() if _TITLE in one.attrib)
        assert link.get(_TITLE) == printable(one_line(text))


def test_a_page_says_every_text() -> None:
    """In a cell and as a paragraph: text and spans of code, and no other markup."""
    page = emit_reference(compile_definition(one_state_each().encode(), "ring.yaml").lifecycle)
    cells = [row[2] for row in rows_of(page) if len(row) == 3 and re.fullmatch(r"s\d+", row[0])]
    assert cells == [without_ticks(printable(one_line(text))) for text in TEXTS]
    for text in TEXTS:
        page = emit_reference(compile_definition(everywhere(text).encode(), "words.yaml").lifecycle)
        paragraph = without_ticks(printable(one_line(text)))
        assert texts_of(page).count(paragraph) >= 2, paragraph


def without_ticks(text: str) -> str:
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"\1", text)


def inline(page: str) -> Iterator[tuple[str, str]]:
    """What encloses a piece of text, and the text, of which nothing is a link or an image."""
    allowed = {"text", "code_inline", "text_special", "html_inline"}
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    kinds: list[str] = []
    for token in parser.parse(page):
        if token.nesting == 1:
            kinds.append(token.type)
        elif token.nesting == -1:
            kinds.pop()
        elif token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= allowed, token.content
            tags = {child.content for child in children if child.type == "html_inline"}
            assert tags <= {"<br>", "<code>", "</code>"}
            said = "".join(child.content for child in children if child.type != "html_inline")
            yield kinds[-1], said
        else:
            assert token.type == "html_block", token.type
    assert not kinds


def texts_of(page: str) -> list[str]:
    return [said for kind, said in inline(page) if kind in ("paragraph_open", "td_open")]


def rows_of(page: str) -> list[list[str]]:
    """The rows of the tables of a page, as long as the tables of three columns go."""
    said = [text for kind, text in inline(page) if kind == "td_open"]
    columns = 3
    return [said[at : at + columns] for at in range(0, len(said), columns)]


@pytest.mark.parametrize("name", HALF_PAIRS)
def test_half_a_character_is_a_finding(name: str) -> None:
    """Nothing can be written with it, so it is told with its place."""
    with pytest.raises(DefinitionError) as caught:
        compile_definition(everywhere(HALF_PAIRS[name]).encode(), "words.yaml")
    assert {finding.code for finding in caught.value.findings} == {"E001"}
    assert misbehaving(str(caught.value)) == []


PLACES: dict[str, Callable[[str], str]] = {
    "state": lambda text: everywhere("x").replace("{a: {", f"{{{text}: {{}}, a: {{", 1),
    "event": lambda text: everywhere("x").replace("on: go", f"on: {text}"),
    "guard": lambda text: everywhere("x").replace("n < 3 and c == red", text),
    "target": lambda text: everywhere("x").replace("to: b", f"to: {text}"),
    "type": lambda text: everywhere("x").replace("type: int", f"type: {text}"),
    "initial": lambda text: everywhere("x").replace("initial: 0", f"initial: {text}"),
    "member": lambda text: everywhere("x").replace("blue", text),
    "key": lambda text: everywhere("x").replace("version:", f"{text}: 1\nversion:"),
    "lifecycle": lambda text: everywhere("x").replace("words", text),
    "set": lambda text: everywhere("x").replace("set: {n", f"set: {{{text}"),
    "anchor": lambda text: everywhere("x").replace("initial: a", f"initial: &{text[1:-1]} a"),
    "nothing": lambda text: text,
}


@pytest.mark.parametrize("place", PLACES)
def test_findings_are_safe_to_show(place: str) -> None:
    """Whatever stands where a name or an expression should: findings, and one caret each."""
    for name, text in {**HOSTILE, **HALF_PAIRS}.items():
        content = PLACES[place](json.dumps(text)).encode()
        raw = PLACES[place](f'"{text}"').encode(errors="replace")
        for definition in (content, raw) if place in ("state", "nothing") else (content,):
            try:
                compiled = compile_definition(definition, f"{text}.yaml")
                said = render(compiled.warnings, compiled.lines)
            except DefinitionError as problem:
                said = str(problem)
            assert misbehaving(said) == [], name
            codes = re.findall(r"(?m): [EW]\d{3} ", said)
            assert len(codes) <= len(said.splitlines())


def test_raw_findings_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without the escapes, the judge finds what was told."""
    monkeypatch.setattr("milepost_codegen.findings.printable", str)
    with pytest.raises(DefinitionError) as caught:
        compile_definition(PLACES["state"](json.dumps(HOSTILE["red"])).encode(), "words.yaml")
    assert misbehaving(str(caught.value)) != []


def test_the_caret_stays_under_its_place() -> None:
    """What stands before it may be wide, combine or be shown as an escape."""
    before = 'states: {"日本\u202e\u0301": {}, '
    text = everywhere("x").replace("states: {a", f"{before}9x: {{}}, a", 1)
    with pytest.raises(DefinitionError) as caught:
        compile_definition(text.encode(), "words.yaml")
    lines = str(caught.value).splitlines()
    at = next(number for number, line in enumerate(lines) if "'9x'" in line)
    shown = f"  {' ' * 4}{printable(before)}"
    wide, combining = 2, 1
    assert lines[at + 2].index("^") == len(shown) + wide - combining


def test_mermaid_keeps_its_words() -> None:
    """States and groups with the names of its own words have other ids, and their names shown."""
    kept = ("accdescr", "acctitle", "as", "class", "default", "end", "href", "note", "state")
    states = "".join(f"      {word}: {{}}\n" for word in kept)
    rows = "".join(
        f"      - {{from: {one}, on: go, to: {other}}}\n"
        for one, other in zip(kept, (*kept[1:], "last"), strict=True)
    )
    text = (
        f"lifecycle: words\nversion: 1\nmachines:\n  m:\n    initial: accdescr\n    states:\n"
        f"{states}      last: {{final: true}}\n"
        "    groups: {click: [as, class], end_: [default, end]}\n"
        f"    events: {{go: {{}}, stop: {{}}}}\n    transitions:\n{rows}"
        "      - {from: click, on: stop, to: last}\n      - {from: end_, on: stop, to: last}\n"
    )
    lifecycle = compile_definition(text.encode(), "words.yaml").lifecycle
    lines = [line.strip() for line in mermaid(draw(sketch(lifecycle.machines[0]))).splitlines()]
    used = {line.split(" --> ")[0] for line in lines if " --> " in line}
    assert not used & {*kept, "click"}
    assert 'state "click" as click_ {' in lines
    assert "state end_ {" in lines
    assert "end__: end" in lines, "the group has the id that comes to mind first"
    assert "href_: href" in lines
    assert "default_ --> end__: go" in lines


def run(*args: object, exit_code: int) -> Result:
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    assert done.exit_code == exit_code, done.output
    assert "defect" not in done.output
    return done


def test_a_file_with_a_hostile_name(tmp_path: Path) -> None:
    """Its name stands in the header of what it generates, which is still the header."""
    name = 'x\nimport os\x1b[31m\u202e-->"""\r.yaml'
    source = tmp_path / name
    source.write_text(everywhere("x"), encoding="utf-8")
    out = tmp_path / "out\x1b[2J"
    done = run("compile", source, "--out", out, exit_code=0)
    assert misbehaving(done.output) == []
    for path in out.iterdir():
        text = path.read_text(encoding="utf-8")
        assert misbehaving(text.replace("\t", "")) == []
        assert "import os\\x1b" in text.splitlines()[0]
        header = read_header(path.read_bytes())
        assert header is not None
        assert header.intact
    run("compile", source, "--out", out, "--check", exit_code=0)
    left = (out / "words.m.svg").rename(out / "gone.m.svg")
    done = run("compile", source, "--out", out, "--check", exit_code=1)
    assert "E903" in done.output, "nothing makes it any more"
    left.unlink()
    (out / "words.md").write_text("edited \x1b[31m\n", encoding="utf-8")
    done = run("compile", source, "--out", out, "--diff", exit_code=1)
    assert misbehaving(done.output) == []
    assert "\\x1b[31m" in done.output


def test_a_header_holds_any_name() -> None:
    """Bytes that are no UTF-8, as file systems allow them, too."""
    for text in (*TEXTS, *HALF_PAIRS.values(), os.fsdecode(b"\xff.yaml")):
        for suffix in (".py", ".dot", ".mmd", ".svg", ".md"):
            made = with_header("body\n", suffix=suffix, source=text, source_digest="0" * 24)
            assert len(made.splitlines()) == 4
            assert misbehaving(made) == []
            made.encode()


@pytest.mark.parametrize("name", ["red", "override", "broken_markup", "long_word", "delete"])
def test_the_commands_echo_nothing_raw(name: str, tmp_path: Path) -> None:
    """What was typed, what stands in the files, and files that are not there."""
    text = HOSTILE[name]
    folder = tmp_path / text[:100].replace("/", "_")
    folder.mkdir()
    one, other = folder / "one.yaml", folder / "other.yaml"
    one.write_text(everywhere(text), encoding="utf-8")
    other.write_text(everywhere(text + "!").replace("version: 1", "version: 2"), encoding="utf-8")
    outputs = [
        run("explain", text, exit_code=2).output,
        run("compile", folder / "none.yaml", "--out", tmp_path, exit_code=2).output,
        run("compile", one, f"--{text}", exit_code=2).output,
        run("diff", one, folder / "none.yaml", exit_code=2).output,
        run("diff", one, other, "--svg", tmp_path / "x.svg", exit_code=0).output,
    ]
    assert [misbehaving(output) for output in outputs] == [[]] * len(outputs)
    answer = run("diff", one, other, "--json", exit_code=0).stdout
    assert misbehaving(answer) == []
    assert json.loads(answer)["verdict"] == "compatible"
    broken = folder / "broken.yaml"
    broken.write_text(PLACES["state"](json.dumps(text)), encoding="utf-8")
    answer = run("compile", broken, "--out", tmp_path, "--json", exit_code=1).stdout
    assert misbehaving(answer) == []
    (finding,) = json.loads(answer)["findings"][:1]
    assert finding["code"] == "E104"
    assert text in finding["message"]
